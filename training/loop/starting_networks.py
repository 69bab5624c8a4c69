"""The networks that a run starts with: new ones, those of a pickle, or both."""

import numpy as np

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib import network_pickle
from dnnlib.util import UserError
from training import misc


def source_of_run(resume_pkl, resume_with_new_nets, cluster):
    """Where a run that goes on gets its networks from, whose variables the state has: the pickle that it once
    began with, if that was so, or its own last one. None = they are built anew."""
    if resume_pkl is None or resume_with_new_nets:
        return None
    snapshots = misc.network_snapshots(dnnlib.make_run_dir_path()) if cluster.is_first else []
    return snapshots[-1] if snapshots else resume_pkl


def make(G_args, D_args, training_set, resume_pkl, resume_with_new_nets, use_noise):
    """-> G, D, Gs on the first device: new, loaded, or new with the variables of the loaded ones.

    Raises UserError for loaded ones that do not fit the data set.
    """
    with tflib.device(0):
        G, D, Gs = _make(G_args, D_args, training_set, resume_pkl, resume_with_new_nets)
    for net in [] if use_noise else [G, Gs]:
        _silence_noise(net)
    return G, D, Gs


def _make(G_args, D_args, training_set, resume_pkl, resume_with_new_nets):
    if resume_pkl is None or resume_with_new_nets:
        print('Constructing networks...')
        shape = dict(num_channels=training_set.shape[0], resolution=training_set.shape[1],
                     label_size=training_set.label_size)
        G = tflib.Network('G', **shape, **G_args)
        D = tflib.Network('D', **shape, **D_args)
        Gs = G.clone('Gs')
    if resume_pkl is not None:
        print(f'Loading networks from "{resume_pkl}"...')
        loaded = misc.as_triple(misc.load_pkl(resume_pkl), resume_pkl)
        if not resume_with_new_nets:
            _check_fit([shape[1:] for shape in loaded[1].input_shapes],
                       [training_set.shape, [training_set.label_size]], resume_pkl)
            return loaded
        for net, source in zip((G, D, Gs), loaded, strict=True):
            report = net.copy_vars_from(source, skip_other_shapes=True)
            if report.complete:
                print(report)
    return G, D, Gs


def check_file(resume_pkl, shapes, resume_with_new_nets=False, trust_source=False):
    """Raise UserError if a file or URL does not hold networks (G, D, Gs) for images and labels like these.
    They are not built: it is left to `make` to find all damage."""
    with misc.open_file_or_url(resume_pkl) as file:
        networks, arguments = network_pickle.check(file, trust_source=trust_source)
    _, D, _ = misc.as_triple(networks, resume_pkl)
    C, R, L = (arguments[D].get(key) for key in ('num_channels', 'resolution', 'label_size'))
    if None not in (C, R, L) and not resume_with_new_nets:
        _check_fit([[C, R, R], [L]], shapes, resume_pkl)


def _check_fit(taken, there, resume_pkl):
    """Raise UserError if a discriminator takes images and labels of other shapes than there are."""
    taken, there = list(map(list, taken)), list(map(list, there))
    if taken != there:
        raise UserError(f'{resume_pkl}: its networks take images and labels of shapes {taken}, but the '
                        f'data set has {there}; choose the data set that they were trained on')


def _silence_noise(G):
    """Switch the noise of a generator off: its inputs are 0 and used as they are, its strengths are 0.

    Without an input a strength gets no gradient, so that it stays 0. The variables stay too: pickles have the
    published form.
    """
    synthesis = G.components.synthesis
    synthesis.static_kwargs['randomize_noise'] = False
    tflib.set_vars({var: np.zeros(var.shape) for name, var in synthesis.vars.items()
                    if name.startswith('noise') or name.endswith(('/noise_strength', '/Noise/weight'))})
