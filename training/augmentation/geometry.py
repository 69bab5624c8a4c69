"""Geometric transforms: pixel blitting and general ones, executed together as one warp of a finer image."""

import functools
import math

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib import xla
from dnnlib.tflib.ops.shapes import dims, dims_for_reshape
from training.augmentation.matrices import (
    rotate_2d,
    scale_2d,
    scale_2d_inv,
    translate_2d,
    translate_2d_inv,
)
from training.augmentation.wavelets import wavelets

TAPS = np.array(wavelets['sym6'], np.float32)
PAD = len(TAPS) // 4  # pixels that the filter needs around an image


def inverse_transforms(
    draws,              # Draws.
    width,              # Of the images, in pixels.
    height,
    xflip      = 0,     # Multipliers of probabilities: mirror,
    rotate90   = 0,     # turn by multiples of 90 degrees,
    xint       = 0,     # move by whole pixels,
    scale      = 0,     # scale,
    rotate     = 0,     # turn by any angle,
    aniso      = 0,     # stretch one axis and shrink the other,
    xfrac      = 0,     # move by fractions of pixels.
    xint_max   = 0.125, # Range, relative to the side.
    scale_std  = 0.2,   # Standard deviation of log2.
    rotate_max = 1,     # Range, 1 = full circle.
    aniso_std  = 0.2,   # Standard deviation of log2.
    xfrac_std  = 0.125, # Standard deviation, relative to the side.
):
    """Draw transforms. -> [B,3,3], from output to input positions in pixels about the centre; None if all
    multipliers are 0."""
    factors = []
    if xflip > 0:
        factors.append(scale_2d_inv(1 - 2 * draws.choice(xflip, 2), 1))
    if rotate90 > 0:
        factors.append(rotate_2d(math.pi / 2 * draws.choice(rotate90, 4)))
    if xint > 0:
        t = draws.uniform(draws.probability(xint), xint_max, [2])
        factors.append(translate_2d_inv(tf.rint(t[:, 0] * width), tf.rint(t[:, 1] * height)))
    if scale > 0:
        s = draws.factor(scale, scale_std)
        factors.append(scale_2d_inv(s, s))
    if rotate > 0:
        # Of the two rotations, before and after stretching, at least one happens with the wanted probability.
        p_rot = 1 - tf.sqrt(tf.maximum(1 - draws.probability(rotate), 0))
        factors.append(rotate_2d(draws.uniform(p_rot, math.pi * rotate_max)))
    if aniso > 0:
        s = draws.factor(aniso, aniso_std)
        factors.append(scale_2d_inv(s, 1 / s))
    if rotate > 0:
        theta = draws.uniform(p_rot, math.pi * rotate_max)
        factors.append(rotate_2d(draws.at(lambda q: 0 * q, theta)))
    if xfrac > 0:
        t = draws.normal(xfrac, xfrac_std, [2])
        factors.append(translate_2d_inv(t[:, 0] * width, t[:, 1] * height))
    return functools.reduce(tf.matmul, factors) if factors else None


def warp(images, G_inv):
    """Transform images with reflected surroundings (StyleGAN2-ADA, Appendix B.1). images [B,C,H,W], G_inv as
    from `inverse_transforms` -> [B,C,H,W].

    The padded image is doubled in size, sampled bilinearly on a doubled grid, and halved, which with an
    orthogonal wavelet's filter changes nothing where G_inv is the identity. The gradient is TensorFlow's of
    ImageProjectiveTransformV3, as published: an approximation where G_inv scales or rotates.
    """
    _, fmaps, height, width = dims(images)
    size, centre = np.array([width, height]), np.array([width - 1, height - 1]) / 2  # x, y
    low, high = _margins(G_inv, size, centre)
    up_x = _doubling(width, low[0], high[0])    # [W,W2]
    up_y = _doubling(height, low[1], high[1])   # [H,H2]
    x = tf.reshape(images, [-1, width]) @ up_x  # [B,C,H,W] -> [B*C*H,W2]
    x = _interleaved(x, fmaps, height)          # [B,H,W2*C]
    x = tf.matmul(up_y, x, transpose_a=True)    # [B,H2,W2*C]

    before = [_max_margin(side) for side in size] if xla.is_enabled() else low
    centre_in = tf.cast(before, tf.float32) + centre.astype(np.float32)
    G_inv = (translate_2d(centre_in[0], centre_in[1]) @ G_inv) @ translate_2d(*-(centre + PAD))
    G_inv = (scale_2d(2, 2) @ G_inv) @ scale_2d(0.5, 0.5)
    x = _sampled(x, G_inv, fmaps, 2 * (height + 2 * PAD), 2 * (width + 2 * PAD))
    return _halved(x, images)


def _margins(G_inv, size, centre):
    """Return how many pixels the images need before and after, int32 [2] each (x, y): one number for the
    whole minibatch, at most `_max_margin`."""
    cx, cy = centre
    corners = np.array([[-cx, cx, cx, -cx], [-cy, -cy, cy, cy], [1, 1, 1, 1]], np.float32)
    corners = (G_inv @ corners)[:, :2]  # [B,2,4]
    reach = tf.stack([tf.reduce_max(-corners, axis=[0, 2]), tf.reduce_max(corners, axis=[0, 2])])
    margins = tf.ceil(reach - centre.astype(np.float32) + 2 * PAD)
    limits = np.array([_max_margin(side) for side in size], np.float32)
    return tf.unstack(tf.cast(tf.clip_by_value(margins, 0, limits), tf.int32))


def _max_margin(size):
    """Return how far a row is reflected at most: once, as published, but not less than the filter needs."""
    return max(size - 1, PAD)


def reflected(size, low, high):
    """Return the indices [low+size+high] of pixels after padding by reflection, without repeating the edge,
    however far."""
    period = max(2 * (size - 1), 1)
    index = np.abs(np.arange(-low, size + high)) % period
    return np.minimum(index, period - index)


@functools.cache
def _reflection(size):
    """Return the matrix [size,size+2*_max_margin(size)] that pads a row by reflection."""
    return np.eye(size, dtype=np.float32)[:, reflected(size, _max_margin(size), _max_margin(size))]


def _doubling(size, low, high):
    """Return the matrix [size,2*(low+size+high)] that pads a row by reflection and doubles it.

    With x the padded row, u[m] = sum of h[k]*x[j] over all 2*j+k-5 = m. Thus even and odd positions have a
    filter each, of seven taps around x[m//2].
    """
    taps = np.zeros([7, 1, 1, 2], np.float32)
    taps[:6, 0, 0, 0] = TAPS[1::2][::-1]
    taps[1:, 0, 0, 1] = TAPS[0::2][::-1]
    start = _max_margin(size)
    rows = tf.constant(_reflection(size))
    inside = 1.0
    if xla.is_enabled():  # which compiles for fixed shapes: pixels that would be cut off become 0
        index = np.arange(size + 2 * start)
        inside = tf.cast((index >= start - low) & (index < start + size + high), tf.float32)[:, tf.newaxis]
        rows *= inside[:, 0]
    else:
        rows = rows[:, start - low:start + size + high]  # [size,padded]
    rows = tf.nn.conv2d(rows[:, :, tf.newaxis, tf.newaxis], taps, strides=1, padding='SAME')
    return tf.reshape(rows[:, :, 0] * inside, [size, -1])  # [size,padded,2] -> [size,2*padded]


def _interleaved(x, fmaps, height):
    """Reorder planes [B*C*H,W] to rows of pixels with all their channels, [B,H,W*C], which
    ImageProjectiveTransformV3 reads and writes faster."""
    width = tf.shape(x)[1]
    x = tf.transpose(tf.reshape(x, [-1, fmaps, height, width]), [0, 2, 3, 1])
    return tf.reshape(x, [-1, height, width * fmaps])


def _sampled(x, G_inv, fmaps, height, width):
    """Sample bilinearly at G_inv applied to pixel positions; all outside is 0. x [B,H2,W2*C] ->
    [B,height,width,C]."""
    x = tf.reshape(x, [-1, tf.shape(x)[1], tf.shape(x)[2] // fmaps, fmaps])
    if xla.is_enabled():
        return gathered(x, G_inv, height, width)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x, transforms=tf.reshape(G_inv, [-1, 9])[:, :8], output_shape=[height, width], fill_value=0.0,
        interpolation='BILINEAR', fill_mode='CONSTANT')


def gathered(x, G_inv, height, width):
    """Do what ImageProjectiveTransformV3 does, which XLA cannot compile, with the same gradient.

    x [B,H2,W2,C], G_inv [B,3,3] -> [B,height,width,C].
    """
    size = tf.shape(x)[1:3]

    @tf.custom_gradient
    def sampled(x, G_inv):
        def gradient(dy):
            return gathered(dy, tf.linalg.inv(G_inv), size[0], size[1]), tf.zeros_like(G_inv)
        return _bilinear(x, G_inv, height, width), gradient

    return sampled(x, G_inv)


def _bilinear(x, G_inv, height, width):
    """Sample the four pixels around each position; those outside are 0."""
    size = tf.unstack(tf.shape(x), num=4)
    rows, columns = tf.meshgrid(tf.range(height), tf.range(width), indexing='ij')
    grid = tf.cast(tf.stack([columns, rows, tf.ones_like(rows)]), tf.float32)   # [3,height,width]
    positions = tf.unstack(G_inv[:, :2] @ tf.reshape(grid, [3, -1]), axis=1)    # x and y, [B,height*width]
    pixels = tf.reshape(x, [-1, size[1] * size[2], size[3]])                    # [B,H2*W2,C]
    total = 0.0
    for right, below in np.ndindex(2, 2):
        corner = [tf.floor(positions[0]) + right, tf.floor(positions[1]) + below]
        limits = [tf.cast(length - 1, tf.float32) for length in (size[2], size[1])]
        nearest = [tf.clip_by_value(c, 0.0, limit) for c, limit in zip(corner, limits, strict=True)]
        weight = math.prod((1 - tf.abs(position - c)) * tf.cast(tf.equal(c, near), tf.float32)
                           for position, c, near in zip(positions, corner, nearest, strict=True))
        index = tf.cast(nearest[1], tf.int32) * size[2] + tf.cast(nearest[0], tf.int32)
        total += tf.gather(pixels, index, batch_dims=1) * weight[:, :, tf.newaxis]
    return tf.reshape(total, [-1, height, width, size[3]])


@functools.cache
def _halving(size):
    """Return the matrix [2*(size+2*PAD),size] that halves a row, v[i] = sum over k of h[k]*u[2*i+k-5], and
    removes the padding."""
    matrix = np.zeros([2 * (size + 2 * PAD), size], np.float32)
    for i in range(size):
        start = 2 * (i + PAD) - 5
        matrix[start:start + len(TAPS), i] = TAPS
    return matrix


def _halved(x, images):
    """Halve x [B,2*(H+2*PAD),2*(W+2*PAD),C] to the shape of the images [B,C,H,W]."""
    _, fmaps, height, width = dims(images)
    rows, columns = x.shape[1:3]
    x = tf.reshape(x, [-1, rows, columns * fmaps])
    x = tf.matmul(_halving(height), x, transpose_a=True)                           # [B,H,W2*C]
    x = tf.transpose(tf.reshape(x, [-1, height, columns, fmaps]), [0, 3, 1, 2])    # [B,C,H,W2]
    x = tf.reshape(x, [-1, columns]) @ _halving(width)                             # [B*C*H,W]
    return tf.reshape(x, dims_for_reshape(images))
