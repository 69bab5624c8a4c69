"""Test the configurations against the published settings."""

import pytest

from training.settings.configs import CONFIGS, PRESETS, config_settings

ADAM = {'beta1': 0.0, 'beta2': 0.99, 'epsilon': 1e-8}
GROWING_LRATES = {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003}
GROWING_SCHED = {
    'lod_initial_resolution': 8, 'G_lrate_base': 0.001, 'D_lrate_base': 0.001,
    'G_lrate_dict': GROWING_LRATES, 'D_lrate_dict': GROWING_LRATES,
    'minibatch_size_base': 32, 'minibatch_size_dict': {8: 256, 16: 128, 32: 64, 64: 32},
    'minibatch_gpu_base': 4, 'minibatch_gpu_dict': {8: 32, 16: 16, 32: 8, 64: 4}}
SCHED = {'G_lrate_base': 0.002, 'D_lrate_base': 0.002, 'minibatch_size_base': 32, 'minibatch_gpu_base': 4}
TICKS_STYLEGAN = {4: 160, 8: 140, 16: 120, 32: 100, 64: 80, 128: 60, 256: 40, 512: 30, 1024: 20}

SG1, SG2 = 'training.networks_stylegan.', 'training.networks_stylegan2.'
REVISED = {'func_name': SG2 + 'G_main', 'synthesis_func': 'G_synthesis_stylegan_revised', 'fmap_base': 8192}
D_STYLEGAN = {'func_name': SG2 + 'D_stylegan', 'fmap_base': 8192}

# G, D, loss of G, lazy regularization (None: the default, which is on), gamma, schedule
TABLE = {
    'config-a': ({'func_name': SG1 + 'G_style'}, {'func_name': SG1 + 'D_basic'},
                 'G_logistic_ns', False, 10, GROWING_SCHED),
    'config-b': (REVISED, D_STYLEGAN, 'G_logistic_ns', False, 10, GROWING_SCHED),
    'config-c': (REVISED, D_STYLEGAN, 'G_logistic_ns', None, 10, GROWING_SCHED),
    'config-d': (REVISED, D_STYLEGAN, 'G_logistic_ns_pathreg', None, 10, GROWING_SCHED),
    'config-e': ({'func_name': SG2 + 'G_main', 'fmap_base': 8192},
                 {'func_name': SG2 + 'D_stylegan2', 'fmap_base': 8192},
                 'G_logistic_ns_pathreg', None, 100, SCHED),
    'config-f': ({'func_name': SG2 + 'G_main'}, {'func_name': SG2 + 'D_stylegan2'},
                 'G_logistic_ns_pathreg', None, 10, SCHED),
}


def test_the_configurations_are_the_published_ones_in_their_order():
    variants = [f'config-e-G{G}-D{D}' for G in ('orig', 'resnet', 'skip') for D in ('orig', 'resnet', 'skip')]
    assert list(CONFIGS) == [*TABLE, *variants]


@pytest.mark.parametrize('config', TABLE)
def test_a_configuration_has_the_published_settings_and_no_others(config):
    G, D, G_loss, lazy, gamma, sched = TABLE[config]
    expected = {
        'G_args': G, 'D_args': D, 'G_opt_args': ADAM, 'D_opt_args': ADAM,
        'G_loss_args': {'func_name': 'training.loss.' + G_loss},
        'D_loss_args': {'func_name': 'training.loss.D_logistic_r1', 'gamma': gamma},
        'sched_args': sched, 'grid_args': {'size': '8k', 'layout': 'random'},
        'tf_config': {'rnd.np_random_seed': 1000}, 'total_kimg': 25000,
        'image_snapshot_ticks': 10, 'network_snapshot_ticks': 10}
    if lazy is not None:
        expected['lazy_regularization'] = lazy
    assert config_settings(config) == expected


@pytest.mark.parametrize('G', ['orig', 'resnet', 'skip'])
@pytest.mark.parametrize('D', ['orig', 'resnet', 'skip'])
def test_variants_of_config_e_differ_in_their_architectures_alone(G, D):
    base, variant = config_settings('config-e'), config_settings(f'config-e-G{G}-D{D}')
    assert variant.pop('G_args') == {**base.pop('G_args'), 'architecture': G}
    assert variant.pop('D_args') == {**base.pop('D_args'), 'architecture': D}
    assert variant == base


# {number of devices: (global minibatch, its exceptions by resolution)}
MINIBATCHES = {
    1: (4, {4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4}),
    2: (8, {4: 256, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8}),
    4: (16, {4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16}),
    8: (32, {4: 512, 8: 256, 16: 128, 32: 64, 64: 32}),
}
PROGAN_LRATES = {1: {1024: 0.0015}, 2: {512: 0.0015, 1024: 0.002}, 4: {256: 0.0015, 512: 0.002, 1024: 0.003},
                 8: {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003}}


@pytest.mark.parametrize('num_gpus', MINIBATCHES)
@pytest.mark.parametrize('preset', PRESETS)
def test_presets_have_their_minibatches_by_number_of_devices(preset, num_gpus):
    base, table = MINIBATCHES[num_gpus]
    stylegan = preset == 'stylegan'
    lrates = GROWING_LRATES if stylegan else PROGAN_LRATES[num_gpus]
    assert config_settings(preset, num_gpus)['sched_args'] == {
        'lod_initial_resolution': 8 if stylegan else 4, 'G_lrate_base': 0.001, 'D_lrate_base': 0.001,
        'G_lrate_dict': lrates, 'D_lrate_dict': lrates,
        'tick_kimg_base': 160, 'tick_kimg_dict': TICKS_STYLEGAN,
        'minibatch_size_base': base, 'minibatch_size_dict': table, 'minibatch_gpu_base': base // num_gpus,
        'minibatch_gpu_dict': {resolution: size // num_gpus for resolution, size in table.items()}}


@pytest.mark.parametrize(('preset', 'G', 'D', 'G_loss', 'D_loss', 'grid_size', 'total_kimg'), [
    ('stylegan', SG1 + 'G_style', SG1 + 'D_basic', 'G_logistic_nonsaturating',
     {'func_name': 'training.loss.D_logistic_simplegp', 'r1_gamma': 10.0}, '4k', 25000),
    ('progan', 'training.networks_progan.G_paper', 'training.networks_progan.D_paper', 'G_wgan',
     {'func_name': 'training.loss.D_wgan_gp'}, '1080p', 12000),
])
def test_presets_have_the_settings_of_their_papers(preset, G, D, G_loss, D_loss, grid_size, total_kimg):
    settings = config_settings(preset, 8)
    del settings['sched_args']
    assert settings == {
        'G_args': {'func_name': G}, 'D_args': {'func_name': D}, 'G_opt_args': ADAM, 'D_opt_args': ADAM,
        'G_loss_args': {'func_name': 'training.loss.' + G_loss}, 'D_loss_args': D_loss,
        'lazy_regularization': False, 'grid_args': {'size': grid_size, 'layout': 'random'},
        'tf_config': {'rnd.np_random_seed': 1000}, 'total_kimg': total_kimg,
        'image_snapshot_ticks': 1, 'network_snapshot_ticks': 10}


def test_settings_of_one_configuration_cannot_leak_into_another():
    config_settings('config-f')['G_args']['fmap_base'] = 1
    assert 'fmap_base' not in config_settings('config-f')['G_args']
    assert 'fmap_base' not in CONFIGS['config-f']
