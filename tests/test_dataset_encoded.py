"""Test data sets of PNG and JPEG records, and of images that are not square."""

import json
import os
import time

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from tests import image_sets
from training import dataset
from training.data import encoding, record_files, records
from training.data.decoding import decode_image
from training.dataset import TFRecordDataset, load_dataset

NUM_IMAGES = 6
IN_ORDER = {'repeat': False, 'shuffle_mb': 0}


def decoded(images, store):
    """Return images as they are after storing them."""
    parts = [encoding.encoded(image, store) for image in images]
    return np.stack([records.decoded(part[0][1]) for part in parts])


def levels(images, lod):
    """Return images at a lod, as the exporter writes it."""
    return np.stack([list(encoding.levels(image))[lod] for image in images])


@pytest.mark.parametrize('store', ['raw', 'png', 'jpeg'])
@pytest.mark.parametrize('channels, height, width, base, resolution', [
    (3, 32, 32, [4, 4], 32), (1, 24, 16, [6, 4], 16), (3, 20, 12, [5, 3], 16)])
def test_every_store_gives_the_images_of_every_level(
        module_session, tmp_path, store, channels, height, width, base, resolution):
    images = image_sets.pixels(NUM_IMAGES, channels, height, width)
    data = load_dataset(tfrecord_dir=image_sets.write_records(tmp_path / 'set', images, store), **IN_ORDER)
    assert type(data) is TFRecordDataset
    assert (data.shape, data.base_shape, data.resolution) == ([channels, height, width], base, resolution)
    assert 1 << data.resolution_log2 == resolution
    shown = images if store == 'raw' else decoded(images, store)
    for lod in range(data.resolution_log2 - 1):
        np.testing.assert_array_equal(data.get_minibatch_np(NUM_IMAGES, lod)[0], levels(shown, lod))


@pytest.mark.parametrize('side, halvings', [(64, 4), (1024, 8), (2048, 9)])
def test_smaller_images_are_made_with_exactly_the_values_of_the_exporter(module_session, side, halvings):
    image = image_sets.pixels(1, 1, side, side, seed=side)[0]
    content, = [data for _, data in encoding.encoded(image, 'png')]
    for wanted in (1, halvings):
        found = tflib.run(decode_image(tf.constant(content), image.shape, wanted))
        np.testing.assert_array_equal(found, list(encoding.levels(image))[wanted])


@pytest.mark.parametrize('store', ['raw', 'png'])
def test_a_smaller_resolution_is_that_of_the_smaller_images(module_session, tmp_path, store):
    images = image_sets.pixels(NUM_IMAGES, 3, 24, 16)
    path = image_sets.write_records(tmp_path / 'set', images, store)
    data = TFRecordDataset(path, resolution=8, **IN_ORDER)
    assert (data.shape, data.resolution, data.base_shape) == ([3, 12, 8], 8, [6, 4])
    for lod in (0, 1):
        np.testing.assert_array_equal(data.get_minibatch_np(NUM_IMAGES, lod)[0], levels(images, lod + 1))
    assert dataset.shapes_in(path, resolution=8) == ([3, 12, 8], [0])
    assert (dataset.shapes_in(path), dataset.num_images_in(path)) == (([3, 24, 16], [0]), NUM_IMAGES)
    with pytest.raises(UserError, match='set: resolution 32 is not available, only 4, 8, 16$'):
        TFRecordDataset(path, resolution=32)


def test_all_stores_have_the_same_order_labels_and_positions(session, tmp_path):
    tf.set_random_seed(7)
    images, labels = image_sets.pixels(NUM_IMAGES), np.eye(NUM_IMAGES, dtype=np.float32)
    paths = [image_sets.write_records(tmp_path / store / 'set', images, store, labels)
             for store in ('raw', 'png')]
    raw, png = [TFRecordDataset(path, max_label_size='full', prefetch_mb=0) for path in paths]
    for _ in range(5):
        for a, b in zip(raw.get_minibatch_np(4), png.get_minibatch_np(4), strict=True):
            np.testing.assert_array_equal(a, b)
    png.restore(json.loads(json.dumps(raw.position())))
    assert np.array_equal(raw.get_minibatch_np(4)[0], png.get_minibatch_np(4)[0])
    assert raw.position() == png.position()


def test_records_of_every_store_parse_alike_in_numpy_and_tensorflow(module_session, tmp_path):
    image = image_sets.pixels(1, 3, 12, 8)
    record_in = tf.placeholder(tf.string, [])
    parsed = TFRecordDataset.parse_tfrecord_tf(record_in)
    for store in encoding.STORES:
        [record] = [image_sets._example(*part, store) for part in encoding.encoded(image[0], store)[:1]]
        expected = image[0] if store == 'raw' else decoded(image, store)[0]
        np.testing.assert_array_equal(TFRecordDataset.parse_tfrecord_np(record), expected)
        np.testing.assert_array_equal(tflib.run(parsed, {record_in: record}), expected)


def test_encoded_records_are_read_by_all_cores_whatever_the_default_for_raw_ones(
        module_session, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, 'num_cores', lambda: 5)
    images = image_sets.pixels(2)
    threads = {store: TFRecordDataset(image_sets.write_records(tmp_path / store / 'set', images, store))
               ._levels[0].num_threads for store in ('raw', 'png')}
    assert threads == {'raw': 2, 'png': 5}


def refused(path, match, **kwargs):
    with pytest.raises(UserError, match=match) as info:
        TFRecordDataset(path, **kwargs)
    assert '\n' not in str(info.value)


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    images = image_sets.pixels(2, 3, 16, 16)
    path = image_sets.write_records(tmp_path / 'set', images, 'png')
    other = image_sets.write_records(tmp_path / 'other', images[:, :, :8, :8], 'raw')
    os.rename(f'{other}/other-r03.tfrecords', f'{path}/other-r03.tfrecords')
    refused(path, 'set-r04.tfrecords: holds encoded images, .* also .*other-r03.tfrecords; keep one data set')
    raw = image_sets.write_records(tmp_path / 'raw', images, 'raw')
    tall = image_sets.write_records(tmp_path / 'tall', image_sets.pixels(2, 3, 12, 8), 'raw')
    os.rename(f'{tall}/tall-r03.tfrecords', f'{raw}/raw-r03.tfrecords')
    refused(raw, 'raw-r03.tfrecords: images are 8x12; expected raw ones of 8x8, as in .*raw-r04.tfrecords')


@pytest.mark.parametrize('change, match', [
    (dict(store='webp'), "record 0 is damaged .*the encoding 'webp' is unknown; expected png or jpeg"),
    (dict(data=b'\x89PNG'), 'record 0 is damaged .*the image cannot be decoded'),
    (dict(shape=[3, 4, 4]), r'record 0 is damaged .*the image has shape \[3, 8, 8\] instead of')])
def test_a_first_record_that_is_no_image_is_refused(tmp_path, change, match):
    [(shape, data)] = encoding.encoded(image_sets.pixels(1)[0], 'png')
    (tmp_path / 'set').mkdir()
    with tf.python_io.TFRecordWriter(str(tmp_path / 'set' / 'set-r03.tfrecords')) as writer:
        writer.write(image_sets._example(**{'shape': shape, 'data': data, 'store': 'png', **change}))
    refused(str(tmp_path / 'set'), match)


@pytest.mark.parametrize('cut', [1, 12, 100])
def test_a_file_that_is_cut_off_is_refused_at_once(tmp_path, cut):
    path = tmp_path / 'set' / 'set-r03.tfrecords'
    image_sets.write_records(tmp_path / 'set', image_sets.pixels(NUM_IMAGES), 'png')
    path.write_bytes(path.read_bytes()[:-cut])
    refused(str(tmp_path / 'set'), f'record {NUM_IMAGES - 1} is damaged or cut off; copy the file again')


@pytest.mark.parametrize('kwargs', [IN_ORDER, {'prefetch_mb': 0}])
def test_a_damaged_record_is_named_when_it_is_read(module_session, tmp_path, kwargs):
    images = image_sets.pixels(NUM_IMAGES)
    path = tmp_path / 'set' / 'set-r03.tfrecords'
    image_sets.write_records(tmp_path / 'set', images, 'png')
    content = bytearray(path.read_bytes())
    content[record_files.walk(str(path))[0][4] + 100] ^= 1
    path.write_bytes(content)
    data = TFRecordDataset(str(tmp_path / 'set'), **kwargs)
    with pytest.raises(UserError, match='set-r03.tfrecords: record 4 is damaged or cut off'):
        for _ in range(NUM_IMAGES):
            data.get_minibatch_np(1)


def test_a_record_of_another_size_is_named_when_it_is_read(module_session, tmp_path):
    path = tmp_path / 'set' / 'set-r03.tfrecords'
    image_sets.write_records(tmp_path / 'set', image_sets.pixels(1), 'png')
    [other] = encoding.encoded(image_sets.pixels(1, 3, 8, 16)[0], 'png')
    options = tf.python_io.TFRecordOptions(tf.python_io.TFRecordCompressionType.NONE)
    first = next(tf.python_io.tf_record_iterator(str(path)))
    with tf.python_io.TFRecordWriter(str(path), options) as writer:
        writer.write(first)
        writer.write(image_sets._example(*other, 'png'))
    with pytest.raises(UserError, match='set-r03.tfrecords: record 1 is damaged'):
        TFRecordDataset(str(tmp_path / 'set'), **IN_ORDER).get_minibatch_np(2)


def test_seventy_thousand_records_are_found_in_less_than_a_second(tmp_path):
    path = tmp_path / 'many.tfrecords'
    frame = (10).to_bytes(8, 'little') + bytes(18)
    other = (11).to_bytes(8, 'little') + bytes(19)
    path.write_bytes((frame + other) * 35000)
    start = time.process_time()
    offsets, lengths = record_files.walk(str(path))
    assert time.process_time() - start < 1
    assert (len(offsets), offsets[-1], sorted(set(lengths))) == (70000, path.stat().st_size - 27, [26, 27])
