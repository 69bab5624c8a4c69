"""Test records of images that are packed, unpacked and checked without TensorFlow."""

import io

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

from dnnlib.util import UserError
from tests.dataset_files import random_pixels
from training.data import crc32c, record_files, records


def png(image):
    """Return the PNG file of an image [H,W,3]."""
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, format='png')
    return file.getvalue()


@pytest.mark.parametrize('size', [0, 1, 16, 127, 128, 20000])
@pytest.mark.parametrize('encoding', [None, 'png'])
def test_records_are_the_bytes_of_tensorflow(size, encoding):
    """TensorFlow's order of features differs from process to process; ours is the published one."""
    shape, data = [3, 127, 16384], random_pixels(size).tobytes()
    record = records.packed(shape, data, encoding)
    assert records.packed(shape, memoryview(data), encoding) == record
    features = tf.train.Example.FromString(record).features.feature
    assert list(features['shape'].int64_list.value) == shape
    assert list(features['data'].bytes_list.value) == [data]
    assert list(features['encoding'].bytes_list.value) == ([] if encoding is None else [b'png'])
    assert len(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()) == len(
        record) + (encoding is None) * len(b'\n\x0c\n\x08encoding\x12\0')  # of an access above
    assert record.index(b'shape') < record.index(b'data')


def test_the_checksum_is_the_one_of_the_standard():
    assert crc32c.checksum(b'123456789') == 0xE3069283
    assert crc32c.checksum(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c.checksum(b'\xff' * 32) == 0x62A8AB43


@pytest.mark.parametrize('sizes', [[8], [1023, 1024, 1025, 5000]])
def test_records_of_tensorflow_are_read(tmp_path, sizes):
    path = str(tmp_path / 'x.tfrecords')
    written = [random_pixels(size).tobytes() for size in sizes]
    with tf.python_io.TFRecordWriter(path) as writer:
        for record in written:
            writer.write(record)
    with open(path, 'rb') as file:
        offset = 0
        for record in written:
            assert records.read(file, offset) == record
            offset += len(record) + records.FRAME_BYTES
        assert records.read(file, offset) is None


@pytest.mark.parametrize('position', [0, 7, 8, 12, 500, -1])
def test_a_changed_byte_is_found(tmp_path, position):
    path = tmp_path / 'x.tfrecords'
    with tf.python_io.TFRecordWriter(str(path)) as writer:
        writer.write(bytes(1000))
    content = bytearray(path.read_bytes())
    content[position] ^= 4
    path.write_bytes(content)
    with open(path, 'rb') as file:
        assert records.read(file, 0) is None


@pytest.mark.parametrize('record, reason', [
    (b'\xff', 'not a tf.train.Example'),
    (b'', r'not an image: shape \[\], 0 bytes'),
    (records.packed([1, 4, 4], bytes(15)), r'not an image: shape \[1, 4, 4\], 15 bytes'),
    (records.packed([4, 4], bytes(16)), r'not an image: shape \[4, 4\]'),
    (records.packed([1, 4, 4], bytes(16), 'webp'), "the encoding 'webp' is unknown; expected png or jpeg"),
    (records.packed([3, 4, 4], b'junk', 'png'), 'the image cannot be decoded'),
    (records.packed([3, 8, 4], png(random_pixels(4, 4, 3)), 'png'), r'has shape \[3, 4, 4\] instead of'),
    (records.packed([3, 4, 4], png(random_pixels(4, 4, 4)), 'png'), 'has mode RGBA; expected L or RGB')])
def test_records_that_are_not_images_are_refused(tmp_path, record, reason):
    with pytest.raises(ValueError, match=reason):
        records.pixels(records.unpacked(record))
    path = str(tmp_path / 'x.tfrecords')
    with tf.python_io.TFRecordWriter(path) as writer:
        writer.write(record)
    shown = f' .*{reason}' if len(record) >= 4 else ';'
    with pytest.raises(UserError, match=f'x.tfrecords: record 0 is damaged or cut off{shown}'):
        record_files.inspect(path)


def test_png_records_hold_the_pixels():
    image = random_pixels(8, 4, 3)
    record = records.unpacked(records.packed([3, 8, 4], png(image), 'png'))
    np.testing.assert_array_equal(records.pixels(record), image.transpose(2, 0, 1))
