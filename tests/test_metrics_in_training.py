"""Test that metrics are evaluated after snapshots during training and recorded for TensorBoard."""

import gc
import os
import pathlib
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import dnnlib
from metrics import sessions
from metrics.features import feature_networks
from tests import metric_stand_ins
from tests.golden_figures import QUICK, fresh_session, one_hot
from training.data.export import TFRecordExporter

FID = dict(func_name='metrics.frechet_inception_distance.FID', name='fid', num_images=8, minibatch_per_gpu=8)
NETWORK = dict(fmap_base=32, fmap_max=4)
ADAM = dict(beta1=0.0, beta2=0.99, epsilon=1e-8)
NUM_EVALUATIONS = 10


@pytest.fixture
def stand_ins(monkeypatch, tmp_path):
    """Use stand-ins for the feature networks and an empty cache."""
    table = metric_stand_ins.sources(feature_networks.SOURCES, size=8)
    monkeypatch.setattr(feature_networks, 'SOURCES', table)
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))


@pytest.fixture(scope='module')
def run_dir(tmp_path_factory):
    """Train with labels and a metric; the first tick has no snapshot. -> run directory."""
    path = tmp_path_factory.mktemp('run')
    with TFRecordExporter(str(path / 'tiny'), 12, print_progress=False) as exporter:
        for image in np.random.RandomState(1).randint(256, size=[12, 3, 8, 8]).astype(np.uint8):
            exporter.add_image(image)
        exporter.add_labels(one_hot(12, 3))
    sc = dnnlib.SubmitConfig()
    sc.run_dir_root, sc.run_desc, sc.num_gpus = str(path), 'test', 1
    sc.local.do_not_copy_source_files = True
    with pytest.MonkeyPatch.context() as patch, fresh_session(QUICK):
        table = metric_stand_ins.sources(feature_networks.SOURCES, size=8)
        patch.setattr(feature_networks, 'SOURCES', table)
        patch.setenv('DNNLIB_CACHE_DIR', str(path / 'cache'))
        dnnlib.submit_run(
            sc, 'training.training_loop.training_loop', data_dir=str(path),
            dataset_args=dict(tfrecord_dir='tiny', max_label_size='full'),
            G_args=dict(func_name='training.networks_stylegan2.G_main', latent_size=4, dlatent_size=4,
                        mapping_fmaps=4, mapping_layers=1, **NETWORK),
            D_args=dict(func_name='training.networks_stylegan2.D_stylegan2', **NETWORK),
            G_loss_args=dict(func_name='training.loss.G_logistic_ns'),
            D_loss_args=dict(func_name='training.loss.D_logistic'), G_opt_args=ADAM, D_opt_args=ADAM,
            sched_args=dict(minibatch_size_base=4, minibatch_gpu_base=4, tick_kimg_base=0.004,
                            tick_kimg_dict={}),
            grid_args=dict(size='one'), total_kimg=0.024, minibatch_repeats=1, metric_arg_list=[FID],
            image_snapshot_ticks=None, network_snapshot_ticks=1, snapshot_kimg=0.008, tf_config=QUICK,
            lazy_regularization=False)
    return pathlib.Path(next(path.glob('0*-test')))


def test_each_snapshot_gets_a_line(run_dir):
    lines = (run_dir / 'metric-fid.txt').read_text().splitlines()
    assert len(lines) == 3
    assert all(line.startswith('network-snapshot-000000 ') and ' fid ' in line for line in lines)
    assert len((run_dir / 'metric-fid.jsonl').read_text().splitlines()) == 3


def test_tensorboard_has_the_results_from_the_first_evaluation_on(run_dir):
    events = EventAccumulator(str(run_dir))
    events.Reload()
    values = [event.value for event in events.Scalars('Metrics/fid')]
    assert np.isnan(values[0])
    assert np.isfinite(values[-1])


def test_statistics_of_reals_are_computed_once_per_run(run_dir):
    assert len(list((run_dir.parent / 'cache').iterdir())) == 1


def resident_megabytes():
    """Return the resident memory of this process."""
    num_pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
    return num_pages * os.sysconf('SC_PAGE_SIZE') / 2 ** 20


def live_graphs():
    gc.collect()
    return sum(isinstance(item, tf.Graph) for item in gc.get_objects())


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs /proc')
def test_evaluation_after_evaluation_leaves_nothing_behind(run_dir, stand_ins, session):
    """Each evaluation runs inside another session. A graph that is not freed takes about 10 MB."""
    metric = dnnlib.util.call_func_by_name(**FID)
    network_pkl = max(run_dir.glob('network-snapshot-*.pkl'))
    figures = []
    for _ in range(NUM_EVALUATIONS):
        metric.run(str(network_pkl), data_dir=str(run_dir.parent), mirror_augment=False, log_results=False,
                   dataset_args=dict(tfrecord_dir='tiny', max_label_size='full'), tf_config=QUICK)
        figures.append((live_graphs(), len(list(pathlib.Path('/proc/self/fd').iterdir())),
                        resident_megabytes()))
    graphs, files, megabytes = zip(*figures, strict=True)
    assert len(set(graphs)) == 1
    assert len(set(files[2:])) == 1
    assert megabytes[-1] - megabytes[3] < 16


def test_tensorflow_may_optimize_the_graphs_of_metrics_unless_it_is_told_otherwise():
    option = 'graph_options.place_pruned_graph'
    for config, pruned in [(None, False), (QUICK, False), ({option: True}, True)]:
        with sessions.fresh_session(config):
            assert tf.get_default_session()._config.graph_options.place_pruned_graph is pruned
