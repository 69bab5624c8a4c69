"""Test --precision: what it means for settings, and runs in float16 that stop, overflow and change it."""

import types

import numpy as np
import pytest

import dnnlib.tflib as tflib
from dnnlib.tflib.ops import cpu_kernels
from dnnlib.util import UserError
from tests.golden_figures import QUICK, fresh_session
from tests.resumed_runs import (
    ADAM,
    TINY_D,
    TINY_G,
    differences,
    resume,
    start,
    stopped_after,
    summaries,
    values,
    write_data,
)
from training import misc
from training.loop import starting_networks
from training.loop.starting_networks import NetworkSettings
from training.resuming import command, found_runs
from training.settings import precision
from training.settings.configs import CONFIGS, PRESETS, config_settings

SCALING = dict(use_loss_scaling=True, loss_scaling_init=24.0, loss_scaling_inc=0.25)  # too large at first
MIXED = dict(G_args={**TINY_G, **precision.HALF}, D_args={**TINY_D, **precision.HALF},
             G_opt_args={**ADAM, **SCALING}, D_opt_args={**ADAM, **SCALING}, precision='mixed',
             network_snapshot_ticks=2, max_skipped_steps=20)
IN_BFLOAT16 = {**precision.HALF, 'half_dtype': 'bfloat16'}
BFLOAT16 = dict(G_args={**TINY_G, **IN_BFLOAT16}, D_args={**TINY_D, **IN_BFLOAT16}, precision='bfloat16',
                total_kimg=0.024)
HAVE_MIXED = [name for name in CONFIGS if name.startswith(('config-e', 'config-f'))]
DATA = types.SimpleNamespace(shape=[3, 8, 8], label_size=0)


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='module')
def brain(data_dir, tmp_path_factory):
    """Train in bfloat16. -> run directory."""
    return start(data_dir, tmp_path_factory.mktemp('bfloat16'), **BFLOAT16)


@pytest.fixture(scope='module')
def mixed(data_dir, tmp_path_factory):
    """Train in mixed precision. -> run directory."""
    return start(data_dir, tmp_path_factory.mktemp('mixed'), **MIXED)


def test_overflows_are_skipped_and_counted_and_lower_the_loss_scaling_until_training_goes_on(mixed):
    recorded = summaries(mixed)
    skipped = [value for _, value in recorded['Progress/skipped_steps']]
    assert skipped[0] > 0
    for name in ('TrainG', 'TrainD', 'RegG', 'RegD'):
        scaling = [value for _, value in recorded[f'{name}/loss_scaling_log2'] if not np.isnan(value)]
        assert min(scaling) < 24, name
    frequencies = [value for _, value in recorded['TrainG/overflow_frequency']]
    assert frequencies[-1] < 1, 'the last tick has steps that were not skipped'
    arrays = {name: value for name, value in values(mixed).items() if isinstance(value, np.ndarray)}
    for net in ('G_synthesis/', 'D/'):
        moments = [value for name, value in arrays.items() if name.startswith(net) and '_opt0' in name]
        assert any(map(np.any, moments)), net
    assert all(np.isfinite(value).all() for value in arrays.values())


def test_a_run_that_stops_ends_as_one_in_one_go_with_its_loss_scaling(mixed, data_dir, tmp_path):
    with stopped_after(5):
        other = start(data_dir, tmp_path, **MIXED)
        while not (other / 'network-final.pkl').exists():
            resume(other)
    scaling = {name: value for name, value in values(mixed).items() if 'loss_scaling_var' in name}
    assert len(scaling) == 4 and len(set(map(float, scaling.values()))) > 1
    assert differences(mixed, other) == []


def test_a_run_in_bfloat16_that_stops_ends_as_one_in_one_go(brain, data_dir, tmp_path):
    with stopped_after(4):
        other = start(data_dir, tmp_path, **BFLOAT16)
        while not (other / 'network-final.pkl').exists():
            resume(other)
    assert differences(brain, other) == []
    arrays = [value for value in values(brain).values() if isinstance(value, np.ndarray)]
    assert all(np.isfinite(value).all() for value in arrays)


def test_a_run_in_bfloat16_stays_in_it(brain):
    run = found_runs.find_run(str(brain), None)
    command.settings_with(run, {'precision': 'bfloat16', 'fp16': 'auto'}, [], None)
    for flag, value in (('precision', 'mixed'), ('fp16', 'true'), ('fp16', 'false')):
        with pytest.raises(UserError, match=f'--{flag}={value} contradicts the run in '):
            command.settings_with(run, {flag: value}, [], None)


def test_networks_of_bfloat16_are_drawn_in_float32_without_a_gpu(brain):
    latents = np.random.RandomState(1).randn(2, 4)
    with fresh_session(QUICK):
        Gs = misc.load_pkl(str(brain / 'network-final.pkl'))[2]
        assert _kwargs([Gs]) == {(4, 256, 'bfloat16')}
        plain, full, half = (Gs.run(latents, None, randomize_noise=False, **kwargs)
                             for kwargs in ({}, {'num_fp16_res': 0}, {'num_fp16_res': 4}))
    np.testing.assert_array_equal(plain, full)
    assert 1e-3 < np.abs(half - full).max() < 0.3


@pytest.mark.parametrize(('flags', 'is_slow'), [
    ('avx2 avx512f', True), ('avx512f avx512_bf16', False), ('avx512f amx_bf16', False), ('', False)])
def test_a_processor_that_emulates_bfloat16_is_announced(flags, is_slow, monkeypatch, capsys):
    monkeypatch.setattr(cpu_kernels, '_cpu_flags', lambda: set(flags.split()))
    monkeypatch.setattr(starting_networks, '_make', lambda *args: (None, None, None))
    for name in ('bfloat16', 'mixed'):
        starting_networks.make(NetworkSettings({}, {}, False, True, name), DATA, None)
        assert ('bfloat16, which is emulated' in capsys.readouterr().out) == (is_slow and name == 'bfloat16')


def test_a_resumed_run_keeps_its_precision(mixed):
    run = found_runs.find_run(str(mixed), None)
    sc = command.settings_with(run, {'precision': 'mixed', 'fp16': 'true'}, [], None)
    assert sc.run_func_kwargs['precision'] == 'mixed'
    for flag, value, there in (
            ('precision', 'float32', 'mixed'), ('precision', 'tf32', 'mixed'), ('fp16', 'false', 'true')):
        with pytest.raises(UserError, match=f'--{flag}={value} contradicts the run in .*, which has {there}'):
            command.settings_with(run, {flag: value}, [], None)


def _kwargs(networks):
    """Return the arguments of networks about precision, and those of the synthesis networks."""
    parts = [part for net in networks for part in (net, net.components.get('synthesis', net))]
    names = ('num_fp16_res', 'conv_clamp', 'half_dtype')
    return {tuple(part.static_kwargs[name] for name in names if name in part.static_kwargs) for part in parts}


def test_weights_move_between_precisions(mixed, tmp_path):
    path = str(mixed / 'network-final.pkl')
    latents = np.random.RandomState(1).randn(2, 4)
    with fresh_session(QUICK):
        assert _kwargs(misc.load_pkl(path)) == {(4, 256)}
        full = starting_networks.make(NetworkSettings({}, {}, False, True, 'float32'), DATA, path)
        assert _kwargs(full) == {(0, 256)}
        misc.save_pkl(full, str(tmp_path / 'full.pkl'))
        half = starting_networks.make(
            NetworkSettings({}, {}, False, True, 'mixed'), DATA, str(tmp_path / 'full.pkl'))
        assert _kwargs(half) == {(4, 256)}
        brain = starting_networks.make(NetworkSettings({}, {}, False, True, 'bfloat16'), DATA, path)
        assert _kwargs(brain) == {(4, 256, 'bfloat16')}
        misc.save_pkl(brain, str(tmp_path / 'bfloat16.pkl'))
        again = starting_networks.make(
            NetworkSettings({}, {}, False, True, 'mixed'), DATA, str(tmp_path / 'bfloat16.pkl'))
        assert _kwargs(again) == {(4, 256)}
        images = [Gs.run(latents, None, randomize_noise=False) for Gs in (full[2], half[2])]
        np.testing.assert_array_equal(*images)  # both in float32, without a GPU
        in_half = half[2].run(latents, None, randomize_noise=False, num_fp16_res=4)
        assert 0 < np.abs(in_half - images[0]).max() < 0.05


def test_networks_without_a_form_in_mixed_precision_are_refused(tmp_path):
    size = dict(num_channels=3, resolution=8, fmap_max=4)
    with fresh_session(QUICK):
        G = tflib.Network('G', 'training.networks_progan.G_paper', latent_size=4, **size)
        D = tflib.Network('D', 'training.networks_progan.D_paper', **size)
        misc.save_pkl((G, D, G), str(tmp_path / 'progan.pkl'))
        with pytest.raises(UserError, match=r'progan.pkl: network G has no form in mixed precision; choose'):
            starting_networks.make(
                NetworkSettings({}, {}, False, True, 'mixed'), DATA, str(tmp_path / 'progan.pkl'))


@pytest.mark.parametrize('config', [*CONFIGS, *PRESETS])
def test_configurations_that_do_not_grow_have_mixed_precision(config):
    settings = config_settings(config)
    for name in ('float32', 'tf32'):
        assert precision.in_settings(settings, name, config) == {**settings, 'precision': name}
    if config not in HAVE_MIXED:
        for name in ('mixed', 'bfloat16'):
            with pytest.raises(UserError, match=f'={name} does not apply to --config={config}, whose'):
                precision.in_settings(settings, name, config)
        return
    found = precision.in_settings(settings, 'mixed', config)
    for args in ('G_args', 'D_args'):
        assert found[args] == {**settings[args], 'num_fp16_res': 4, 'conv_clamp': 256}
    for args in ('G_opt_args', 'D_opt_args'):
        assert found[args] == {**settings[args], 'use_loss_scaling': True, 'loss_scaling_init': 8}
    networks = {name: {**settings[name], **IN_BFLOAT16} for name in ('G_args', 'D_args')}
    assert precision.in_settings(settings, 'bfloat16', config) == {
        **settings, **networks, 'precision': 'bfloat16'}


@pytest.mark.parametrize(('flag', 'fp16', 'expected'), [
    (None, None, None), (None, 'auto', None), (None, 'true', 'mixed'), (None, 'false', 'float32'),
    ('tf32', None, 'tf32'), ('tf32', 'auto', 'tf32'), ('tf32', 'false', 'tf32'), ('mixed', 'true', 'mixed'),
    ('bfloat16', None, 'bfloat16'), ('bfloat16', 'auto', 'bfloat16')])
def test_the_two_flags_agree(flag, fp16, expected):
    assert precision.chosen(flag, fp16) == expected


@pytest.mark.parametrize(('flag', 'fp16'), [
    ('mixed', 'false'), ('float32', 'true'), ('tf32', 'true'), ('bfloat16', 'true'), ('bfloat16', 'false')])
def test_flags_that_contradict_each_other_are_refused(flag, fp16):
    with pytest.raises(UserError, match=f'--precision={flag} contradicts --fp16={fp16}; omit one of them'):
        precision.chosen(flag, fp16)
