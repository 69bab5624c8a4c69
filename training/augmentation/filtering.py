"""Image-space filtering: random gains of four frequency bands."""

import functools

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.shapes import dims, dims_for_reshape
from training.augmentation.geometry import reflected
from training.augmentation.wavelets import wavelets

EXPECTED_POWER = np.array([10, 1, 1, 1], np.float32) / 13  # of the bands, from low to high frequencies


def _filter_bank():
    """Return the filters of the bands, [4,43]: symmetric, and their sum is the unit impulse."""
    low = np.array(wavelets['sym2'])
    high = low * (-1) ** np.arange(len(low))
    low, high = (np.convolve(taps, taps[::-1]) / 2 for taps in (low, high))  # [7]
    bank = np.eye(4)[:, :1]
    for band in range(1, 4):
        spread = np.zeros([4, 2 * bank.shape[1] - 1])
        spread[:, ::2] = bank
        bank = np.array([np.convolve(row, low) for row in spread])
        middle = bank.shape[1] // 2
        bank[band, middle - 3:middle + 4] += high
    return bank.astype(np.float32)


FILTER_BANK = _filter_bank()


def band_gains(draws, imgfilter, imgfilter_bands, imgfilter_std):
    """Draw a gain of each band, which keep the expected power. imgfilter: multiplier of the probability;
    imgfilter_bands: four more, one per band; imgfilter_std: standard deviation of log2. -> [B,4]."""
    assert len(imgfilter_bands) == len(EXPECTED_POWER)
    gains = 1
    for band, multiplier in enumerate(imgfilter_bands):
        t = draws.factor(imgfilter * multiplier, imgfilter_std)
        this = np.eye(4, dtype=np.float32)[band]
        t = t[:, tf.newaxis] * this + (1 - this)  # [B,4]
        gains *= t / tf.sqrt(tf.reduce_sum(EXPECTED_POWER * tf.square(t), axis=1, keepdims=True))
    return gains


def filter_bands(images, gains):
    """Amplify the bands of images [B,C,H,W] by gains [B,4], with reflected surroundings. -> [B,C,H,W]."""
    _, fmaps, height, width = dims(images)
    filter_x = tf.reshape(gains @ _band_matrices(width), [-1, 1, width, width])
    filter_y = tf.reshape(gains @ _band_matrices(height), [-1, 1, height, height])
    x = tf.reshape(images, [-1, 1, fmaps * height, width])  # [B,C,H,W] -> [B,1,C*H,W]
    x = tf.reshape(x @ filter_x, dims_for_reshape(images))
    return tf.matmul(filter_y, x, transpose_a=True)


@functools.cache
def _band_matrices(size):
    """Return matrices [4,size*size] that filter a row by the bands after padding it by reflection.

    Dense products with them are several times faster than convolutions with another filter for each image.
    Reflection is repeated for sizes below 22.
    """
    taps = FILTER_BANK.shape[1]
    sources = reflected(size, taps // 2, taps // 2)
    matrices = np.zeros([4, size, size], np.float32)
    for k in range(taps):
        for i in range(size):
            matrices[:, sources[i + k], i] += FILTER_BANK[:, k]
    return matrices.reshape(4, -1)
