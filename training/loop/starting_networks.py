"""The networks that a run starts with: new ones, those of a pickle, or both."""

import inspect
import re
from dataclasses import dataclass

import numpy as np

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.base_shapes import image_shape
from dnnlib.tflib import network_pickle
from dnnlib.tflib.ops import cpu_kernels
from dnnlib.util import UserError
from training import misc
from training.data import sizes
from training.loop import outlook
from training.settings import freezing
from training.settings.precision import BFLOAT16, HALF, HALF_DTYPES


@dataclass(frozen=True)
class NetworkSettings:
    """How the networks are built."""
    G_args: dict                # Build function of G (func_name) and its arguments.
    D_args: dict
    resume_with_new_nets: bool  # Whether they are built even if there are networks to load.
    use_noise: bool             # Whether G adds noise.
    precision: str | None = None  # As in training_loop().


def source_of_resumed_run(resume_pkl, settings, cluster):
    """Return the pickle that a resumed run loads its networks from, before their variables are restored: its
    own last one or the one that it started from. None = they are built."""
    if resume_pkl is None or settings.resume_with_new_nets:
        return None
    snapshots = misc.network_snapshots(dnnlib.make_run_dir_path()) if cluster.is_first else []
    return snapshots[-1] if snapshots else resume_pkl


def make(settings, training_set, resume_pkl):
    """Return G, D, Gs on the first device: new, loaded, or new with the variables of the loaded ones.

    Raises UserError if loaded networks do not fit the data set, or if no network fits it.
    """
    if settings.precision == BFLOAT16 and outlook.on_cpu() and cpu_kernels.emulates_bfloat16():
        print('This processor has neither AVX512_BF16 nor AMX for bfloat16, which is emulated, and slow: '
              '--precision=float32 is faster.')
    with tflib.device(0):
        G, D, Gs = _make(settings, training_set, resume_pkl)
    for net in [] if settings.use_noise else [G, Gs]:
        _silence_noise(net)
    return G, D, Gs


def _make(settings, training_set, resume_pkl):
    if resume_pkl is None or settings.resume_with_new_nets:
        print('Constructing networks...')
        G, D = _new(settings, training_set)
        Gs = G.clone('Gs')
    if resume_pkl is not None:
        print(f'Loading networks from "{resume_pkl}"...')
        loaded = misc.as_triple(misc.load_pkl(resume_pkl), resume_pkl)
        if not settings.resume_with_new_nets:
            _check_fit([shape[1:] for shape in loaded[1].input_shapes],
                       [training_set.shape, [training_set.label_size]], resume_pkl)
            if settings.precision in HALF_DTYPES:
                _compute_in_half(loaded, settings.precision, resume_pkl)
            return _loaded_for_this_machine(loaded, settings)
        for net, source in zip((G, D, Gs), loaded, strict=True):
            report = net.copy_vars_from(source, skip_other_shapes=True)
            if report.complete:
                print(report)
        _compare_mapping(G, loaded[0])
    return G, D, Gs


def make_pair(settings, training_set):
    """Return new G and D on the first device, without an average of G."""
    with tflib.device(0):
        G, D = _new(settings, training_set)
    if not settings.use_noise:
        _silence_noise(G)
    return G, D


def _new(settings, training_set):
    base_shape, resolution = sizes.require(*training_set.shape[1:], 'the data set')
    _check_freezing(settings.D_args, resolution)
    shape = dict(num_channels=training_set.shape[0], resolution=resolution,
                 label_size=training_set.label_size)
    if base_shape != sizes.SQUARE:
        shape['base_shape'] = base_shape
    G_args, D_args = _for_this_machine(settings)
    return tflib.Network('G', **shape, **G_args), tflib.Network('D', **shape, **D_args)


def _for_this_machine(settings):
    """Return the arguments of G and D, without float16 if it would be slower."""
    both = settings.G_args, settings.D_args
    return tuple({**args, 'num_fp16_res': 0} for args in both) if _is_float32(both, settings) else both


def _compute_in_half(networks, precision, resume_pkl):
    """Let loaded networks compute in mixed precision, whatever they were trained in. Raises UserError if they
    cannot."""
    for net in networks:
        image_net = net.components.get('synthesis', net)
        if 'num_fp16_res' not in inspect.signature(image_net._build_func).parameters:
            raise UserError(f'{resume_pkl}: network {net.name} has no form in mixed precision; choose '
                            'another --precision, or --resume-with-new-nets=true')
        for part in {net, image_net}:
            given = {key: value for key, value in part.static_kwargs.items() if key in HALF and value}
            part.static_kwargs.pop('half_dtype', None)
            part.static_kwargs.update({**HALF, **HALF_DTYPES[precision], **given})


def _loaded_for_this_machine(networks, settings):
    """Return (G, D, Gs) of a file; training builds their layers without float16 if it would be slower."""
    if _is_float32([net.static_kwargs for net in networks], settings):
        for part in [part for net in networks for part in (net, *net.components.values())]:
            part.static_kwargs.pop('half_dtype', None)
            if 'num_fp16_res' in part.static_kwargs:
                part.static_kwargs.num_fp16_res = 0
    return networks


def _is_float32(all_kwargs, settings):
    """Return whether layers that are configured for half precision run in float32: as the precision says or,
    if that is left open, without a GPU, because they are slower in float16."""
    has_fp16 = any(kwargs.get('num_fp16_res') for kwargs in all_kwargs)
    if not has_fp16 or settings.precision in HALF_DTYPES:
        return False
    if settings.precision is not None:
        return True
    if outlook.on_cpu():
        print('Without a GPU, all layers run in float32: num_fp16_res is 0 (--precision=mixed for float16).')
    return outlook.on_cpu()


def _check_freezing(D_args, resolution):
    """Raise UserError unless the discriminator can freeze as many layers as its arguments say."""
    number = D_args.get('freeze_layers', 0)
    if number == 0:
        return
    build_func = dnnlib.util.get_obj_by_name(D_args['func_name'])
    if 'freeze_layers' not in inspect.signature(build_func).parameters:
        raise UserError(f'--freezed={number}: {build_func.__name__} cannot freeze layers; choose a '
                        'configuration of StyleGAN2-ADA')
    freezing.check(number, resolution, D_args.get('architecture', 'resnet'))


def _compare_mapping(G, source):
    """Say if the mapping network has another depth than the one whose layers were copied into it."""
    there, here = (sum(re.fullmatch(r'.*mapping/Dense\d+/weight', name) is not None for name in net.vars)
                   for net in (source, G))
    if here != there:
        print(f'The mapping network has {here} layers, that of the source {there}: what was copied of it '
              'does not lead to the dlatents that the synthesis network has learned; the first images will '
              f"not be the source's. With {there} mapping layers, training continues from the source.")


def check_file(resume_pkl, shapes, resume_with_new_nets=False, trust_source=False):
    """Raise UserError if a file or URL does not contain networks (G, D, Gs) for images and labels of these
    shapes. They are not built; `make` finds all damage."""
    with misc.open_file_or_url(resume_pkl) as file:
        networks, arguments = network_pickle.check(file, trust_source=trust_source)
    _, D, _ = misc.as_triple(networks, resume_pkl)
    C, R, L = (arguments[D].get(key) for key in ('num_channels', 'resolution', 'label_size'))
    if isinstance(R, int) and None not in (C, L) and not resume_with_new_nets:
        size = image_shape(arguments[D].get('base_shape'), R)
        _check_fit([[C, *size], [L]], shapes, resume_pkl)


def _check_fit(taken, there, resume_pkl):
    """Raise UserError if a discriminator takes images and labels of other shapes than those of the data."""
    taken, there = list(map(list, taken)), list(map(list, there))
    if taken != there:
        raise UserError(f'{resume_pkl}: its networks take images and labels of shapes {taken}, but the '
                        f'data set has {there}; choose the data set and --labels that they were trained with')


def _silence_noise(G):
    """Switch the noise of a generator off: its inputs, which are used unchanged, and its strengths become 0.

    With an input of 0 a strength gets no gradient and remains 0. The variables remain, so that pickles have
    the published form.
    """
    synthesis = G.components.synthesis
    synthesis.static_kwargs['randomize_noise'] = False
    tflib.set_vars({var: np.zeros(var.shape) for name, var in synthesis.vars.items()
                    if name.startswith('noise') or name.endswith(('/noise_strength', '/Noise/weight'))})
