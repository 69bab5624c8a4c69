"""Decodes PNG and JPEG files in the graph, at full size or smaller."""

import tensorflow.compat.v1 as tf

_EXACT_HALVINGS = 8  # sums of 2^8 x 2^8 values up to 255 are exact in float32


def decode_image(content, shape, halvings=0):
    """Return the image in a PNG or JPEG file, halved a number of times.

    content: string []. shape: [C,H,W] of the image in the file. -> uint8 [C,H/2^halvings,W/2^halvings], the
    values of training.data.encoding.levels. Its evaluation raises tf.errors.InvalidArgumentError for anything
    else than an image of this shape.
    """
    channels, height, width = shape
    # Reads PNG files as well. The method is the one of Pillow.
    pixels = tf.io.decode_jpeg(content, channels=channels, dct_method='INTEGER_ACCURATE')
    pixels = tf.ensure_shape(pixels, [height, width, channels])
    if halvings > 0:
        pixels = tf.cast(tf.rint(_averaged(tf.cast(pixels, tf.float32), halvings)), tf.uint8)
    columns = tf.transpose(tf.reshape(pixels, [-1, channels]))  # [H,W,C] -> [C,H*W]: faster with two axes
    return tf.reshape(columns, [channels, height >> halvings, width >> halvings])  # -> [C,H,W]


def _averaged(pixels, halvings):
    """Average blocks of 2^halvings x 2^halvings pixels: float32 [H,W,C] -> [H/2^halvings,W/2^halvings,C]."""
    side = 2 ** min(halvings, _EXACT_HALVINGS)
    pixels = tf.nn.avg_pool2d(pixels[tf.newaxis], side, side, 'VALID', data_format='NHWC')[0]
    for _ in range(halvings - _EXACT_HALVINGS):  # in the order of training.data.encoding
        pixels = 0.25 * (pixels[0::2, 0::2] + pixels[0::2, 1::2] + pixels[1::2, 0::2] + pixels[1::2, 1::2])
    return pixels
