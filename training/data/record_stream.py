"""Streams of images and labels that can start at any position of any pass over a data set.

The order of the images in a pass follows from a seed and the number of the pass. The numbers of the images
are shuffled, and each image is read in its turn: a stream that starts in the middle of a pass gives the same
images as one that has read up to there, and starts as fast.
"""

import dataclasses
import math
from collections.abc import Callable

import tensorflow.compat.v1 as tf

MAX_PREFETCH_IMAGES = 4096  # else millions of tiny images would be read ahead
_ENDLESS = 1 << 60          # passes


@dataclasses.dataclass(frozen=True)
class Level:
    """How the images of one level of detail are read."""
    shape: tuple              # [C,H,W] of the images.
    fetch: Callable           # Number of an image (int64 tensor) -> what is stored, a string tensor.
    parse: Callable           # What is stored -> image, uint8 [C,H,W].
    num_threads: int          # Images to fetch and parse at a time.
    in_order: Callable | None = None  # () -> stream of what is stored, if that is faster than `fetch`.


def num_items(megabytes, item_bytes):
    """Return the number of items that fill `megabytes` MiB, rounded up."""
    return ((megabytes << 20) - 1) // item_bytes + 1


def images_ahead(prefetch_mb, shape):
    """Return the number of images [C,H,W] that are read ahead."""
    return min(num_items(prefetch_mb, math.prod(shape)), MAX_PREFETCH_IMAGES)


def image_order(shape, *, num_images, seed, first_pass, skip, repeat, shuffle_mb):
    """Return the endless stream of the numbers of the images, in the order in which they are read.

    shape: [C,H,W] of the images. first_pass, skip: int64 tensors, where to start. repeat: False = one pass.
    """
    window = min(num_items(shuffle_mb, math.prod(shape)), num_images)

    def one_pass(number):
        return _shuffled(num_images, window, seed, number) if shuffle_mb > 0 else tf.data.Dataset.range(
            num_images)

    return _passes(first_pass, repeat).flat_map(one_pass).skip(skip)


def image_label_stream(level, labels, *, num_images, first_pass, skip, repeat, seed, shuffle_mb, prefetch_mb,
                       share=None):
    """Return a tf.data stream of single (image uint8 [C,H,W], label [label_size]).

    level: a Level. labels: tensor [num_images, label_size], or None for labels of width 0. share: function
    that removes from a stream what other processes read. The others are those of `image_order`.
    """
    share = share or (lambda stream: stream)

    def label_of(index):
        return tf.zeros([0]) if labels is None else tf.gather(labels, index)

    if shuffle_mb > 0 or level.in_order is None:
        order = image_order(level.shape, num_images=num_images, seed=seed, first_pass=first_pass, skip=skip,
                            repeat=repeat, shuffle_mb=shuffle_mb)
        stream = share(order).map(lambda index: (level.parse(level.fetch(index)), label_of(index)),
                                  num_parallel_calls=level.num_threads)
    else:
        one_pass = tf.data.Dataset.zip((level.in_order().take(num_images), tf.data.Dataset.range(num_images)))
        stored = _passes(first_pass, repeat).flat_map(lambda _: one_pass).skip(skip)
        stream = share(stored).map(lambda record, index: (level.parse(record), label_of(index)),
                                   num_parallel_calls=level.num_threads)
    if prefetch_mb > 0:
        stream = stream.prefetch(images_ahead(prefetch_mb, level.shape))
    return stream


def share_of_stream(stream, minibatch_size, first, count, total):
    """Keep minibatches first ... first + count - 1 of every `total` in a stream of single images.

    minibatch_size: int64 tensor.
    """
    def is_ours(position, _item):
        minibatch = position // minibatch_size % total
        return tf.logical_and(first <= minibatch, minibatch < first + count)

    numbered = tf.data.Dataset.zip((tf.data.Dataset.range(_ENDLESS), stream))
    return numbered.filter(is_ours).map(lambda _position, item: item)


def _passes(first_pass, repeat):
    return tf.data.Dataset.range(first_pass, _ENDLESS if repeat else first_pass + 1)


def _shuffled(count, window, seed, number):
    """Return a stream of 0 ... count - 1 (int64), shuffled within a window by the seed and the pass."""
    variant = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(tf.data.Dataset.range(count)),
        buffer_size=window, seed=seed, seed2=number + 1,  # both 0 would mean: none
        reshuffle_each_iteration=False, output_types=[tf.int64], output_shapes=[[]])
    return tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.int64))
