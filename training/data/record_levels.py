"""Reads the images of TFRecord files in the graph."""

import tensorflow.compat.v1 as tf

from training.data.decoding import decode_image
from training.data.record_stream import Level

_FIELDS = {
    'shape': tf.FixedLenFeature([3], tf.int64),   # [C,H,W]
    'data': tf.FixedLenFeature([], tf.string),    # a PNG or JPEG file, or a byte per value, W varies fastest
    'encoding': tf.FixedLenFeature([], tf.string, default_value=''),  # 'png' or 'jpeg'; otherwise raw
}


def parse_tf(record):
    """Return the image of any record as a tensor: string [] -> uint8 [C,H,W]. Its evaluation raises
    tf.errors.InvalidArgumentError if the record is not an image."""
    fields = tf.parse_single_example(record, _FIELDS)

    def decoded():
        pixels = tf.io.decode_jpeg(fields['data'], dct_method='INTEGER_ACCURATE')  # or PNG
        return tf.transpose(pixels, [2, 0, 1])  # [H,W,C] -> [C,H,W]

    pixels = tf.cond(tf.equal(fields['encoding'], ''), lambda: _raw_pixels(fields), decoded)
    return tf.reshape(pixels, fields['shape'])


def _raw_pixels(fields):
    return tf.reshape(tf.decode_raw(fields['data'], tf.uint8), fields['shape'])  # [C*H*W] -> [C,H,W]


def level_of(file, halvings, buffer_mb, num_threads):
    """Return the Level of a RecordFile's images, which are halved a number of times if they are encoded."""
    channels, height, width = file.shape

    def parse_raw(record):
        return tf.ensure_shape(_raw_pixels(tf.parse_single_example(record, _FIELDS)), file.shape)

    def parse_encoded(record):
        return decode_image(tf.parse_single_example(record, _FIELDS)['data'], file.shape, halvings)

    return Level(
        shape=(channels, height >> halvings, width >> halvings),
        fetch=_fetch(file),
        parse=parse_encoded if file.is_encoded else parse_raw,
        num_threads=num_threads,
        in_order=lambda: tf.data.TFRecordDataset(
            file.path, compression_type='', buffer_size=buffer_mb << 20))


def _fetch(file):
    """Return a function from the number of a record (int64 tensor) to the record."""
    if file.record_bytes is not None:
        return lambda index: _record_at(file.path, index * file.record_bytes, file.record_bytes)
    offsets, lengths = tf.constant(file.offsets), tf.constant(file.lengths)
    return lambda index: _record_at(file.path, tf.gather(offsets, index), tf.gather(lengths, index))


def _record_at(path, offset, num_bytes):
    variant = tf.raw_ops.TFRecordDatasetV2(
        filenames=[path], compression_type='', buffer_size=num_bytes, byte_offsets=[offset])
    records = tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string))
    return tf.data.experimental.get_single_element(records.take(1))
