"""Noise in discriminators, as strong as their overfitting asks for (StyleGAN2-ADA, Section 4)."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib import random
from dnnlib.tflib.ops.conv2d import channel_axis, per_channel


def multiplicative_dropout(x, std, data_format='NCHW'):
    """Multiply every channel of every sample by exp(N(0, std^2)); None = not at all. Same shape as x.

    x [N,C] or [N,C,H,W]; std: scalar, may be a tensor.
    """
    if std is None:
        return x
    is_image = x.shape.rank == 4
    fmaps = x.shape.as_list()[channel_axis(data_format) if is_image else 1]
    scale = tf.exp(random.normal([tf.shape(x)[0], fmaps]) * std)
    return x * (per_channel(scale, x, data_format) if is_image else tf.cast(scale, x.dtype))


def pagan_bits(num_samples, num_bits, strength, fade):
    """Random bits of progressive augmentation (Zhang and Khoreva 2019, "PA-GAN"). -> float32 [N,num_bits].

    The larger the strength in [0, 1], the more bits are fair coins instead of 0; each fades in while the
    strength grows by fade / num_bits. Both may be tensors.
    """
    active = (strength * num_bits - np.arange(num_bits) - 1) / max(fade, 1e-8) + 1
    probability = tf.clip_by_value(tf.cast(active, tf.float32), 0, 1) / 2  # [num_bits]
    return tf.cast(random.uniform([num_samples, num_bits], 0.0, 1.0) < probability, tf.float32)


def pagan_sign(bits):
    """What the scores are multiplied by: -1 where the number of ones is odd. [N,num_bits] -> [N,1]."""
    return tf.reduce_prod(1 - 2 * bits, axis=1, keepdims=True)
