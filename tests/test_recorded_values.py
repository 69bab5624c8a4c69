"""Test that TensorBoard shows all values of a training, finite and computed from the training images."""

import contextlib
import os
from unittest import mock

import numpy as np
import pytest

import dnnlib.tflib as tflib
from metrics.features import feature_networks
from tests import metric_stand_ins, resumed_runs
from tests.golden_figures import QUICK
from training import loss, loss_stylegan, loss_terms
from training.loop import losses as loop_losses
from training.loop.trainer import Trainer
from training.settings.configs import config_settings, merged

LONG_CONFIGS = ['stylegan', 'config-a', 'config-c', 'config-e-Gorig-Dresnet', 'config-e-Gresnet-Dskip',
                'progan']
METRIC = dict(func_name='metrics.frechet_inception_distance.FID', name='fid', num_images=8,
              minibatch_per_gpu=8)
ITERATIONS, REPEATS, MINIBATCH = 3, 2, 4

# What each step records if regularizers are separate steps. Otherwise a step records all values of its loss.
LAZY = {
    'G_train': ['Loss/G/loss'],
    'G_reg': ['Loss/pl_lengths', 'Loss/pl_penalty'],
    'D_train': ['Loss/D/loss', 'Loss/scores/real', 'Loss/scores/fake'],
    'D_reg': ['Loss/scores/real', 'Loss/gradient_penalty'],
}
PROGRESS = ['Progress/tick', 'Progress/kimg', 'Progress/lod', 'Progress/minibatch', 'Progress/skipped_steps',
            'Timing/total_sec', 'Timing/total_hours', 'Timing/total_days', 'Timing/sec_per_tick',
            'Timing/sec_per_kimg', 'Timing/maintenance_sec', 'Resources/peak_gpu_mem_gb', 'Metrics/fid']
ALWAYS = {'G/loss', 'D/loss'}
RECORDED_LOSSES = {  # and ALWAYS
    'config-a': {'scores/real', 'scores/fake', 'gradient_penalty'},
    'stylegan': {'scores/real', 'scores/fake', 'r1_penalty'},
    'progan': {'scores/real', 'scores/fake', 'scores/mixed', 'mixed_norms', 'epsilon_penalty'},
    'config-c': {'scores/real', 'scores/fake', 'gradient_penalty'},
}
OF_STYLEGAN2 = {*ALWAYS, 'scores/real', 'scores/fake', 'gradient_penalty', 'pl_lengths', 'pl_penalty'}


class Seen:
    """Collects the tensors that losses pass to `autosummary` or return, and evaluates them before each step.

    An evaluation has no effect on the run, as all variables are restored.
    """

    def __init__(self):
        self.tensors = {'G': {}, 'D': {}}  # network: {name: [tensor per device]}
        self.returned = {'G': [], 'D': []}
        self.values = {}                   # (images shown before the iteration, name): [array]

    def recording(self, network, values):
        """Replace `autosummary` inside a loss."""
        record = tflib.autosummary.autosummary

        def autosummary(name, value, *args, **kwargs):
            values[network].setdefault(name, []).append(value)
            return record(name, value, *args, **kwargs)
        return autosummary

    def call_loss(self, func_name, **kwargs):
        """Replace `call_func_by_name`."""
        network = 'D' if 'reals' in kwargs else 'G'
        stand_in = self.recording(network, self.tensors)
        with contextlib.ExitStack() as stack:
            for module in (loss, loss_stylegan, loss_terms):
                stack.enter_context(mock.patch.object(module, 'autosummary', stand_in))
            result = tflib.network.util.call_func_by_name(func_name=func_name, **kwargs)
        self.returned[network].append(result)
        alone = result[0] if isinstance(result, tuple) else result
        self.tensors[network].setdefault(f'Loss/{network}/loss', []).append(alone)
        return result

    def look(self, trainer, step):
        """Evaluate the values that the step will record."""
        names = LAZY[step] if trainer.graph.G_reg_interval is not None else list(self.tensors[step[0]])
        tensors = {name: self.tensors[step[0]][name] for name in names if name in self.tensors[step[0]]}
        if step.endswith('reg') and tensors:
            tensors['returned by ' + step] = [reg for _, reg in self.returned[step[0]]]
        variables = tflib.tfutil.tf.global_variables()
        tflib.init_uninitialized_vars(variables)
        before = tflib.run(variables)
        values = tflib.run(tensors, {**trainer.feed_dict, trainer.graph.inputs.step: trainer.step})
        tflib.set_vars(dict(zip(variables, before, strict=True)))
        for name, arrays in values.items():
            self.values.setdefault((trainer.sched_nimg, name), []).extend(arrays)

    def run_step(self, trainer, *ops):
        """Replace `Trainer._run`."""
        for step in LAZY:
            op = getattr(trainer.graph, step)
            if op in ops:
                self.look(trainer, step)
        Seen.run(trainer, *ops)

    run = Trainer._run

    def means(self, name):
        """Return the mean of each iteration."""
        starts = sorted({nimg for nimg, seen in self.values if seen == name})
        return [np.mean([np.mean(array) for array in self.values[nimg, name]]) for nimg in starts]


def _settings(config, num_gpus):
    """Return the settings of a configuration for images of 8x8 pixels, with one iteration per tick."""
    settings = config_settings(config, num_gpus)
    tiny = dict(fmap_base=32, fmap_max=4)
    size = MINIBATCH * num_gpus
    G_tiny = {} if config == 'progan' else dict(mapping_layers=1, mapping_fmaps=4, dlatent_size=4)
    settings = merged(settings, dict(
        G_args=dict(latent_size=4, **tiny, **G_tiny), D_args=tiny, grid_args=dict(size='one'),
        sched_args=dict(lod_initial_resolution=None, minibatch_size_base=size, minibatch_gpu_base=MINIBATCH,
                        tick_kimg_base=0.001),
        total_kimg=size * REPEATS * ITERATIONS / 1000, minibatch_repeats=REPEATS, image_snapshot_ticks=None,
        network_snapshot_ticks=1, metric_arg_list=[METRIC]))
    settings['sched_args'].update(minibatch_size_dict={}, minibatch_gpu_dict={}, tick_kimg_dict={})
    settings['tf_config'] = {**QUICK, 'rnd.np_random_seed': 1000}
    if settings.get('lazy_regularization', True):
        settings.update(G_reg_interval=1, D_reg_interval=2)
    return settings


def _train(folder, config, num_gpus=1, **changes):
    """Train. -> `Seen`, and {name: [value per tick]} from TensorBoard."""
    seen = Seen()
    resumed_runs.write_data(folder)
    table = metric_stand_ins.sources(feature_networks.SOURCES, size=8)
    with mock.patch.object(feature_networks, 'SOURCES', table), \
            mock.patch.dict(os.environ, DNNLIB_CACHE_DIR=str(folder / 'cache')), \
            mock.patch.object(loop_losses, 'call_func_by_name', seen.call_loss), \
            mock.patch.object(Trainer, '_run', lambda trainer, *ops: seen.run_step(trainer, *ops)):
        run_dir = resumed_runs.start(folder, folder, num_gpus=num_gpus,
                                     **merged(_settings(config, num_gpus), changes))
    shown = resumed_runs.summaries(run_dir, times=True)
    return seen, {name: [value for _, value in points] for name, points in shown.items()}


@pytest.fixture(scope='module', params=[
    'config-f', *(pytest.param(config, marks=pytest.mark.long) for config in LONG_CONFIGS)])
def run(request, tmp_path_factory):
    """Train with each configuration, one of them with loss scaling. -> configuration, `Seen`, TensorBoard
    values."""
    scaling = dict(use_loss_scaling=True, loss_scaling_init=4.0)
    changes = dict(G_opt_args=scaling, D_opt_args=scaling) if request.param == 'stylegan' else {}
    return request.param, *_train(tmp_path_factory.mktemp('run'), request.param, **changes)


def test_every_value_is_there_and_finite_at_every_tick(run):
    config, _, shown = run
    losses = {'Loss/' + name for name in ALWAYS | RECORDED_LOSSES.get(config, OF_STYLEGAN2)}
    assert {name for name in shown if name.startswith('Loss/')} == losses
    optimizers = ['TrainG', 'TrainD'] + ['RegG'] * ('Loss/pl_penalty' in losses)
    optimizers += ['RegD'] * (config not in ('config-a', 'stylegan', 'progan'))
    names = [f'{name}/{value}' for name in optimizers for value in ('learning_rate', 'overflow_frequency')]
    names += ['TrainG/loss_scaling_log2', 'TrainD/loss_scaling_log2'] if config == 'stylegan' else []
    assert set(shown) == {*losses, *names, *PROGRESS}
    assert {name: values for name, values in shown.items()
            if len(values) != ITERATIONS or not np.isfinite(values).all()} == {}


def test_losses_are_those_of_the_images_trained_on(run):
    _, seen, shown = run
    losses = {name: values for name, values in shown.items() if name.startswith('Loss/')}
    assert {name for _, name in seen.values if name.startswith('Loss/')} == set(losses)
    for name, values in losses.items():
        np.testing.assert_allclose(values, seen.means(name), rtol=1e-5, atol=1e-7, err_msg=name)


def test_penalties_are_those_that_the_loss_returns(run):
    config, seen, shown = run
    for step, name, weight in (('G_reg', 'Loss/pl_penalty', 2.0), ('D_reg', 'Loss/gradient_penalty', None)):
        returned = seen.means('returned by ' + step)
        if returned:
            weight = weight or config_settings(config)['D_loss_args']['gamma'] / 2
            np.testing.assert_allclose(returned, np.multiply(shown[name], weight), rtol=1e-5, err_msg=name)


def test_loss_scaling_is_shown_as_it_is(run):
    config, _, shown = run
    if config == 'stylegan':
        assert shown['TrainD/overflow_frequency'] == [0.0] * ITERATIONS
        expected = 4.0 + 0.0005 * np.array([1.5, 3.5, 5.5])  # mean over the two steps of a tick
        np.testing.assert_allclose(shown['TrainD/loss_scaling_log2'], expected, rtol=1e-6)


@pytest.mark.long
def test_several_devices_and_rounds_count_with_all_their_images(tmp_path):
    sched = dict(minibatch_size_base=4 * MINIBATCH)
    seen, shown = _train(tmp_path, 'config-f', num_gpus=2, sched_args=sched, metric_arg_list=[],
                         minibatch_repeats=1, total_kimg=4 * MINIBATCH / 1000)
    for name in ('Loss/' + name for name in OF_STYLEGAN2):
        assert len(seen.values[0, name]) == (8 if name == 'Loss/scores/real' else 4), 'devices times rounds'
        np.testing.assert_allclose(shown[name], seen.means(name), rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.long
def test_a_step_that_does_not_run_in_a_tick_records_nothing_there(tmp_path):
    _, shown = _train(tmp_path, 'config-f', G_reg_interval=4, D_reg_interval=4, metric_arg_list=[])
    for name in ('Loss/pl_penalty', 'Loss/pl_lengths', 'Loss/gradient_penalty', 'RegD/learning_rate'):
        assert np.isfinite(shown[name]).tolist() == [True, False, True], name
    for name in ('Loss/scores/real', 'Loss/scores/fake'):
        assert np.isfinite(shown[name]).all(), name
