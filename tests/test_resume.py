"""Test that a run that stops and resumes is bit-for-bit identical to one that never stopped."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from tests.golden_figures import QUICK, fresh_session, set_golden_values
from tests.resumed_runs import (
    AUGMENT,
    TINY_D,
    TINY_G,
    differences,
    resume,
    start,
    stopped_after,
    summaries,
    tick_lines,
    values,
    write_data,
)
from tests.small_networks import SMALL_G
from training.loop.reporting import SnapshotGrid
from training.loss import D_logistic
from training.resuming import state_folder

CASES = {
    'config-f': {},
    'augmented': dict(mirror_augment=True, G_smoothing_rampup=0.5, augment_args=AUGMENT),
    'augmented, losses of StyleGAN2-ADA': dict(
        G_args=dict(TINY_G, func_name='training.networks.G_main'), G_loss_args={}, D_loss_args={},
        D_args=dict(func_name='training.networks.D_main', fmap_base=32, fmap_max=4),
        loss_args=dict(func_name='training.loss_ada.stylegan2'), augment_args=AUGMENT),
    'growing': dict(
        D_args=dict(TINY_D, func_name='training.networks_stylegan2.D_stylegan', architecture=None),
        G_args=dict(TINY_G, synthesis_func='G_synthesis_stylegan_revised'),
        sched_args=dict(minibatch_size_base=4, minibatch_gpu_base=4, tick_kimg_base=0.008, tick_kimg_dict={},
                        lod_initial_resolution=4, lod_training_kimg=0.016, lod_transition_kimg=0.016)),
    'accumulating': dict(
        sched_args=dict(minibatch_size_base=8, minibatch_gpu_base=4, tick_kimg_base=0.016,
                        tick_kimg_dict={})),
    'compiled by XLA': dict(xla='on', augment_args=AUGMENT),
    'two devices': dict(
        num_gpus=2, session_config={**QUICK, 'device_count.CPU': 2}, mirror_augment=True,
        dataset_args=dict(tfrecord_dir='tiny', resolution=8, max_label_size='full', shuffle_mb=1),
        sched_args=dict(minibatch_size_base=8, minibatch_gpu_base=4, tick_kimg_base=0.016,
                        tick_kimg_dict={})),
}


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp('data'))


@pytest.mark.parametrize('case', [
    'augmented', *(pytest.param(case, marks=pytest.mark.long) for case in CASES if case != 'augmented')])
def test_a_run_that_stops_every_few_iterations_ends_as_one_in_one_go(case, data_dir, tmp_path):
    run_dir = start(data_dir, tmp_path / 'one', **CASES[case])
    config = {key: value for key, value in CASES[case].items() if key == 'session_config'}
    with stopped_after(5 if case == 'augmented' else 4):
        other = start(data_dir, tmp_path / 'several', **CASES[case])
        assert not (other / 'network-final.pkl').exists()
        launches = 1
        while not (other / 'network-final.pkl').exists():
            resume(other, **config)
            launches += 1
    assert launches >= 2
    assert len(tick_lines(run_dir)) >= 4
    if 'augmented' in case:
        strengths = [value for _, value in summaries(run_dir)['Progress/augment']]
        assert len(set(strengths)) > 2 and len(summaries(run_dir)['Progress/rt']) == len(strengths)
    assert differences(run_dir, other) == []


def D_not_finite_on_the_last_device(G, D, opt, training_set, minibatch_size, reals, labels):
    """Apply `D_not_finite` on the second of two devices."""
    loss = D_logistic if reals.device.endswith(':0') else D_not_finite
    return loss(G, D, opt, training_set, minibatch_size, reals, labels)


def variables_of(path, prefix):
    """Return {name: value} of a training state."""
    reader = tf.train.load_checkpoint(f'{path}/variables')
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
            if name.startswith(prefix)}


@pytest.mark.long
def test_a_stop_between_steps_that_are_skipped_changes_nothing_and_one_bad_device_is_enough(
        data_dir, tmp_path):
    kwargs = dict(CASES['two devices'], D_loss_args=dict(
        func_name='tests.test_resume.D_not_finite_on_the_last_device'), max_skipped_steps=3, keep_states=9,
        G_loss_args=dict(func_name='training.loss.G_logistic_ns'), total_kimg=0.2)
    with stopped_after(2):
        run_dir = start(data_dir, tmp_path, **kwargs)
        resume(run_dir, kwargs['session_config'])
        resume(run_dir, kwargs['session_config'])
        with pytest.raises(UserError, match='TrainD: 3 steps in a row were skipped at 0.1 kimg'):
            resume(run_dir, kwargs['session_config'])
    skipped = [line.rpartition('gpumem 0.0')[2] for line in tick_lines(run_dir)]
    assert skipped == ['', ' skipped 1', ' skipped 1']  # after 1, 3 and 5 steps
    before, after = state_folder.paths(str(run_dir))[-2:]  # after 5 and 6 steps, both skipped
    for prefix, moves in (('D/', False), ('TrainD/Apply', False), ('G_synthesis/', True)):
        first, last = variables_of(before, prefix), variables_of(after, prefix)
        assert first and any((first[name] != last[name]).any() for name in first) == moves, prefix


def D_not_finite(G, D, opt, training_set, minibatch_size, reals, labels):
    """Return a loss that is NaN in its second evaluation and from the fifth on."""
    loss, _ = D_logistic(G, D, opt, training_set, minibatch_size, reals, labels)
    with tf.control_dependencies(None):
        count_var = tf.Variable(0.0, trainable=False)
    count = tf.assign_add(count_var, 1.0)
    return loss * tf.where(tf.logical_or(tf.equal(count, 2), count >= 5), np.nan, 1.0), None


def test_steps_that_are_not_finite_are_skipped_counted_and_after_a_while_end_the_run(data_dir, tmp_path):
    with pytest.raises(UserError, match=r'TrainD: 3 steps in a row were skipped at 0.0 kimg.*--max-skipped'):
        start(data_dir, tmp_path, D_loss_args=dict(func_name='tests.test_resume.D_not_finite'),
              network_snapshot_ticks=1, max_skipped_steps=3, keep_states=5,
              G_loss_args=dict(func_name='training.loss.G_logistic_ns'))
    [run_dir] = tmp_path.glob('0*')
    skipped = [line.rpartition('gpumem 0.0')[2] for line in tick_lines(run_dir)]
    assert skipped == ['', ' skipped 1', ' skipped 1']
    assert [value for _, value in summaries(run_dir)['Progress/skipped_steps']] == [0, 1, 1]
    arrays = [value for value in values(run_dir).values() if isinstance(value, np.ndarray)]
    assert all(np.isfinite(array).all() for array in arrays)


def test_the_noise_of_pictures_is_the_same_however_much_was_drawn_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        with fresh_session(QUICK):
            tf.set_random_seed(7)
            G = tflib.Network('G', **SMALL_G)
            set_golden_values(G)
            assert any(np.any(tflib.run(var)) for name, var in G.vars.items() if 'noise_strength' in name)
            grid = SnapshotGrid((2, 2), None, np.zeros([4, 0]), [-1, 1], np.float32(np.eye(4)))
            for _ in range(number):
                tflib.run(tflib.random.normal([3]))
            for again in range(2):
                grid.save_fakes(f'{number}{again}.png', G, minibatch_size=2)
    pictures = {path.read_bytes() for path in tmp_path.glob('*.png')}
    assert len(list(tmp_path.iterdir())) == 4 and len(pictures) == 1
