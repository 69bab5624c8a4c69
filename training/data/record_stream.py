"""Streams of the records of a file that can start at any position of any pass over the file.

The order of the images in a pass follows from a seed and the number of the pass. The numbers of the images
are shuffled, and each image is read in its turn: a stream that starts in the middle of a pass gives the same
images as one that has read up to there, and starts as fast.
"""

import math
import os
import struct

import numpy as np
import tensorflow.compat.v1 as tf

RECORD_FRAME_BYTES = 16     # TFRecord format: length and two checksums around each record
MAX_PREFETCH_IMAGES = 4096  # else millions of tiny images would be read ahead
_ENDLESS = 1 << 60          # passes


def num_items(megabytes, item_bytes):
    """Return the number of items that fill `megabytes` MiB, rounded up."""
    return ((megabytes << 20) - 1) // item_bytes + 1


def image_label_stream(file, labels, parse, *, num_images, seed, first_pass, skip, repeat, shuffle_mb,
                       prefetch_mb, buffer_mb, num_threads, share=None):
    """Return a tf.data stream of single (image uint8 [C,H,W], label [label_size]).

    file: has `path`, `shape` and `record_bytes`. labels: tensor [num_images, label_size], or None for labels
    of width 0. parse: record -> image. first_pass, skip: int64 tensors, where to start. share: function that
    removes from a stream what other processes read.
    """
    share = share or (lambda stream: stream)

    def read(index):
        record = tf.data.experimental.get_single_element(_records(file, offset_of(index)).take(1))
        return parse(record), label_of(index)

    def label_of(index):
        return tf.zeros([0]) if labels is None else tf.gather(labels, index)

    image_bytes = math.prod(file.shape)
    last_pass = _ENDLESS if repeat else first_pass + 1
    passes = tf.data.Dataset.range(first_pass, last_pass)
    if shuffle_mb > 0:
        window = min(num_items(shuffle_mb, image_bytes), num_images)
        order = passes.flat_map(lambda number: _shuffled(num_images, window, seed, number)).skip(skip)
        offset_of = _offsets(file)
        stream = share(order).map(read, num_parallel_calls=num_threads)
    else:
        records = tf.data.TFRecordDataset(file.path, compression_type='', buffer_size=buffer_mb << 20)
        one_pass = tf.data.Dataset.zip((records.take(num_images), tf.data.Dataset.range(num_images)))
        stream = share(passes.flat_map(lambda _: one_pass).skip(skip)).map(
            lambda record, index: (parse(record), label_of(index)), num_parallel_calls=num_threads)
    if prefetch_mb > 0:
        stream = stream.prefetch(min(num_items(prefetch_mb, image_bytes), MAX_PREFETCH_IMAGES))
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


def _shuffled(count, window, seed, number):
    """Return a stream of 0 ... count - 1 (int64), shuffled within a window by the seed and the pass."""
    variant = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(tf.data.Dataset.range(count)),
        buffer_size=window, seed=seed, seed2=number + 1,  # both 0 would mean: none
        reshuffle_each_iteration=False, output_types=[tf.int64], output_shapes=[[]])
    return tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.int64))


def _records(file, offset):
    """Return a stream of the records of a file from a byte on."""
    variant = tf.raw_ops.TFRecordDatasetV2(
        filenames=[file.path], compression_type='', buffer_size=file.record_bytes or 1 << 16,
        byte_offsets=[offset])
    return tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string))


def _offsets(file):
    """Return a function from the number of a record (int64 tensor) to its offset in the file."""
    if file.record_bytes is not None:
        return lambda index: index * file.record_bytes
    offsets = tf.constant(_record_offsets(file.path))
    return lambda index: tf.gather(offsets, index)


def _record_offsets(path):
    """Return the offsets of records of several lengths in an intact file, int64 [records]."""
    offsets, offset = [], 0
    with open(path, 'rb') as stream:
        while offset < os.fstat(stream.fileno()).st_size:
            offsets.append(offset)
            stream.seek(offset)
            offset += struct.unpack('<Q', stream.read(8))[0] + RECORD_FRAME_BYTES
    return np.array(offsets, np.int64)
