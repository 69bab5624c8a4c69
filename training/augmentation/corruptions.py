"""Corruptions: noise and cutout."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.ops.shapes import dims


def add_noise(images, draws, noise, noise_std):
    """Add normal noise to images [B,C,H,W], of a half-normal standard deviation each.

    noise: multiplier of the probability.
    """
    sigma = draws.magnitude(noise, noise_std)
    return images + tflib.random.normal(dims(images)) * tf.reshape(sigma, [-1, 1, 1, 1])


def cut_out(images, draws, cutout, cutout_size):
    """Make a rectangle of images [B,C,H,W] grey (DeVries and Taylor 2017). cutout: multiplier of the
    probability; cutout_size: relative to the side."""
    height, width = dims(images)[2:]
    size = draws.constant(cutout, cutout_size, [2])  # x, y
    centre = draws.place()
    outside_x = _is_outside(width, size[:, 0], centre[:, 0])[:, tf.newaxis, tf.newaxis]  # [B,1,1,W]
    outside_y = _is_outside(height, size[:, 1], centre[:, 1])[:, tf.newaxis, :, tf.newaxis]  # [B,1,H,1]
    return images * tf.cast(tf.logical_or(outside_x, outside_y), tf.float32)


def _is_outside(count, size, centre):
    """Return which pixels of a row are outside of intervals. -> bool [B,count]."""
    positions = (np.arange(count, dtype=np.float32) + 0.5) / count
    return tf.abs(positions - centre[:, tf.newaxis]) >= size[:, tf.newaxis] / 2
