"""Test training.dataset: the images that it streams, and its errors for damaged or missing data sets."""

import inspect
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from training import dataset
from training.data import label_files, record_files, record_stream
from training.data.export import TFRecordExporter
from training.dataset import TFRecordDataset, load_dataset

NUM_IMAGES = 10
IN_ORDER = {'repeat': False, 'shuffle_mb': 0}

images = np.random.RandomState(1).randint(0, 256, [NUM_IMAGES, 3, 8, 8]).astype(np.uint8)
onehot = np.eye(4, dtype=np.float32)[np.arange(NUM_IMAGES) % 4]


def write_data_set(path, pixels=images, labels=onehot):
    with TFRecordExporter(str(path), len(pixels), print_progress=False) as exporter:
        for image in pixels:
            exporter.add_image(image)
        if labels is not None:
            exporter.add_labels(labels)
    return str(path)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return the folder of a good data set, which tests must not change."""
    return write_data_set(tmp_path_factory.mktemp('data') / 'set')


@pytest.fixture
def own_folder(tmp_path):
    """Copy the data set, so that this test can damage it."""
    return write_data_set(tmp_path / 'set')


def path_of(data_set, log2_side):
    return os.path.join(data_set, f'set-r{log2_side:02d}.tfrecords')


def rewrite(path, change):
    """Replace the content of a file by `change(content)`."""
    with open(path, 'rb') as file:
        content = file.read()
    with open(path, 'wb') as file:
        file.write(change(content))


def with_wrong_bit(content, position):
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1:]


def write_record(path, record):
    with tf.python_io.TFRecordWriter(path) as writer:
        writer.write(record)


def example(shape, data):
    return tf.train.Example(features=tf.train.Features(feature={
        'shape': tf.train.Feature(int64_list=tf.train.Int64List(value=shape)),
        'data': tf.train.Feature(bytes_list=tf.train.BytesList(value=data)),
    })).SerializeToString()


def test_arguments_and_defaults_are_the_published_ones():
    parameters = list(inspect.signature(TFRecordDataset).parameters.values())
    assert {parameter.name: parameter.default for parameter in parameters[1:]} == {
        'resolution': None, 'label_file': None, 'max_label_size': 0, 'max_images': None, 'repeat': True,
        'shuffle_mb': 4096, 'prefetch_mb': 2048, 'buffer_mb': 256, 'num_threads': 2, 'max_validation': 10000,
        'mirror_augment': False, 'shuffle': True, '_is_validation': False}
    assert parameters[0].name == 'tfrecord_dir'


def test_attributes_describe_the_largest_resolution(module_session, folder):
    data = TFRecordDataset(folder, max_label_size='full')
    assert data.tfrecord_dir == folder
    assert (data.shape, data.resolution, data.resolution_log2) == ([3, 8, 8], 8, 3)
    assert (data.dtype, data.dynamic_range) == ('uint8', [0, 255])
    assert data.label_file == os.path.join(folder, 'set-rxx.labels')
    assert (data.label_size, data.label_dtype) == (4, 'float32')
    assert data.num_images == NUM_IMAGES
    data.close()


def test_unshuffled_stream_keeps_the_order_of_records_and_ends_in_a_partial_minibatch(module_session, folder):
    data = TFRecordDataset(folder, max_label_size='full', **IN_ORDER)
    minibatches = [data.get_minibatch_np(4) for _ in range(3)]
    assert [len(minibatch[0]) for minibatch in minibatches] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([minibatch[0] for minibatch in minibatches]), images)
    np.testing.assert_array_equal(np.concatenate([minibatch[1] for minibatch in minibatches]), onehot)
    with pytest.raises(tf.errors.OutOfRangeError):
        data.get_minibatch_np(4)


def test_lod_is_rounded_down_and_picks_the_smaller_images(module_session, folder):
    data = TFRecordDataset(folder, **IN_ORDER)
    small, _ = data.get_minibatch_np(NUM_IMAGES, lod=1.7)
    exact = images.reshape(NUM_IMAGES, 3, 4, 2, 4, 2).mean(axis=(3, 5))
    np.testing.assert_array_equal(small, np.rint(exact))


def test_stream_starts_again_only_when_minibatch_size_or_lod_change(module_session, folder):
    data = TFRecordDataset(folder, **IN_ORDER)
    np.testing.assert_array_equal(data.get_minibatch_np(3)[0], images[:3])
    data.configure(3, 0.5)
    np.testing.assert_array_equal(data.get_minibatch_np(3)[0], images[3:6])
    data.configure(4)
    np.testing.assert_array_equal(data.get_minibatch_np(4)[0], images[:4])
    data.configure(4, 1)
    data.configure(4, 0)
    np.testing.assert_array_equal(data.get_minibatch_np(4)[0], images[:4])


@pytest.mark.parametrize('minibatch_size, lod', [(0, 0), (1, 2), (1, -1)])
def test_configure_refuses_what_does_not_exist(module_session, folder, minibatch_size, lod):
    with pytest.raises(AssertionError):
        TFRecordDataset(folder).configure(minibatch_size, lod)


def test_default_stream_shuffles_and_repeats_with_each_image_once_a_round(module_session, folder):
    data = TFRecordDataset(folder, max_label_size='full')
    rounds = [data.get_minibatch_np(NUM_IMAGES) for _ in range(4)]
    expected = {image.tobytes(): tuple(label) for image, label in zip(images, onehot, strict=True)}
    for some, labels in rounds:
        assert {image.tobytes(): tuple(label) for image, label in zip(some, labels, strict=True)} == expected
    assert any(not np.array_equal(some, images) for some, _ in rounds)


def test_minibatch_tensors_follow_the_configuration(module_session, folder):
    data = TFRecordDataset(folder, max_label_size='full', **IN_ORDER)
    tensors = data.get_minibatch_tf()
    assert [tensor.shape.as_list() for tensor in tensors] == [[None, 3, None, None], [None, 4]]
    data.configure(2)
    values = tflib.run(tensors)
    np.testing.assert_array_equal(values[0], images[:2])
    np.testing.assert_array_equal(values[1], onehot[:2])


def test_smaller_resolution_hides_the_larger_files(module_session, folder):
    data = TFRecordDataset(folder, resolution=4, **IN_ORDER)
    assert (data.shape, data.resolution_log2) == ([3, 4, 4], 2)
    assert data.get_minibatch_np(2)[0].shape == (2, 3, 4, 4)


def test_max_images_cuts_images_and_labels(module_session, folder):
    data = TFRecordDataset(folder, max_label_size='full', max_images=3, **IN_ORDER)
    some, labels = data.get_minibatch_np(8)
    np.testing.assert_array_equal(some, images[:3])
    np.testing.assert_array_equal(labels, onehot[:3])
    assert data.num_images == 3
    assert not data.get_random_labels_np(50)[:, 3].any()


def test_read_once_yields_every_image_with_its_label(module_session, folder):
    data = TFRecordDataset(folder, max_label_size='full', **IN_ORDER)
    pairs = list(dataset.read_once(data, minibatch_size=4))
    np.testing.assert_array_equal([image for image, _ in pairs], images)
    np.testing.assert_array_equal([label for _, label in pairs], onehot)


def test_max_label_size_keeps_the_first_components(module_session, folder):
    data = TFRecordDataset(folder, max_label_size=3, **IN_ORDER)
    assert data.label_size == 3
    np.testing.assert_array_equal(data.get_minibatch_np(8)[1], onehot[:8, :3])


def test_label_file_may_be_named_relative_to_the_data_set(module_session, own_folder):
    np.save(os.path.join(own_folder, 'other.npy'), np.arange(NUM_IMAGES, dtype=np.int64)[:, np.newaxis])
    data = TFRecordDataset(own_folder, label_file='other.npy', max_label_size='full', **IN_ORDER)
    assert (data.label_file, data.label_dtype) == (os.path.join(own_folder, 'other.npy'), 'int64')
    np.testing.assert_array_equal(data.get_minibatch_np(4)[1], [[0], [1], [2], [3]])


def test_images_without_labels_have_labels_of_no_width(module_session, folder):
    data = TFRecordDataset(folder, **IN_ORDER)
    assert (data.label_size, data.label_dtype) == (0, 'float32')
    assert data.get_minibatch_np(NUM_IMAGES)[1].shape == (NUM_IMAGES, 0)
    assert data.get_random_labels_np(5).shape == (5, 0)
    assert tflib.run(data.get_random_labels_tf(tf.constant(5))).shape == (5, 0)


def test_random_labels_are_rows_of_the_label_file(module_session, folder):
    data = TFRecordDataset(folder, max_label_size='full')
    for labels in (data.get_random_labels_np(200), tflib.run(data.get_random_labels_tf(200))):
        assert (labels.shape, labels.dtype) == ((200, 4), np.float32)
        np.testing.assert_array_equal(labels.sum(axis=1), 1)
        assert labels.any(axis=0).all()


def test_random_labels_are_drawn_from_the_one_source_of_random_tensors(module_session, folder):
    requests = []

    def uniform(shape, **kwargs):
        requests.append((shape, kwargs))
        return tf.constant([1, 0, 6], tf.int32)

    data = TFRecordDataset(folder, max_label_size='full')
    with tflib.random.replaced(uniform=uniform):
        labels = tflib.run(data.get_random_labels_tf(3))
    np.testing.assert_array_equal(labels, onehot[[1, 0, 6]])
    assert requests == [([3], {'minval': 0, 'maxval': NUM_IMAGES, 'dtype': tf.int32})]


def test_labels_are_no_constant_of_the_graph(session, folder, monkeypatch):
    many = np.random.RandomState(2).rand(NUM_IMAGES, 100000).astype(np.float32)
    monkeypatch.setattr(label_files, 'load', lambda *args: many)
    TFRecordDataset(folder, max_label_size='full')
    assert session.graph.as_graph_def().ByteSize() < 100000


@pytest.mark.parametrize('megabytes, shuffled, prefetched', [
    (1, 1366, 1366),      # 2^20 bytes / 768, rounded up
    (100, 30000, 4096)])  # the whole file; the limit
def test_buffers_end_with_the_file_or_at_a_limit(session, monkeypatch, megabytes, shuffled, prefetched):
    sizes = []
    shuffle, prefetch = record_stream._shuffled, tf.data.Dataset.prefetch

    def shuffle_spy(count, window, *args):
        sizes.append(window)
        return shuffle(count, window, *args)

    def prefetch_spy(stream, size):
        sizes.append(size)
        return prefetch(stream, size)

    monkeypatch.setattr(record_stream, '_shuffled', shuffle_spy)
    monkeypatch.setattr(tf.data.Dataset, 'prefetch', prefetch_spy)
    level = record_stream.Level((3, 16, 16), fetch=tf.as_string, parse=lambda stored: stored, num_threads=2)
    record_stream.image_label_stream(
        level, None, num_images=30000, seed=1, first_pass=tf.constant(0, tf.int64),
        skip=tf.constant(0, tf.int64), repeat=True, shuffle_mb=megabytes, prefetch_mb=megabytes)
    assert sizes == [shuffled, prefetched]
    assert all(type(size) is int for size in sizes)


@pytest.mark.parametrize('kwargs', [{}, dict(shuffle_mb=0), dict(max_images=17)])
def test_a_stream_continues_where_another_one_was(session, folder, kwargs):
    tf.set_random_seed(7)
    args = dict(max_label_size='full', **kwargs)
    first, second = (TFRecordDataset(folder, **args) for _ in range(2))
    for _ in range(11):
        first.get_minibatch_np(4)
    position = first.position()
    second.restore(json.loads(json.dumps(position)))
    for _ in range(12):
        for a, b in zip(first.get_minibatch_np(4), second.get_minibatch_np(4), strict=True):
            np.testing.assert_array_equal(a, b)
    assert first.position() == second.position()
    assert (position['minibatch_size'], position['lod']) == (4, 0)
    assert position['pass'] * first.num_images + position['skip'] == 44


def test_every_pass_has_all_images_in_an_order_of_its_own(session, folder):
    data = TFRecordDataset(folder)
    passes = [[image.tobytes() for image in data.get_minibatch_np(NUM_IMAGES)[0]] for _ in range(3)]
    assert all(sorted(images) == sorted(passes[0]) and len(set(images)) == NUM_IMAGES for images in passes)
    assert len({tuple(images) for images in passes}) == 3


def test_another_level_of_detail_begins_another_pass(session, folder):
    data = TFRecordDataset(folder)
    data.get_minibatch_np(3)
    data.get_minibatch_np(3, lod=1)
    position = {'pass': 1, 'skip': 3, 'minibatch_size': 3, 'lod': 1, 'num_images': NUM_IMAGES}
    assert data.position() == position
    with pytest.raises(UserError, match='holds 10 images, but the training state is of a data set of 11'):
        data.restore({**position, 'num_images': 11})


def test_records_of_several_lengths_are_found(tmp_path):
    path = tmp_path / 'some.tfrecords'
    with tf.python_io.TFRecordWriter(str(path)) as writer:
        for size in (3, 0, 50):
            writer.write(bytes(size))
    offsets, lengths = record_files.walk(path)
    assert (offsets.tolist(), lengths.tolist()) == ([0, 19, 35], [19, 16, 66])


def test_records_parse_alike_in_numpy_and_tensorflow(module_session, folder):
    record = next(tf.python_io.tf_record_iterator(path_of(folder, 3)))
    np.testing.assert_array_equal(TFRecordDataset.parse_tfrecord_np(record), images[0])
    parsed = tflib.run(TFRecordDataset.parse_tfrecord_tf(tf.constant(record)))
    np.testing.assert_array_equal(parsed, images[0])


def test_load_dataset_joins_the_folders_and_says_what_it_streams(module_session, folder, capsys):
    data_dir, name = os.path.split(folder)
    data = load_dataset(data_dir=data_dir, verbose=True, tfrecord_dir=name, max_label_size='full')
    assert type(data) is TFRecordDataset
    assert data.tfrecord_dir == folder
    assert capsys.readouterr().out == (
        'Streaming data using training.dataset.TFRecordDataset...\n'
        'Dataset shape = [3, 8, 8]\nDynamic range = [0, 255]\nLabel size    = 4\n')


class PublishedMethodsOnly:
    """A data set class that was written for the published code."""

    def __init__(self, size):
        self.size = size
        self.var = tf.Variable(0)

    def get_minibatch_np(self, minibatch_size, lod=0):
        return 'own'


def test_a_class_of_the_published_methods_gets_the_others_of_the_base_class(session):
    data = load_dataset(class_name=f'{__name__}.PublishedMethodsOnly', size=3)
    data.advance(1)
    data.restore(data.position())
    assert not data.take_share(0, 1, 2)
    error = tf.errors.DataLossError(None, None, 'elsewhere')
    assert data.describe_error(error) is error


def test_load_dataset_constructs_other_classes_by_name(session, capsys):
    data = load_dataset(class_name=f'{__name__}.PublishedMethodsOnly', size=3)
    assert (data.size, data.get_minibatch_np(1), data.variables) == (3, 'own', [data.var])
    assert capsys.readouterr().out == ''
    with pytest.raises(AssertionError):
        load_dataset(size=3)


def refused(folder, match, **kwargs):
    """Check that the data set is refused with a one-line error, before TensorFlow reads anything."""
    with pytest.raises(UserError, match=match) as info:
        TFRecordDataset(folder, **kwargs)
    assert '\n' not in str(info.value)


def test_missing_and_empty_folders_are_refused(tmp_path):
    refused(str(tmp_path / 'none'), 'none: the data set does not exist; create it with dataset_tool.py')
    refused(str(tmp_path), 'there are no .*tfrecords files')


def test_resolutions_that_are_not_there_are_refused(own_folder):
    for resolution in (16, 6, 2):
        refused(own_folder, f'resolution {resolution} is not available, only 4, 8$', resolution=resolution)
    os.remove(path_of(own_folder, 2))
    refused(own_folder, 'resolution 4 is missing; found 8, expected all from 4 to 8')


def test_two_data_sets_in_one_folder_are_refused(own_folder):
    shutil.copyfile(path_of(own_folder, 3), os.path.join(own_folder, 'b.tfrecords'))
    refused(own_folder, 'two files have resolution 8: .*b.tfrecords and .*set-r03.tfrecords')


def test_files_that_do_not_belong_together_are_refused(own_folder, tmp_path):
    grey = write_data_set(tmp_path / 'grey' / 'set', images[:, :1])
    os.replace(path_of(grey, 2), path_of(own_folder, 2))
    refused(own_folder, 'set-r02.tfrecords: images have 1 channels, but .*set-r03.tfrecords has 3')


def test_a_file_cut_off_between_two_records_is_refused(own_folder):
    rewrite(path_of(own_folder, 3), lambda content: content[:len(content) // NUM_IMAGES * 7])
    refused(own_folder, 'set-r02.tfrecords: holds 10 images, but .*set-r03.tfrecords holds 7')


@pytest.mark.parametrize('record, match', [
    (b'hello', 'set-r03.tfrecords: record 0 is damaged .*not a tf.train.Example'),
    (example([3, 8, 8], []), r'record 0 is damaged .*shape \[3, 8, 8\], 0 bytes'),
    (example([3, 8, 8], [b'123']), r'record 0 is damaged .*shape \[3, 8, 8\], 3 bytes'),
    (example([8, 8], [bytes(64)]), 'record 0 is damaged'),
    (example([-1, -8, 8], [bytes(64)]), 'record 0 is damaged'),
    (example([1, 2, 4], [bytes(8)]), 'set-r03.tfrecords: 4x2 is not a size to train on; .*such as 4x3'),
    (example([1, 46, 46], [bytes(46 * 46)]), '46x46 is not a size to train on; .*such as 32x32')],
    ids=['text', 'no data', 'short data', 'two sides', 'negative sides', 'too small', 'no common base'])
def test_files_whose_first_record_is_no_image_are_refused(own_folder, record, match):
    write_record(path_of(own_folder, 3), record)
    refused(own_folder, match)


def test_empty_and_torn_files_are_refused(own_folder):
    rewrite(path_of(own_folder, 3), lambda content: content[:100])
    refused(own_folder, 'set-r03.tfrecords: record 0 is damaged or cut off')
    rewrite(path_of(own_folder, 3), lambda content: b'')
    refused(own_folder, 'set-r03.tfrecords: the file is empty')


def test_labels_that_do_not_fit_are_refused(own_folder):
    label_path = os.path.join(own_folder, 'set-rxx.labels')
    for labels, match in [
            (onehot[:9], 'set-rxx.labels: holds 9 labels, but .*set-r03.tfrecords holds 10 images'),
            (onehot[:, 0], r'labels are float32 of shape \[10\]; expected'),
            (np.array([['a']] * NUM_IMAGES), 'labels are <U1'),
            (np.full([NUM_IMAGES, 2], np.nan), 'set-rxx.labels: labels are not finite numbers'),
            (np.array([[None]] * NUM_IMAGES), 'not a readable label file')]:
        with open(label_path, 'wb') as file:
            np.save(file, labels)
        refused(own_folder, match, max_label_size='full')
    header = dict(descr='<f4', fortran_order=False, shape=(NUM_IMAGES, 1 << 50))
    with open(label_path, 'wb') as file:
        np.lib.format.write_array_header_1_0(file, header)
    refused(own_folder, 'set-rxx.labels: not a readable label file', max_label_size='full')
    rewrite(label_path, lambda content: content[:40])
    refused(own_folder, 'set-rxx.labels: not a readable label file', max_label_size='full')
    refused(own_folder, 'none.npy: no such label file', label_file='none.npy')


@pytest.mark.parametrize('kwargs', [{'max_label_size': -1}, {'max_label_size': 'all'}, {'max_images': 0}])
def test_senseless_sizes_are_refused(folder, kwargs):
    refused(folder, f'{next(iter(kwargs))} must be', **kwargs)


@pytest.mark.parametrize('log2_side, extra_bytes', [(2, 20), (3, 1), (3, 11), (3, 12), (3, 20), (3, 200)])
def test_a_torn_file_is_refused_at_once_whatever_its_resolution(own_folder, log2_side, extra_bytes):
    rewrite(path_of(own_folder, log2_side), lambda content: content[:len(content) // 2 + extra_bytes])
    refused(own_folder, f'set-r0{log2_side}.tfrecords: record 5 is damaged or cut off; copy the file')


def test_a_record_of_another_shape_is_refused_at_once(own_folder):
    with tf.python_io.TFRecordWriter(path_of(own_folder, 3)) as writer:
        writer.write(example(images[0].shape, [images[0].tobytes()]))
        writer.write(example([3, 4, 4], [bytes(48)]))
    refused(own_folder, 'set-r03.tfrecords: record 1 is damaged or cut off')


def test_records_of_several_lengths_are_counted(module_session, own_folder):
    remark = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b'remark']))
    with tf.python_io.TFRecordWriter(path_of(own_folder, 3)) as writer:
        for i, image in enumerate(images):
            record = tf.train.Example.FromString(example(image.shape, [image.tobytes()]))
            if i == 4:
                record.features.feature['remark'].CopyFrom(remark)
            writer.write(record.SerializeToString())
    data = TFRecordDataset(own_folder, **IN_ORDER)
    assert data.num_images == NUM_IMAGES
    np.testing.assert_array_equal(data.get_minibatch_np(NUM_IMAGES)[0], images)


def test_a_damaged_record_is_named_when_it_is_read(module_session, own_folder):
    rewrite(path_of(own_folder, 3), lambda content: with_wrong_bit(content, len(content) // 2 + 20))
    data = TFRecordDataset(own_folder, **IN_ORDER)
    np.testing.assert_array_equal(data.get_minibatch_np(5)[0], images[:5])
    with pytest.raises(UserError, match='set-r03.tfrecords: record 5 is damaged or cut off'):
        data.get_minibatch_np(5)


def test_damage_is_named_for_those_who_run_the_stream_themselves(module_session, own_folder):
    rewrite(path_of(own_folder, 2), lambda content: with_wrong_bit(content, 400))
    data = TFRecordDataset(own_folder)
    data.configure(NUM_IMAGES, lod=1)
    with pytest.raises(tf.errors.DataLossError) as info:
        tflib.run(tf.cast(data.get_minibatch_tf()[0], tf.float32))
    named = data.describe_error(info.value)
    assert type(named) is UserError
    assert str(named).startswith(f'{path_of(own_folder, 2)}: record 4 is damaged')


def test_errors_that_are_not_the_data_sets_fault_stay_as_they_are(module_session, folder):
    data = TFRecordDataset(folder)
    data.configure(1)
    for error in (tf.errors.InvalidArgumentError(None, None, 'loss is NaN'),
                  tf.errors.DataLossError(None, None, 'elsewhere')):
        assert data.describe_error(error) is error
