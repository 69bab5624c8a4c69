"""Test training on images that are no squares: pictures, metrics, snapshots, and resuming."""

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import run_generator
from metrics.features import feature_networks
from tests.golden_figures import QUICK, fresh_session
from tests.metric_stand_ins import StandIn, lpips
from tests.resumed_runs import differences, resume, start, stopped_after, tick_lines, write_data
from training import dataset, misc
from training.settings.configs import config_settings, merged

HEIGHT, WIDTH = 12, 8  # 6x4, doubled once: the nominal resolution is 8
METRICS = [
    dict(func_name='metrics.frechet_inception_distance.FID', name='fid', num_images=8, minibatch_per_gpu=4),
    dict(func_name='metrics.perceptual_path_length.PPL', name='ppl', num_samples=4, epsilon=1e-2, space='w',
         sampling='end', crop=True, minibatch_per_gpu=4)]
SMALL = dict(fmap_base=32, fmap_max=4)
GROWING = {
    'G_args': dict(SMALL, latent_size=4), 'D_args': SMALL, 'grid_args': {'size': 'one'},
    'sched_args': dict(lod_initial_resolution=4, lod_training_kimg=0.008, lod_transition_kimg=0.008,
                       minibatch_size_dict={4: 4, 8: 4}, minibatch_gpu_dict={4: 4, 8: 4},
                       tick_kimg_dict={4: 0.008, 8: 0.008}),
    'total_kimg': 0.024, 'minibatch_repeats': 1, 'image_snapshot_ticks': None}


def means(images_in, **_kwargs):
    """Compute features. Images [N,3,H,W] -> [N,3]."""
    images_in.set_shape([None, 3, HEIGHT, WIDTH])
    return tf.reduce_mean(tf.cast(images_in, tf.float32), axis=[2, 3], name='features')


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp('data'), [HEIGHT, WIDTH])


@pytest.fixture(scope='module')
def run_dir(data_dir, tmp_path_factory):
    """Train as in config F. -> run directory."""
    return start(data_dir, tmp_path_factory.mktemp('run'), mirror_augment=True)


def size_of(path):
    with PIL.Image.open(path) as image:
        return image.size


def test_data_sets_have_a_nominal_resolution(data_dir, session):
    data = dataset.TFRecordDataset(str(data_dir / 'tiny'))
    assert (data.shape, data.base_shape, data.resolution) == ([3, 12, 8], [6, 4], 8)
    assert data.get_minibatch_np(2, lod=1)[0].shape == (2, 3, 6, 4)
    assert dataset.TFRecordDataset(str(data_dir / 'tiny'), resolution=4).shape == [3, 6, 4]


def test_pictures_have_the_shape_of_the_images(run_dir):
    pictures = sorted(run_dir.glob('*.png'))
    assert [path.name for path in pictures] == ['fakes000000.png', 'fakes_init.png', 'reals.png']
    assert {size_of(path) for path in pictures} == {(WIDTH, HEIGHT)}


def test_a_snapshot_generates(run_dir, tmp_path, module_session):
    run_generator.main(['generate-images', f'--network={run_dir / "network-final.pkl"}', '--seeds=1,2',
                        '--grid=2x1', f'--result-dir={tmp_path}'])
    assert [size_of(path) for path in sorted(tmp_path.rglob('*.png'))] == [(2 * WIDTH, HEIGHT)] + [
        (WIDTH, HEIGHT)] * 2


@pytest.mark.parametrize('metric', METRICS, ids=lambda metric: metric['name'])
def test_metrics_compare_with_data_of_this_size(metric, run_dir, data_dir, tmp_path, monkeypatch, session):
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path))
    monkeypatch.setattr(feature_networks, 'SOURCES', {
        'inception_v3_features': (StandIn(means),), 'vgg16_zhang_perceptual': (StandIn(lpips),)})
    metric = dnnlib.util.call_func_by_name(**metric)
    metric.run(str(run_dir / 'network-final.pkl'), data_dir=str(data_dir), mirror_augment=False,
               log_results=False, dataset_args=dict(tfrecord_dir='tiny'), tf_config=QUICK)
    assert np.isfinite(float(metric.get_result_str().split()[-1]))


@pytest.mark.long
def test_a_run_that_stops_and_resumes_ends_as_one_in_one_go(run_dir, data_dir, tmp_path):
    with stopped_after(7):
        other = start(data_dir, tmp_path, mirror_augment=True)
        resume(other)
    assert (other / 'network-final.pkl').exists()
    assert differences(run_dir, other) == []


@pytest.mark.parametrize('name', ['stylegan', 'progan'])
def test_growing_networks_train_from_the_base_on(name, data_dir, tmp_path):
    path = start(data_dir, tmp_path, **merged(config_settings(name), GROWING))
    assert {line.split()[5] for line in tick_lines(path)} == {'1.00', '0.00'}
    with fresh_session(QUICK):
        G, _, Gs = misc.load_pkl(str(path / 'network-final.pkl'))
        [weight] = [key for key in G.vars if key.endswith('8x8/Conv1/weight')]
        weights = G.get_var(weight), Gs.get_var(weight)
    assert np.isfinite(weights).all() and not np.array_equal(*weights)
    assert size_of(path / 'fakes_init.png') == (WIDTH, HEIGHT)
