"""A run that stops and goes on ends as one that never stopped, in every bit."""

import contextlib
import signal

import pytest

from tests.golden_figures import QUICK
from tests.resumed_runs import TINY_D, TINY_G, differences, go_on, start, tick_lines, write_data
from training import training_loop

CASES = {
    'config-f': {},
    'growing': dict(
        D_args=dict(TINY_D, func_name='training.networks_stylegan2.D_stylegan', architecture=None),
        G_args=dict(TINY_G, synthesis_func='G_synthesis_stylegan_revised'),
        sched_args=dict(minibatch_size_base=4, minibatch_gpu_base=4, tick_kimg_base=0.008, tick_kimg_dict={},
                        lod_initial_resolution=4, lod_training_kimg=0.016, lod_transition_kimg=0.016)),
    'accumulating': dict(
        sched_args=dict(minibatch_size_base=8, minibatch_gpu_base=4, tick_kimg_base=0.016,
                        tick_kimg_dict={})),
    'two devices': dict(
        num_gpus=2, session_config={**QUICK, 'device_count.CPU': 2}, mirror_augment=True,
        dataset_args=dict(tfrecord_dir='tiny', resolution=8, max_label_size='full', shuffle_mb=1),
        sched_args=dict(minibatch_size_base=8, minibatch_gpu_base=4, tick_kimg_base=0.016,
                        tick_kimg_dict={})),
}


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp('data'))


@contextlib.contextmanager
def stopped_after(iterations):
    """Iterations end in a signal after every so many."""
    original = training_loop._Trainer.check_skipped_steps
    count = [0]

    def check(trainer):
        original(trainer)
        count[0] += 1
        if count[0] % iterations == 0:
            signal.raise_signal(signal.SIGTERM)

    training_loop._Trainer.check_skipped_steps = check
    try:
        yield
    finally:
        training_loop._Trainer.check_skipped_steps = original


@pytest.mark.parametrize('case', CASES)
def test_a_run_that_stops_every_few_iterations_ends_as_one_in_one_go(case, data_dir, tmp_path):
    run_dir = start(data_dir, tmp_path / 'one', **CASES[case])
    config = {key: value for key, value in CASES[case].items() if key == 'session_config'}
    with stopped_after(5 if case == 'config-f' else 4):
        other = start(data_dir, tmp_path / 'several', **CASES[case])
        assert not (other / 'network-final.pkl').exists()
        launches = 1
        while not (other / 'network-final.pkl').exists():
            go_on(other, **config)
            launches += 1
    assert launches >= 2
    assert len(tick_lines(run_dir)) >= 4
    assert differences(run_dir, other) == []
