"""What metrics sample: features of real images and tensors of generated ones, on one or several devices."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError


def to_rgb(images):
    """Grey images [N,1,H,W], array or tensor, as [N,3,H,W]; others as they are."""
    if images.shape[1] != 1:
        return images
    return np.tile(images, [1, 3, 1, 1]) if isinstance(images, np.ndarray) else tf.tile(images, [1, 3, 1, 1])


def real_features(metric, network, max_images, minibatch_size, num_gpus):
    """Yield features [N,F] of the metric's real images: `max_images` in all, or fewer if the data set does
    not repeat. None = all of such a data set."""
    count = 0
    for images, num in metric.real_minibatches(minibatch_size):
        if max_images is not None:
            num = min(num, max_images - count)
        yield network.run(to_rgb(images), num_gpus=num_gpus, assume_frozen=True)[:num]
        count += num
        metric._report_progress(count, max_images or metric.num_reals, 'real images')
        if count == max_images:
            return


def on_each_device(num_gpus, networks, build):
    """-> [build(*networks) on every device]. The first one has the networks, others have copies."""
    results = []
    for gpu in range(num_gpus):
        with tflib.device(gpu):
            results.append(build(*[net if gpu == 0 else net.clone() for net in networks]))
    return results


def random_latents(Gs, count):
    """Tensor of latents [count, latent_size]."""
    return tflib.random.normal([count, *Gs.input_shape[1:]])


def fake_features(metric, Gs, Gs_kwargs, network, num_images, minibatch_per_gpu, num_gpus):
    """Yield features [N,F] of `num_images` generated images."""
    def build(Gs, network):
        labels = metric._get_random_labels_tf(minibatch_per_gpu)
        images = Gs.get_output_for(random_latents(Gs, minibatch_per_gpu), labels, **Gs_kwargs)
        return network.get_output_for(tflib.convert_images_to_uint8(to_rgb(images)))

    features = on_each_device(num_gpus, [Gs, network], build)
    yield from evaluate(metric, features, num_images)


def evaluate(metric, tensors, num_items, before=()):
    """Yield the values of tensors [n,...], one per device, joined to [N,...]: `num_items` rows in all.

    `before`: operations that run before each evaluation, and are done by then.
    """
    count = 0
    while count < num_items:
        tflib.run(list(before))
        values = np.concatenate(tflib.run(tensors), axis=0)[:num_items - count]
        yield values
        count += len(values)
        metric._report_progress(count, num_items, 'samples')


def shrink_to(images, size):
    """Average float images [N,C,H,W] over blocks so that they are not larger than `size`."""
    factor = images.shape.as_list()[2] // size
    return tflib.tfutil.shrink_images(images, factor) if factor > 1 else images


def check_input(network, images, name):
    """Raise UserError if a feature network cannot take tensors of images [N,C,H,W]."""
    wanted, found = network.input_shape[1:], images.shape.as_list()[1:]
    if any(want not in (None, have) for want, have in zip(wanted, found, strict=True)):
        raise UserError(f'{name} takes images of shape {wanted}; those of this generator come as {found}')
