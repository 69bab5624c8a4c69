"""Colour transforms: one affine map of colours per image."""

import functools
import math

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.shapes import dims, dims_for_reshape
from training.augmentation.matrices import rotate_3d, scale_3d, translate_3d

GREY_AXIS = np.array([1, 1, 1, 0], np.float32) / np.sqrt(np.float32(3))
ALONG_GREY = np.outer(GREY_AXIS, GREY_AXIS)  # [4,4]


def colour_transforms(
    draws,                 # Draws.
    fmaps,                 # Number of channels.
    brightness     = 0,    # Multipliers of probabilities: add a number,
    contrast       = 0,    # scale,
    lumaflip       = 0,    # mirror at the plane through 0 perpendicular to the grey axis,
    hue            = 0,    # turn around the grey axis,
    saturation     = 0,    # scale the distance from the grey axis.
    brightness_std = 0.2,  # Standard deviation.
    contrast_std   = 0.5,  # Standard deviation of log2.
    hue_max        = 1,    # Range, 1 = full circle.
    saturation_std = 1,    # Standard deviation of log2.
):
    """Draw transforms of homogeneous colours. -> [B,4,4], or None if all multipliers are 0.

    Hue and saturation draw nothing for grey images.
    """
    factors = []  # the first one is applied first
    if brightness > 0:
        b = draws.normal(brightness, brightness_std)
        factors.append(translate_3d(b, b, b))
    if contrast > 0:
        c = draws.factor(contrast, contrast_std)
        factors.append(scale_3d(c, c, c))
    if lumaflip > 0:
        i = draws.choice(lumaflip, 2)[:, tf.newaxis, tf.newaxis]  # [B] -> [B,1,1]
        factors.append(np.eye(4, dtype=np.float32) - 2 * ALONG_GREY * i)
    if hue > 0 and fmaps > 1:
        theta = draws.uniform(draws.probability(hue), math.pi * hue_max)
        factors.append(rotate_3d(GREY_AXIS, theta))
    if saturation > 0 and fmaps > 1:
        s = draws.factor(saturation, saturation_std)[:, tf.newaxis, tf.newaxis]  # [B] -> [B,1,1]
        factors.append(ALONG_GREY + (np.eye(4, dtype=np.float32) - ALONG_GREY) * s)
    return functools.reduce(lambda product, factor: factor @ product, factors) if factors else None


def transform_colours(images, C):
    """Apply colour transforms [B,4,4] to images [B,C,H,W] of 3 channels, or of 1 as the mean of three."""
    fmaps = dims(images)[1]
    if fmaps == 3:
        pixels = tf.reshape(images, [-1, 3, math.prod(dims(images)[2:])])  # [B,3,H,W] -> [B,3,H*W]
        pixels = C[:, :3, :3] @ pixels + C[:, :3, 3:]
        return tf.reshape(pixels, dims_for_reshape(images))
    if fmaps == 1:
        mean = tf.reduce_mean(C[:, :3], axis=1)  # [B,4]
        factor, offset = tf.reduce_sum(mean[:, :3], axis=1), mean[:, 3]
        return images * tf.reshape(factor, [-1, 1, 1, 1]) + tf.reshape(offset, [-1, 1, 1, 1])
    raise ValueError(f'colour transforms need images with 1 or 3 channels, not {fmaps}')
