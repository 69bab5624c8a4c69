"""What takes the place of functions of the same names in `dnnlib.tflib.ops` and `dnnlib.tflib.xla` in source
texts for TensorFlow 1.14: plain calls, without a choice among the kernels of a CPU, without XLA and without
what later versions of TensorFlow have added.
"""

import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.conv2d import _in_device_layout, _strides, channel_axis, spatial_axes
from dnnlib.tflib.ops.shapes import dims


def _has_gpu():
    return bool(tf.config.experimental.list_physical_devices('GPU'))


def nhwc_conv2d(x, w, stride, padding):
    """Correlate x [N,H,W,G*I] with w [kH,kW,I,G*O]. -> [N,H',W',G*O]."""
    return tf.nn.conv2d(x, w, strides=[1, stride, stride, 1], padding=padding)


def nhwc_conv2d_transpose(x, w, stride, padding, out_shape):
    """Convolve x [N,H,W,G*I] transposed with w [k,k,O,G*I]. -> `out_shape` [N,H',W',G*O]."""
    return tf.nn.conv2d_transpose(x, w, out_shape, strides=[1, stride, stride, 1], padding=padding)


def fast_margin(x, data_format):
    """Return 0: no `margin` of `conv2d_transpose` is faster than none."""
    return 0


@_in_device_layout
def depthwise_conv2d(x, w, stride=1, pad=((0, 0), (0, 0)), data_format='NCHW'):
    """Correlate every channel with the same kernel w [kH,kW], after padding with zeros.

    Kernels of TensorFlow 1.14 do not pad. x [N,C,H,W] (or NHWC) -> [N,C,H',W'].
    """
    fmaps = dims(x)[channel_axis(data_format)]
    w = tf.tile(w[:, :, tf.newaxis, tf.newaxis], [1, 1, fmaps, 1])  # [kH,kW] -> [kH,kW,C,1]
    paddings = [[0, 0]] * 4
    for axis, (before, after) in zip(spatial_axes(data_format), pad, strict=True):
        paddings[axis] = [before, after]
    return tf.nn.depthwise_conv2d(tf.pad(x, paddings), w, strides=_strides(stride, data_format),
                                  padding='VALID', data_format=data_format)


def cond(compare, value, limit, true_fn, false_fn):
    """Return tf.cond(compare(value, limit), true_fn, false_fn)."""
    return tf.cond(compare(value, limit), true_fn, false_fn)


def is_enabled():
    """Return False: nothing is built for XLA."""
    return False
