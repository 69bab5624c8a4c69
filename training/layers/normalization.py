"""Normalization of feature maps and vectors, without variables."""

import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.conv2d import channel_axis, spatial_axes


def normalize_2nd_moment(x, axis=1, eps=1e-8):
    """x / sqrt(mean(x^2) + eps) along one axis. Same shape and dtype as x."""
    return x * tf.rsqrt(tf.reduce_mean(tf.square(x), axis=axis, keepdims=True) + eps)


def pixel_norm(x, epsilon=1e-8, data_format='NCHW'):
    """x / sqrt(mean(x^2) + epsilon) over the channels (Progressive GAN, Section 4.2).

    x [N,C] or [N,C,H,W] -> the same shape and dtype.
    """
    axis = channel_axis(data_format) if x.shape.rank == 4 else 1
    return normalize_2nd_moment(x, axis=axis, eps=epsilon)


def instance_norm(x, epsilon=1e-8, data_format='NCHW'):
    """Zero mean and unit variance over the pixels of every sample and channel (StyleGAN, Eq. 1).

    x [N,C,H,W] -> the same shape and dtype, computed in float32.
    """
    assert x.shape.rank == 4
    axes = spatial_axes(data_format)
    y = tf.cast(x, tf.float32)
    y -= tf.reduce_mean(y, axis=axes, keepdims=True)
    y *= tf.rsqrt(tf.reduce_mean(tf.square(y), axis=axes, keepdims=True) + epsilon)
    return tf.cast(y, x.dtype)
