"""Generates images from seeds with a trained generator."""

import numpy as np

import dnnlib.tflib as tflib
from dnnlib.progress import Progress
from training.misc.pictures import save_images  # noqa: F401  (documented under this name)
from training.settings import picture_requests

SYNTHESIS = dict(randomize_noise=False, output_transform=dict(func=tflib.convert_images_to_uint8))


def in_minibatches(net, *in_arrays, minibatch_size, title, convert=np.asarray, **kwargs):
    """Run a network on arrays [N,...] in minibatches, and show the progress if that takes long.

    convert: function that is applied to the output of each minibatch, such as one to smaller numbers.
    """
    num_items = len(in_arrays[0])
    progress = Progress(num_items, 'images', title=title)
    parts = []
    for begin in range(0, num_items, minibatch_size):
        progress.show(begin)
        part = [array[begin:begin + minibatch_size] for array in in_arrays]
        parts.append(convert(net.run(*part, minibatch_size=minibatch_size, **kwargs)))
    return np.concatenate(parts)


def inputs_from_seed(Gs, seed):
    """Return latents [1,latent_size] of a seed, and set the noise of Gs to the random numbers after them."""
    rnd = np.random.RandomState(seed)
    latents = rnd.randn(1, *Gs.input_shape[1:])
    synthesis_vars = Gs.components.get('synthesis', Gs).vars.items()
    tflib.set_vars({var: rnd.randn(*var.shape.as_list())
                    for name, var in synthesis_vars if name.startswith('noise')})
    return latents


def label_of_class(Gs, class_idx):
    """Return a one-hot label [1,label_size]; zeros for None. Raises UserError for a class that Gs lacks."""
    label_size = Gs.input_shapes[1][1]
    label = np.zeros([1, label_size])
    picture_requests.check_class(class_idx, label_size)
    if class_idx is not None:
        label[0, class_idx] = 1
    return label


def images_from_latents(Gs, latents, label, truncation_psi):
    """Draw images. Latents [N,latent_size], label [1,label_size] -> uint8 [N,C,H,W]."""
    return Gs.run(latents, np.repeat(label, len(latents), axis=0), truncation_psi=truncation_psi, **SYNTHESIS)


def images_of_seeds(Gs, seeds, truncation_psi, class_idx):
    """Yield (`seed<NNNN>.png`, uint8 [1,C,H,W]) of every seed."""
    label = label_of_class(Gs, class_idx)
    for idx, seed in enumerate(seeds):
        print('Generating image for seed %d (%d/%d) ...' % (seed, idx, len(seeds)))
        latents = inputs_from_seed(Gs, seed)
        yield 'seed%04d.png' % seed, images_from_latents(Gs, latents, label, truncation_psi)


def latents_from_seeds(Gs, seeds):
    """Return latents [N,latent_size], each from a generator of random numbers of its own."""
    shape = Gs.input_shape[1:]
    return np.reshape([np.random.RandomState(seed).randn(*shape) for seed in seeds], [-1, *shape])


def dlatents_from_seeds(Gs, seeds, label, truncation_psi):
    """Map seeds to truncated dlatents -> {seed: [layers,dlatent_size]}."""
    seeds = list(dict.fromkeys(seeds))
    latents = latents_from_seeds(Gs, seeds)
    labels = np.repeat(label, len(latents), axis=0)
    dlatents = Gs.components.mapping.run(latents, labels)  # [N,layers,dlatent_size]
    dlatent_avg = Gs.get_var('dlatent_avg')
    return dict(zip(seeds, dlatent_avg + (dlatents - dlatent_avg) * truncation_psi, strict=True))


def images_from_dlatents(Gs, dlatents, minibatch_size=4):
    """Draw images. Dlatents [N,layers,dlatent_size] -> uint8 [N,C,H,W]."""
    return in_minibatches(Gs.components.synthesis, dlatents, minibatch_size=minibatch_size,
                          title='Generating', **SYNTHESIS)
