"""Test SyntheticDataset: zeros or computed images, and its use in a training run."""

import inspect
import pathlib

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.util import UserError
from tests.golden_figures import QUICK, fresh_session
from training import misc
from training.dataset import SyntheticDataset, load_dataset


class Ramp(SyntheticDataset):
    """Images of class 1 whose value is their number in the minibatch plus 100 times the lod."""

    def _generate_images(self, minibatch, lod, shape):
        values = tf.cast(tf.range(minibatch) + 100 * lod, self.dtype)
        return tf.reshape(values, [-1, 1, 1, 1]) * tf.ones([1, *shape], self.dtype)

    def _generate_labels(self, minibatch):
        return tf.one_hot(tf.ones([minibatch], tf.int32), self.label_size, dtype=self.label_dtype)


RAMP = dict(resolution=8, num_channels=1, dtype='float32', label_size=3, label_dtype='float64')


def test_arguments_and_defaults_are_the_published_ones():
    parameters = list(inspect.signature(SyntheticDataset).parameters.values())
    assert {parameter.name: parameter.default for parameter in parameters} == {
        'resolution': 1024, 'num_channels': 3, 'dtype': 'uint8', 'dynamic_range': [0, 255], 'label_size': 0,
        'label_dtype': 'float32'}


def test_it_is_loaded_by_its_published_name(module_session, capsys):
    data = load_dataset(class_name='training.dataset.SyntheticDataset', data_dir='unused', verbose=True,
                        resolution=16, num_channels=1, dynamic_range=[-1, 1], label_size=2)
    assert type(data) is SyntheticDataset
    assert (data.shape, data.resolution, data.resolution_log2) == ([1, 16, 16], 16, 4)
    assert (data.dtype, data.label_size, data.label_dtype) == ('uint8', 2, 'float32')
    assert capsys.readouterr().out == (
        'Streaming data using training.dataset.SyntheticDataset...\n'
        'Dataset shape = [1, 16, 16]\nDynamic range = [-1, 1]\nLabel size    = 2\n')
    data.close()


@pytest.mark.parametrize('resolution', [0, -4, 12])
def test_resolutions_other_than_powers_of_two_are_refused(resolution):
    with pytest.raises(UserError, match=f'resolution must be a power of two, not {resolution}'):
        SyntheticDataset(resolution=resolution)


def test_images_and_labels_are_zeros_of_the_declared_types(module_session):
    data = SyntheticDataset(resolution=8, num_channels=3, dtype='int16', label_size=2, label_dtype='float64')
    images, labels = data.get_minibatch_np(5)
    assert (images.shape, images.dtype) == ((5, 3, 8, 8), 'int16')
    assert (labels.shape, labels.dtype) == ((5, 2), 'float64')
    assert not images.any() and not labels.any()


def test_without_labels_each_label_is_empty(module_session):
    data = SyntheticDataset(resolution=4)
    assert data.get_minibatch_np(2)[1].shape == (2, 0)
    assert data.get_random_labels_np(3).shape == (3, 0)


@pytest.mark.parametrize('lod, side', [(0, 8), (1, 4), (1.9, 4), (3, 1)])
def test_lod_is_rounded_down_and_halves_the_images(module_session, lod, side):
    images, labels = Ramp(**RAMP).get_minibatch_np(2, lod=lod)
    assert images.shape == (2, 1, side, side)
    np.testing.assert_array_equal(images[:, 0, 0, 0], [100 * int(lod), 100 * int(lod) + 1])
    np.testing.assert_array_equal(labels, [[0, 1, 0]] * 2)


def test_configuring_changes_tensors_that_are_there_already(module_session):
    data = Ramp(**RAMP)
    images, labels = data.get_minibatch_tf()
    assert images.shape.as_list() == [None, 1, None, None]
    assert labels.shape.as_list() == [None, 3]
    for minibatch_size, lod, side in [(4, 0, 8), (1, 2, 2)]:
        data.configure(minibatch_size, lod)
        shapes = [array.shape for array in tflib.run([images, labels])]
        assert shapes == [(minibatch_size, 1, side, side), (minibatch_size, 3)]


@pytest.mark.parametrize('minibatch_size, lod', [(0, 0), (1, -1), (1, 4)])
def test_senseless_configurations_fail_an_assertion(module_session, minibatch_size, lod):
    with pytest.raises(AssertionError):
        SyntheticDataset(resolution=8).configure(minibatch_size, lod)


def test_random_labels_come_from_the_subclass_in_any_number(module_session):
    data = Ramp(**RAMP)
    size = tf.placeholder_with_default(4, [])
    np.testing.assert_array_equal(tflib.run(data.get_random_labels_tf(size)), [[0, 1, 0]] * 4)
    for minibatch_size in (3, 5, 3):
        np.testing.assert_array_equal(data.get_random_labels_np(minibatch_size), [[0, 1, 0]] * minibatch_size)


def test_reading_again_and_again_adds_nothing_to_the_graph(session):
    data = Ramp(**RAMP)

    def read():
        data.get_minibatch_np(2)
        data.get_random_labels_np(2)
        return len(session.graph.get_operations())
    assert read() == read()


def test_snapshot_grids_are_made_of_its_images(module_session):
    size, images, labels = misc.setup_snapshot_image_grid(Ramp(**{**RAMP, 'resolution': 64}), size='1080p')
    assert size == (30, 16)
    assert (images.shape, labels.shape) == ((480, 1, 64, 64), (480, 3))


def test_a_network_trains_and_grows_on_it(tmp_path):
    network = dict(fmap_base=32, fmap_max=4, structure='linear')
    sc = dnnlib.SubmitConfig()
    sc.run_dir_root = str(tmp_path)
    sc.run_desc = 'test'
    sc.local.do_not_copy_source_files = True
    with fresh_session(QUICK):
        dnnlib.submit_run(
            sc, 'training.training_loop.training_loop', total_kimg=0.016, minibatch_repeats=1,
            dataset_args=dict(class_name=f'{__name__}.Ramp', **{**RAMP, 'label_dtype': 'float32'}),
            G_args=dict(func_name='training.networks_progan.G_paper', latent_size=4, **network),
            D_args=dict(func_name='training.networks_progan.D_paper', **network),
            G_loss_args=dict(func_name='training.loss.G_logistic_ns'),
            D_loss_args=dict(func_name='training.loss.D_logistic_r1'),
            sched_args=dict(lod_initial_resolution=4, lod_training_kimg=0.004, lod_transition_kimg=0.004,
                            minibatch_size_base=4, minibatch_gpu_base=4, tick_kimg_base=0.008,
                            tick_kimg_dict={}),
            grid_args=dict(size='one', layout='random'), network_snapshot_ticks=None,
            image_snapshot_ticks=None)
    run_dir, = pathlib.Path(tmp_path).glob('0*-test')
    ticks = [line for line in (run_dir / 'log.txt').read_text().splitlines() if line.startswith('tick ')]
    assert 'lod 1.00' in ticks[0] and 'lod 0.00' in ticks[-1]
    assert (run_dir / 'network-final.pkl').exists()
