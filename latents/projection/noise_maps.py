"""Noise images under optimization: the penalty on what they must not contain, and their normalization."""

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib

SMALLEST = 8  # Sides of at most this are not halved any further.


def penalty(noise):
    """Return how much neighbouring values correlate, at all scales (StyleGAN2, appendix D).

    noise [N,1,H,W] -> scalar, the sum over N. It keeps the signal of the image out of the noise.
    """
    total = 0.0
    while True:
        for axis in (3, 2):
            products = noise * tf.roll(noise, shift=1, axis=axis)
            total += tf.reduce_sum(tf.square(tf.reduce_mean(products, axis=[1, 2, 3])))
        height, width = noise.shape.as_list()[2:]
        if min(height, width) <= SMALLEST or height % 2 or width % 2:
            return total
        noise = tflib.tfutil.shrink_images(noise, 2)


def normalized(noise):
    """Give each noise image mean 0 and variance 1. [N,1,H,W] -> same shape."""
    centred = noise - tf.reduce_mean(noise, axis=[1, 2, 3], keepdims=True)
    return centred * tf.rsqrt(tf.reduce_mean(tf.square(centred), axis=[1, 2, 3], keepdims=True))
