"""Test that the training schedule and the configurations are as published."""

import pytest

from dnnlib import EasyDict
from training.loop.schedule import training_schedule, with_D_lrate
from training.settings.configs import CONFIGS, PRESETS, config_settings

FFHQ = EasyDict(resolution_log2=10)
GROWING = dict(lod_initial_resolution=8, minibatch_size_dict={8: 256, 16: 128, 32: 64, 64: 32},
               minibatch_gpu_dict={8: 32, 16: 16, 32: 8, 64: 4}, G_lrate_base=0.001,
               G_lrate_dict={128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003})


def test_without_growing_everything_is_constant():
    for nimg in (0, 10_000_000):
        sched = training_schedule(nimg, FFHQ)
        assert (sched.lod, sched.resolution, sched.minibatch_size, sched.minibatch_gpu) == (0, 1024, 32, 4)
        assert (sched.G_lrate, sched.D_lrate, sched.tick_kimg) == (0.002, 0.002, 4)
        assert sched.kimg == nimg / 1000


@pytest.mark.parametrize(('kimg', 'lod', 'resolution'), [
    (0, 7, 8), (599, 7, 8), (900, 6.5, 16), (1200, 6, 16), (1800, 6, 16), (2100, 5.5, 32),
    (8399, 1 / 600, 1024), (8400, 0, 1024), (25000, 0, 1024),
])
def test_growing_alternates_between_training_and_fading(kimg, lod, resolution):
    sched = training_schedule(kimg * 1000, FFHQ, **GROWING)
    assert sched.lod == pytest.approx(lod)
    assert sched.resolution == resolution


def test_tables_by_resolution_override_the_base():
    sched = training_schedule(0, FFHQ, **GROWING)
    assert (sched.minibatch_size, sched.minibatch_gpu, sched.G_lrate, sched.tick_kimg) == (256, 32, 0.001, 28)
    sched = training_schedule(25_000_000, FFHQ, **GROWING)
    assert (sched.minibatch_size, sched.minibatch_gpu, sched.G_lrate, sched.tick_kimg) == (32, 4, 0.003, 4)


def test_phases_without_length_start_at_full_resolution_or_stay_where_they_are():
    no_phases = dict(lod_training_kimg=0, lod_transition_kimg=0)
    assert training_schedule(0, FFHQ, lod_initial_resolution=1024, **no_phases).lod == 0
    assert training_schedule(10 ** 8, FFHQ, lod_initial_resolution=8, **no_phases).lod == 7


def test_learning_rates_rise_from_zero():
    assert training_schedule(0, FFHQ, lrate_rampup_kimg=10).G_lrate == 0
    assert training_schedule(5000, FFHQ, lrate_rampup_kimg=10).D_lrate == pytest.approx(0.001)
    assert training_schedule(20000, FFHQ, lrate_rampup_kimg=10).D_lrate == pytest.approx(0.002)


def test_the_discriminator_has_its_own_learning_rate_where_one_is_given():
    both = dict(G_lrate_base=0.001, G_lrate_dict={128: 0.002}, D_lrate_base=0.003)
    assert with_D_lrate(both) == both
    assert with_D_lrate({'D_lrate_dict': {8: 0.1}}) == {'D_lrate_dict': {8: 0.1}}


def test_the_discriminator_has_the_learning_rate_of_the_generator_otherwise():
    given = dict(G_lrate_base=0.001, G_lrate_dict={64: 0.002}, tick_kimg_base=3)
    assert with_D_lrate(given) == {**given, 'D_lrate_base': 0.001, 'D_lrate_dict': {64: 0.002}}
    assert with_D_lrate({}) == {}


@pytest.mark.parametrize('config', [*CONFIGS, *PRESETS])
def test_published_configurations_have_one_learning_rate_for_both_networks(config):
    sched_args = config_settings(config)['sched_args']
    for resolution_log2 in range(2, 11):
        sched = training_schedule(0, EasyDict(resolution_log2=resolution_log2), **with_D_lrate(sched_args))
        assert sched.D_lrate == sched.G_lrate
