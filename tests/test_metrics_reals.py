"""Test which real images metrics compare with: all of them once or as in training, never validation sets, and
another data set if one is forced."""

import numpy as np
import pytest

from metrics import real_cache
from metrics.metric import Metric
from metrics.metric_defaults import metric_defaults
from tests.dataset_files import random_pixels
from training.data.export import TFRecordExporter

NUM_IMAGES = 20
pixels, others = random_pixels(NUM_IMAGES, 3, 8, 8), random_pixels(NUM_IMAGES, 3, 8, 8)


class Reals(Metric):
    """Keeps the real images that it is given."""

    needs_generator = False

    def measure(self, evaluation):
        self.images = np.concatenate(list(evaluation.reals(NUM_IMAGES, 6)))


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    """Return a folder of the data sets `set` and `other`, which have a validation set of zeros."""
    path = tmp_path_factory.mktemp('data')
    for name, images in (('set', pixels), ('other', others)):
        with TFRecordExporter(str(path / name), NUM_IMAGES, print_progress=False) as exporter, \
                exporter.validation_set(3) as validation:
            for image in images:
                exporter.add_image(image)
            for image in np.zeros_like(images[:3]):
                validation.add_image(image)
    return str(path)


def reals(data_dir, dataset_args, forced, mirror_augment=False):
    metric = Reals('reals', force_dataset_args=forced)
    metric.run_on_images('set', data_dir, dataset_args, mirror_augment, log_results=False)
    return metric.images


def count_mirrored(images):
    """Return how many images are mirrored. Checks that they are in order."""
    mirrored = (images == pixels[:, :, :, ::-1]).all(axis=(1, 2, 3))
    assert ((images == pixels).all(axis=(1, 2, 3)) | mirrored).all()
    return mirrored.sum()


FULL = metric_defaults['fid50k_full'].force_dataset_args


@pytest.mark.parametrize('dataset_args', [
    dict(tfrecord_dir='set'), dict(path='set', seed=1), dict(tfrecord_dir='set', mirror_augment=True),
    dict(tfrecord_dir='set', max_images=3)])
@pytest.mark.parametrize('mirror_augment', [False, True])
def test_full_metrics_read_all_images_once_without_mirroring(data_dir, dataset_args, mirror_augment):
    np.testing.assert_array_equal(reals(data_dir, dataset_args, FULL, mirror_augment), pixels)


@pytest.mark.parametrize('dataset_args, mirror_augment', [
    (dict(path='set', mirror_augment=True), None), (dict(tfrecord_dir='set'), True)])
def test_other_metrics_mirror_as_in_training(data_dir, dataset_args, mirror_augment):
    forced = metric_defaults['kid50k'].force_dataset_args
    assert 0 < count_mirrored(reals(data_dir, dataset_args, forced, mirror_augment)) < NUM_IMAGES


def test_another_data_set_can_be_forced(data_dir):
    images = reals(data_dir, dict(tfrecord_dir='set'), {**FULL, 'tfrecord_dir': f'{data_dir}/other'})
    np.testing.assert_array_equal(images, others)


def test_a_validation_set_does_not_change_what_is_cached(data_dir, tmp_path):
    with TFRecordExporter(str(tmp_path / 'set'), 1, print_progress=False) as exporter:
        exporter.add_image(pixels[0])
    before = real_cache.fingerprint(str(tmp_path), dict(tfrecord_dir='set'))
    (tmp_path / 'set' / 'validation-set-r03.tfrecords').write_bytes(b'')
    assert real_cache.fingerprint(str(tmp_path), dict(tfrecord_dir='set')) == before


@pytest.mark.parametrize('name', ['fid50k_full', 'kid50k_full', 'pr50k3_full'])
def test_full_metrics_are_defined_as_published(name):
    counts = dict(fid50k_full=None, kid50k_full=1000000, pr50k3_full=200000)
    definition = metric_defaults[name]
    assert (definition.max_reals, definition.num_fakes) == (counts[name], 50000)
    assert definition.minibatch_per_gpu == 8
    assert definition.force_dataset_args == dict(
        shuffle=False, max_images=None, repeat=False, mirror_augment=False)
