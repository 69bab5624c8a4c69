"""Test validation sets, mirroring and StyleGAN2-ADA's form of load_dataset."""

import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from tests import image_sets
from training import dataset
from training.data import summary
from training.data.export import TFRecordExporter
from training.dataset import ImageDataset, TFRecordDataset, load_dataset

NUM_TRAINING, NUM_VALIDATION = 7, 70  # more than a minibatch of the reader

rnd = np.random.RandomState(5)
images = rnd.randint(0, 256, [NUM_TRAINING + NUM_VALIDATION, 3, 16, 16]).astype(np.uint8)
labels = rnd.randn(NUM_TRAINING + NUM_VALIDATION, 3).astype(np.float32)
TRAINING, VALIDATION = slice(NUM_TRAINING), slice(NUM_TRAINING, None)


def write_set(folder, part, prefix='set', store='raw', pixels=images, values=labels):
    """Write a part of the images beside what is in a folder, as programs do that know of no work folders."""
    apart = folder / 'apart' / prefix
    with TFRecordExporter(str(apart), 0, print_progress=False, store=store) as exporter:
        for image in pixels[part]:
            exporter.add_image(image)
        if values is not None:
            exporter.add_labels(values[part])
    for name in os.listdir(apart):
        shutil.move(apart / name, folder / name)
    shutil.rmtree(folder / 'apart')


def written(folder, store='raw', **validation):
    folder.mkdir()
    write_set(folder, TRAINING, store=store)
    write_set(folder, VALIDATION, 'validation-set', store=store, **validation)
    return str(folder)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return the folder of a training set and a validation set."""
    return written(tmp_path_factory.mktemp('data') / 'set')


def halved(pixels):
    n, c, h, w = pixels.shape
    return np.rint(pixels.reshape(n, c, h // 2, 2, w // 2, 2).mean(axis=(3, 5)))


def test_validation_files_are_not_part_of_the_training_set(module_session, folder):
    data = TFRecordDataset(folder, max_label_size='full', repeat=False, shuffle=False)
    assert data.num_images == NUM_TRAINING
    assert data.label_file == os.path.join(folder, 'set-rxx.labels')
    pixels, values = data.get_minibatch_np(100)
    np.testing.assert_array_equal(pixels, images[TRAINING])
    np.testing.assert_array_equal(values, labels[TRAINING])
    assert dataset.num_images_in(folder) == NUM_TRAINING


@pytest.mark.parametrize('store', ['raw', 'png'])
def test_validation_set_is_read_whole_and_in_order(module_session, tmp_path, store):
    data = TFRecordDataset(written(tmp_path / 'set', store), max_label_size='full')
    variables = tf.global_variables()
    pixels, values = data.load_validation_set_np()
    assert data.has_validation_set and (pixels.dtype, values.dtype) == (np.uint8, np.float32)
    np.testing.assert_array_equal(pixels, images[VALIDATION])
    np.testing.assert_array_equal(values, labels[VALIDATION])
    assert tf.global_variables() == variables  # nothing that a training state would contain


@pytest.mark.parametrize('store', ['raw', 'png'])
def test_validation_set_has_the_resolution_labels_and_limit_of_the_training_set(
        module_session, tmp_path, store):
    data = TFRecordDataset(written(tmp_path / 'set', store), resolution=8, max_label_size=2, max_validation=5,
                           mirror_augment=True)
    pixels, values = data.load_validation_set_np()
    np.testing.assert_array_equal(pixels, halved(images[VALIDATION][:5]))
    np.testing.assert_array_equal(values, labels[VALIDATION][:5, :2])


def test_without_validation_set_the_arrays_are_empty(module_session, folder, tmp_path):
    alone = tmp_path / 'set'
    alone.mkdir()
    write_set(alone, TRAINING)
    for data in (TFRecordDataset(str(alone)), TFRecordDataset(folder, max_validation=0),
                 dataset.SyntheticDataset(resolution=16)):
        pixels, values = data.load_validation_set_np()
        assert not data.has_validation_set
        assert (pixels.shape, pixels.dtype) == ((0, 3, 16, 16), np.uint8)
        assert (values.shape, values.dtype) == ((0, 0), np.float32)


class PublishedMethodsOnly:
    """A data set of a user."""

    shape, dtype, dynamic_range, label_size, label_dtype = [1, 8, 8], 'float32', [0, 1], 2, 'float32'


def test_data_sets_of_users_have_no_validation_set(module_session):
    data = load_dataset(class_name=f'{__name__}.PublishedMethodsOnly')
    pixels, values = data.load_validation_set_np()
    assert not data.has_validation_set
    assert (pixels.shape, values.shape) == ((0, 1, 8, 8), (0, 2))


def test_validation_set_of_images_is_the_folder_or_zip_file_beside_them(module_session, tmp_path):
    for name, part in (('faces', TRAINING), ('validation-faces', VALIDATION)):
        image_sets.write_folder(tmp_path / name, images[part], labels[part].tolist())
        image_sets.zipped(tmp_path / name, tmp_path / f'{name}.zip')
    for path in (tmp_path / 'faces', tmp_path / 'faces.zip'):
        data = ImageDataset(str(path), resolution=8, max_label_size=1)
        assert data.has_validation_set and data.num_images == NUM_TRAINING
        pixels, values = data.load_validation_set_np()
        np.testing.assert_array_equal(pixels, halved(images[VALIDATION]))
        np.testing.assert_array_equal(values, labels[VALIDATION, :1])
        found = summary.of(str(path))
        assert (found.num_images, found.num_validation) == (NUM_TRAINING, NUM_VALIDATION)
    assert not ImageDataset(str(tmp_path / 'validation-faces')).has_validation_set
    assert not ImageDataset(str(tmp_path / 'faces'), max_validation=0).has_validation_set


def test_summary_says_what_is_in_a_data_set(folder):
    found = summary.of(folder)
    assert found == summary.Summary([3, 16, 16], 3, NUM_TRAINING, NUM_VALIDATION)
    assert found.resolution == 16 and found.has_validation_set
    small = summary.of(folder, resolution=8, max_label_size=0)
    assert (small.shape, small.resolution, small.label_size) == ([3, 8, 8], 8, 0)


def open_and_load(folder):
    TFRecordDataset(folder, max_label_size='full').load_validation_set_np()


@pytest.mark.parametrize('use', [summary.of, open_and_load])
@pytest.mark.parametrize(('validation', 'message'), [
    (dict(values=None), r'validation-\*: the labels of the validation set have 0 components; expected 3'),
    (dict(values=labels[:, :2]), 'have 2 components; expected 3'),
    (dict(pixels=images[:, :1]), r'have shape \[1, 16, 16\]; expected \[3, 16, 16\]'),
    (dict(pixels=images[:, :, :8, :8]), 'resolution 16 is not available, only 4, 8'),
])
def test_a_validation_set_that_does_not_fit_is_named(module_session, tmp_path, use, validation, message):
    with pytest.raises(UserError, match=message):
        use(written(tmp_path / 'set', **validation))


@pytest.mark.parametrize('use', [summary.of, open_and_load])
def test_a_damaged_validation_set_is_named(module_session, tmp_path, use):
    folder = written(tmp_path / 'set')
    os.truncate(os.path.join(folder, 'validation-set-r04.tfrecords'), 1000)
    with pytest.raises(UserError, match='validation-set-r04.tfrecords: record 1 is damaged or cut off'):
        use(folder)


def test_a_folder_with_only_a_validation_set_is_refused(tmp_path):
    write_set(tmp_path, VALIDATION, 'validation-set')
    with pytest.raises(UserError, match='holds only a validation set'):
        summary.of(str(tmp_path))


def all_in_one(folder, kind):
    """Write all images as a data set without validation set. -> path."""
    if kind == 'images':
        return image_sets.write_folder(folder, images, labels.tolist())
    return image_sets.write_records(folder, images, kind, labels)


@pytest.mark.parametrize('kind', ['raw', 'images'])
def test_mirroring_keeps_about_half_of_the_images_and_all_labels(module_session, tmp_path, kind):
    data = load_dataset(tfrecord_dir=all_in_one(tmp_path / 'set', kind), max_label_size='full',
                        mirror_augment=True, shuffle=False)
    minibatches = [data.get_minibatch_np(len(images)) for _ in range(8)]
    mirrored = []
    for pixels, values in minibatches:
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(values, labels)
        for index, image in enumerate(pixels):
            is_mirrored = not np.array_equal(image, images[index])
            np.testing.assert_array_equal(image, images[index, :, :, ::-1] if is_mirrored else images[index])
            mirrored.append(is_mirrored)
    assert 0.4 < np.mean(mirrored) < 0.6  # 616 images: 5 standard deviations
    assert mirrored[:len(images)] != mirrored[len(images):2 * len(images)]


def test_an_image_is_mirrored_unless_its_random_number_is_below_one_half(module_session, folder):
    def numbers(shape, minval=0, maxval=None, dtype=tf.float32):
        return tf.constant([0.0, 0.4999, 0.5, 0.9], dtype)

    data = TFRecordDataset(folder, mirror_augment=True, shuffle_mb=0)
    data.configure(4)
    with tflib.random.replaced(uniform=numbers):
        pixels, _ = tflib.run(data.get_minibatch_tf())
    np.testing.assert_array_equal(pixels, [*images[:2], *images[2:4, :, :, ::-1]])


def test_load_dataset_takes_the_arguments_of_stylegan2_ada(module_session, folder):
    data = load_dataset(path=folder, resolution=8, max_images=4, max_label_size='full', mirror_augment=False,
                        repeat=False, shuffle=False, seed=123)
    pixels, values = data.get_minibatch_np(100)
    np.testing.assert_array_equal(pixels, halved(images[:4]))
    np.testing.assert_array_equal(values, labels[:4])
    assert data.has_validation_set


@pytest.mark.parametrize('kind', ['raw', 'png', 'images'])
def test_max_images_cuts_the_stream_and_the_labels_before_shuffling(module_session, tmp_path, kind):
    data = load_dataset(tfrecord_dir=all_in_one(tmp_path / 'set', kind), max_label_size='full', max_images=3,
                        repeat=False)
    pixels, values = data.get_minibatch_np(100)
    order = [int(np.flatnonzero((images == image).all(axis=(1, 2, 3)))[0]) for image in pixels]
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_array_equal(values, labels[order])
    assert all((labels[:3] == row).all(axis=1).any() for row in data.get_random_labels_np(50))
