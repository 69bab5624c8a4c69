"""Test that processes that train together give the same networks as one process with as many devices."""

import numpy as np
import pytest

import dnnlib
import dnnlib.tflib as tflib
from tests import cluster_worker, clusters
from tests.golden_figures import QUICK, fresh_session
from tests.golden_recipe import golden_input
from tests.resumed_runs import summaries
from tests.test_training_loop import _export, _network_values


@pytest.fixture(scope='session')
def data_dir(tmp_path_factory):
    """Write a data set of 24 small images with labels."""
    path = tmp_path_factory.mktemp('data')
    images = np.clip(golden_input('dataset/images', [24, 3, 4, 4]) * 40 + 128, 0, 255).astype(np.uint8)
    _export(path / 'tiny', images)
    return str(path)


def one_process(data_dir, result_dir, num_gpus, **kwargs):
    """Train in this process. -> run directory."""
    sc = dnnlib.SubmitConfig()
    sc.run_dir_root, sc.run_desc, sc.num_gpus = str(result_dir), 'test', num_gpus
    sc.local.do_not_copy_source_files = True
    with fresh_session({**QUICK, **tflib.device_config(num_gpus)}):
        sc = dnnlib.submit_run(sc, 'training.training_loop.training_loop',
                               **cluster_worker.settings(data_dir, **kwargs))
    return result_dir / sc.run_name


def arguments(data_dir, result_dir, num_gpus, settings='{}'):
    return ['-m', 'tests.cluster_worker', str(result_dir), data_dir, str(num_gpus), settings]


def assert_same_networks(run_dir, other, tolerance=2e-5):
    """Check that final networks are equal up to rounding, and that training has changed them far more than
    that."""
    expected = _network_values(other / 'network-final.pkl')
    actual = _network_values(run_dir / 'network-final.pkl')
    for key, value in expected.items():
        np.testing.assert_allclose(actual[key], value, rtol=tolerance, atol=tolerance, err_msg=key)
    moved = max(np.abs(value - expected['Gs' + key.removeprefix('G')]).max()
                for key, value in expected.items() if key.startswith('G/'))
    assert moved > 100 * tolerance, 'the average has not stayed behind'


@pytest.fixture(scope='session')
def whole(data_dir, tmp_path_factory):
    """Train in one process with two devices and return the run directory."""
    return one_process(data_dir, tmp_path_factory.mktemp('results'), num_gpus=2)


@pytest.mark.long
def test_two_processes_train_as_one_with_two_devices_and_the_first_one_writes(data_dir, whole, tmp_path):
    with clusters.cluster(arguments(data_dir, tmp_path, 1), 2) as (processes, _):
        results = [clusters.finish(process) for process in processes]
    assert [(status, errors) for status, _, errors in results] == [(0, []), (0, [])]
    assert results[1][1] == '' and 'Training for 0 kimg...' in results[0][1]
    [run_dir] = tmp_path.iterdir()
    assert_same_networks(run_dir, whole)
    strengths = [summaries(path)['Progress/augment'] for path in (run_dir, whole)]
    assert strengths[0] == strengths[1] and len(set(strengths[0])) > 1
    assert {path.name for path in run_dir.iterdir() if 'tfevents' not in path.name} == {
        path.name for path in whole.iterdir() if 'tfevents' not in path.name}


def test_one_process_alone_has_neither_server_nor_collectives():
    with fresh_session(QUICK) as session:
        with tflib.parallel.joined(dnnlib.parallel.workers.Workers(), 2, {}, 1.0) as cluster:
            cluster.start_session({})
            cluster.share_variables([])
            assert cluster.is_alone and cluster.is_first and cluster.gather('x') == ['x']
            assert (cluster.num_devices, cluster.first_device) == (2, 0)
        assert not session.graph.get_operations()
