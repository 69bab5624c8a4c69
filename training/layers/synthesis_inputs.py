"""Inputs of a synthesis network besides the dlatents: a learned constant and noise."""

import contextlib

import tensorflow.compat.v1 as tf

from dnnlib.base_shapes import level_shape
from dnnlib.tflib import random
from dnnlib.tflib.ops.conv2d import change_layout, spatial_axes
from dnnlib.tflib.ops.shapes import dims

_given = []  # Lists of noise images that the next networks take.


@contextlib.contextmanager
def given_noise(images):
    """Let the network that is built in this context take these noise images in place of its variables.

    images: one tensor [N,1,H,W] per layer, one image for each sample. Raises LookupError at the end if the
    network has not asked for them.
    """
    _given.append(images)
    try:
        yield
        if _given[-1] is not None:
            raise LookupError('this network does not take given noise')
    finally:
        _given.pop()


def const_input(dlatents, fmaps, initializer, data_format='NCHW', base_shape=None):
    """Repeat a variable `const` [1,fmaps,H,W] for each of the dlatents [N,...]. -> [N,fmaps,H,W].

    base_shape: [H, W], None = [4, 4].
    """
    shape = [1, fmaps, *level_shape(base_shape, 2)]
    x = tf.get_variable('const', shape=shape, initializer=initializer)
    x = change_layout(tf.cast(x, dlatents.dtype), 'NCHW', data_format)
    return tf.broadcast_to(x, [dims(dlatents)[0], *x.shape.as_list()[1:]])


def noise_inputs(levels, dtype, base_shape=None):
    """Create variables `noise0`, `noise1`, ..., not trained. -> list of [1,1,H,W] in `dtype`.

    levels: r of the resolution 2^r of each. base_shape: [H, W] at r = 2, None = [4, 4]. In a context of
    `given_noise`, return those images [N,1,H,W].
    """
    if _given and _given[-1] is not None:
        given, _given[-1] = _given[-1], None
        return [tf.cast(noise, dtype) for noise in given]
    inputs = [
        tf.get_variable(f'noise{layer_idx}', shape=[1, 1, *level_shape(base_shape, res_log2)],
                        trainable=False, initializer=tf.initializers.random_normal())
        for layer_idx, res_log2 in enumerate(levels)]
    return [tf.cast(noise, dtype) for noise in inputs]


def layer_noise(x, fixed_noise, randomize, data_format='NCHW'):
    """Return one channel of noise for x [N,C,H,W]: `fixed_noise` [1,1,H,W], or [N,1,H,W] drawn at every
    evaluation if `randomize`."""
    height, width = (x.shape.as_list()[axis] for axis in spatial_axes(data_format))
    noise = fixed_noise
    if randomize:
        noise = random.normal([dims(x)[0], 1, height, width], dtype=x.dtype)
    if data_format == 'NHWC':
        noise = tf.reshape(noise, [-1, height, width, 1])  # [N,1,H,W] -> [N,H,W,1], one channel: no transpose
    return noise
