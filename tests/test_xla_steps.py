"""Test that compiled training steps change all variables as the plain ones do, for every configuration."""

import functools
import subprocess
import sys

import numpy as np
import pytest

import dnnlib.tflib as tflib
from dnnlib.tflib import xla
from tests import gpu_form
from tests.golden_figures import fresh_session
from tests.resumed_runs import resume, start, stopped_after, values, write_data
from tests.xla_steps import CONFIGS, build, measured
from training.loop import steps

QUICK_ONES = ('config-f',)
MEASURED = ('config-f', 'train.py:auto')


def _cases(quick, every):
    return [case if case in quick else pytest.param(case, marks=pytest.mark.long) for case in every]


@functools.cache
def _plain(config, **kwargs):
    return measured(config, is_xla=False, **kwargs)[0]


def _assert_alike(actual, expected, tolerance=2e-3):
    """Compare {step: {variable: change}}. The rounding of a step is that of its largest gradients."""
    assert set(actual) == set(expected)
    for step, changes in expected.items():
        assert set(actual[step]) == set(changes)
        for name, change in changes.items():
            error = np.linalg.norm(np.float64(actual[step][name]) - change)
            norm = np.linalg.norm(np.float64(change))
            assert np.isfinite(norm), f'{step}: {name}'
            # A gradient that is zero in theory consists of rounding errors.
            assert error <= tolerance * norm + 1e-2, f'{step}: {name} is off by {error:.3g} of {norm:.3g}'
    for step in ('G_train', 'D_train', 'Gs_update'):
        changed = [change for name, change in actual[step].items() if name.endswith('weight')]
        assert max(np.abs(change).max() for change in changed) > 0.1, f'{step} changes something'


@pytest.mark.parametrize('config', _cases(QUICK_ONES, CONFIGS))
def test_a_compiled_step_changes_what_the_plain_one_does(config):
    _assert_alike(measured(config, is_xla=True)[0], _plain(config),
                  tolerance=1e-4 if config in MEASURED else 2e-3)


@pytest.mark.long
@pytest.mark.parametrize('config', ['config-f', 'progan', 'train.py:auto', 'train.py:spectralnorm'])
def test_compiled_steps_of_several_devices_and_rounds_change_what_plain_ones_do(config):
    kwargs = dict(devices=2, rounds=2)
    _assert_alike(measured(config, is_xla=True, **kwargs)[0], _plain(config, **kwargs))


@pytest.mark.long
@pytest.mark.parametrize('config', CONFIGS)
def test_each_device_computes_one_part_before_the_sum_of_gradients_and_one_after_it(config):
    with xla.enabled(), fresh_session(tflib.device_config(2)):
        graph, sched = build(config, devices=2)
        for name in steps.COMPILED:
            op = getattr(graph, name)
            aliases = xla.phases.resolved([op], xla.phase_of(sched.lod))
            parts = xla.regions.divide(xla.cutting.ancestors([op], aliases=aliases), aliases).parts
            assert {depth for _, depth in parts} <= {0, 1}, name


@pytest.mark.long
@pytest.mark.parametrize('precision', ['mixed', 'bfloat16'])
@pytest.mark.parametrize('config', ['config-f', 'train.py:auto'])
def test_compiled_steps_in_half_precision_are_as_near_to_float32_as_plain_ones(config, precision):
    """With a smooth activation: rounding moves values near the kink of lrelu to its other side."""
    exact = _plain(config, nonlinearity='swish')
    plain, compiled = (_distances(measured(config, is_xla, name=precision, nonlinearity='swish')[0], exact)
                       for is_xla in (False, True))
    assert max(plain) > 1e-3, 'half precision is in use'
    assert np.mean(compiled) < 1.2 * np.mean(plain)
    assert max(compiled) < 1.2 * max(plain)


def _distances(actual, expected):
    """Return how far each changed variable is from its change in float32, relative to it. In variables of
    one number, such as noise strengths, addends cancel each other."""
    return [np.linalg.norm(np.float64(actual[step][name]) - change) / np.linalg.norm(change)
            for step, changes in expected.items()
            for name, change in changes.items() if change.size > 1 and np.linalg.norm(change) > 1]


@pytest.mark.long
@pytest.mark.parametrize('lod', [1.0, 0.3])
def test_growing_networks_are_compiled_for_the_layers_in_use(lod):
    _assert_alike(measured('stylegan', is_xla=True, lod=lod)[0], _plain('stylegan', lod=lod))


@pytest.mark.long
@pytest.mark.parametrize('config', ['config-f', 'stylegan'])
def test_steps_in_the_form_for_gpus_change_what_the_form_for_cpus_does(config):
    _assert_alike(measured(config, is_xla=True, form=gpu_form.built_for_gpus)[0], _plain(config))


@pytest.mark.long
def test_a_growing_run_compiles_each_step_once_for_each_phase(tmp_path):
    """At 8x8, three phases: 4x4, fading, and 8x8, of different minibatches per device."""
    write_data(tmp_path)
    command = [
        sys.executable, 'run_training.py', f'--data-dir={tmp_path}', '--dataset=tiny', '--config=stylegan',
        '--resolution=8', f'--result-dir={tmp_path / "results"}', '--total-kimg=1', '--metrics=none',
        '--xla=on', '--fmap-base=16', '--fmap-max=4', '--mapping-layers=1', '--lod-initial-resolution=4',
        '--lod-training-kimg=0.3', '--lod-transition-kimg=0.3', '--minibatch-size=16',
        '--minibatch-gpu-by-res=4:16,8:8']
    dumps = tmp_path / 'dumps'
    result = subprocess.run(command, check=True, capture_output=True, text=True,
                            env=xla.counted_environment(dumps))
    counts = xla.compilations(dumps)
    assert {name: counts.get(name) for name in ('G_train', 'D_train', 'Gs_update')} == {
        'G_train': 3, 'D_train': 3, 'Gs_update': 1}, result.stdout


@pytest.mark.long
@pytest.mark.parametrize(('first', 'then'), [('on', 'off'), ('off', 'on')])
def test_xla_may_change_when_a_run_resumes(tmp_path, first, then):
    data_dir = write_data(tmp_path)
    with stopped_after(4):
        run_dir = start(data_dir, tmp_path / 'stopped', xla=first)
    resume(run_dir, xla=then)
    plain = values(start(data_dir, tmp_path / 'plain'))
    resumed = values(run_dir)
    assert set(resumed) == set(plain)
    for name in ('trainer', 'data', 'seed'):
        assert resumed[name] == plain[name]
