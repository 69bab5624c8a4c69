"""What metrics sample: features of real images and tensors of generated ones, on one or several devices."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.inference import inference
from dnnlib.util import UserError


def to_rgb(images):
    """Grey images [N,1,H,W], array or tensor, as [N,3,H,W]; others as they are."""
    if images.shape[1] != 1:
        return images
    return np.tile(images, [1, 3, 1, 1]) if isinstance(images, np.ndarray) else tf.tile(images, [1, 3, 1, 1])


def minibatches(data, minibatch_size):
    """Yield (uint8 images [minibatch_size,C,H,W], how many of them count) of a data set. One that does not
    repeat ends with a minibatch that is filled up with copies of the last image."""
    while True:
        try:
            images, _ = data.get_minibatch_np(minibatch_size)
        except tf.errors.OutOfRangeError:
            return
        num = len(images)
        padding = np.repeat(images[-1:], minibatch_size - num, axis=0)
        yield np.concatenate([images, padding]), num


def features_of(metric, batches, network, max_images, num_gpus, unit, total=None):
    """Yield features [N,F] of `max_images` images in `minibatches`, or of fewer where these end; None = all.
    `unit` and, without `max_images`, `total` are for the progress."""
    count = 0
    for images, num in batches:
        if max_images is not None:
            num = min(num, max_images - count)
        yield network.run(to_rgb(images), num_gpus=num_gpus, assume_frozen=True)[:num]
        count += num
        metric._report_progress(count, max_images or total, unit)
        if count == max_images:
            return


def real_features(metric, network, max_images, minibatch_size, num_gpus):
    """Yield features [N,F] of the metric's real images: `max_images` in all, or fewer if the data set does
    not repeat. None = all of such a data set."""
    return features_of(metric, metric.real_minibatches(minibatch_size), network, max_images, num_gpus,
                       'real images', total=metric.num_reals)


def on_each_device(num_gpus, networks, build):
    """-> [build(*networks) on every device]. The first one has the networks, others have copies."""
    results = []
    for gpu in range(num_gpus):
        with tflib.device(gpu), inference():
            results.append(build(*[net if gpu == 0 else net.clone() for net in networks]))
    return results


def random_latents(Gs, count):
    """Tensor of latents [count, latent_size]."""
    return tflib.random.normal([count, *Gs.input_shape[1:]])


def random_images(Gs, labels, count, Gs_kwargs):
    """Images [count,C,H,W] of random latents for labels [count,label_size]."""
    return Gs.get_output_for(random_latents(Gs, count), labels, **Gs_kwargs)


def fake_features(metric, Gs, Gs_kwargs, network, num_images, minibatch_per_gpu, num_gpus,
                  draw=random_images):
    """Yield features [N,F] of `num_images` images that `draw` makes, which is called like `random_images`."""
    def build(Gs, network):
        labels = metric._get_random_labels_tf(minibatch_per_gpu)
        images = draw(Gs, labels, minibatch_per_gpu, Gs_kwargs)
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
