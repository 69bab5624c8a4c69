"""How metrics draw and prepare images, as arrays and as tensors."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.inference import inference
from dnnlib.util import UserError


def to_rgb(images):
    """Repeat the channel of grey images, arrays or tensors: [N,1,H,W] -> [N,3,H,W]. Return others
    unchanged."""
    if images.shape[1] != 1:
        return images
    return np.tile(images, [1, 3, 1, 1]) if isinstance(images, np.ndarray) else tf.tile(images, [1, 3, 1, 1])


def minibatches(data, minibatch_size):
    """Yield (uint8 images [minibatch_size,C,H,W], number of valid ones) of a data set. The last minibatch of
    a data set that does not repeat is padded with copies of the last image."""
    while True:
        try:
            images, _ = data.get_minibatch_np(minibatch_size)
        except tf.errors.OutOfRangeError:
            return
        num = len(images)
        padding = np.repeat(images[-1:], minibatch_size - num, axis=0)
        yield np.concatenate([images, padding]), num


def on_each_device(num_gpus, networks, build):
    """Return [build(*networks) for each device]. The first device uses the networks, the others copies."""
    results = []
    for gpu in range(num_gpus):
        with tflib.device(gpu), inference():
            results.append(build(*[net if gpu == 0 else net.clone() for net in networks]))
    return results


def random_latents(Gs, count):
    """Return a tensor of latents [count,latent_size]."""
    return tflib.random.normal([count, *Gs.input_shape[1:]])


def random_images(Gs, labels, count, Gs_kwargs):
    """Return a tensor of images [count,C,H,W] of random latents for labels [count,label_size]."""
    return Gs.get_output_for(random_latents(Gs, count), labels, **Gs_kwargs)


def shrink_to(images, size):
    """Average float images [N,C,H,W] over square blocks so that the longer side becomes `size`, or the next
    larger size that is possible. Smaller images stay as they are."""
    height, width = images.shape.as_list()[2:]
    factor = next(factor for factor in range(max(height, width) // size or 1, 0, -1)
                  if height % factor == width % factor == 0)
    return tflib.tfutil.shrink_images(images, factor) if factor > 1 else images


def check_input(network, images, name):
    """Raise UserError if a feature network does not accept tensors of images [N,C,H,W]."""
    wanted, found = network.input_shape[1:], images.shape.as_list()[1:]
    if any(want not in (None, have) for want, have in zip(wanted, found, strict=True)):
        raise UserError(f'{name} needs images of shape {wanted}, but those of this generator are {found}')
