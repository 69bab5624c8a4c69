"""The published configurations.

Those of StyleGAN2 (Tables 1 and 2 of its paper) are differences from config F. The minibatches of StyleGAN
and Progressive GAN depend on the number of devices.
"""

import copy

GROUP_SIZE = 4  # of the minibatch standard deviation in every published discriminator


def merged(settings, changes):
    """Copy nested settings and apply nested changes."""
    result = copy.deepcopy(settings)
    for key, value in changes.items():
        nested = isinstance(value, dict) and key in result
        result[key] = merged(result[key], value) if nested else copy.deepcopy(value)
    return result


# Arguments of training_loop.training_loop() that all configurations share.
_COMMON = {
    'G_opt_args': {'beta1': 0.0, 'beta2': 0.99, 'epsilon': 1e-8},
    'D_opt_args': {'beta1': 0.0, 'beta2': 0.99, 'epsilon': 1e-8},
    'tf_config': {'rnd.np_random_seed': 1000},
    'total_kimg': 25000,
    'network_snapshot_ticks': 10,
}

_F = merged(_COMMON, {
    'G_args': {'func_name': 'training.networks_stylegan2.G_main'},
    'D_args': {'func_name': 'training.networks_stylegan2.D_stylegan2'},
    'G_loss_args': {'func_name': 'training.loss.G_logistic_ns_pathreg'},
    'D_loss_args': {'func_name': 'training.loss.D_logistic_r1', 'gamma': 10},
    'sched_args': {
        'G_lrate_base': 0.002,
        'D_lrate_base': 0.002,
        'minibatch_size_base': 32,
        'minibatch_gpu_base': 4,
    },
    'grid_args': {'size': '8k', 'layout': 'random'},
    'image_snapshot_ticks': 10,
})

# Keyed by resolution.
_GROWING_LRATES = {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003}
_GROWING = {
    'lod_initial_resolution': 8,
    'G_lrate_base': 0.001,
    'D_lrate_base': 0.001,
    'G_lrate_dict': _GROWING_LRATES,
    'D_lrate_dict': _GROWING_LRATES,
}

# Differences from F, each from the one before it.
_E = {
    'G_args': {'fmap_base': 8 << 10},
    'D_args': {'fmap_base': 8 << 10},
    'D_loss_args': {'gamma': 100},
}
_D = merged(_E, {
    'G_args': {'synthesis_func': 'G_synthesis_stylegan_revised'},
    'D_args': {'func_name': 'training.networks_stylegan2.D_stylegan'},
    'D_loss_args': {'gamma': 10},
    'sched_args': {
        **_GROWING,
        'minibatch_size_dict': {8: 256, 16: 128, 32: 64, 64: 32},
        'minibatch_gpu_dict': {8: 32, 16: 16, 32: 8, 64: 4},
    },
})
_C = merged(_D, {'G_loss_args': {'func_name': 'training.loss.G_logistic_ns'}})
_B = merged(_C, {'lazy_regularization': False})
_A = {
    **_B,
    'G_args': {'func_name': 'training.networks_stylegan.G_style'},
    'D_args': {'func_name': 'training.networks_stylegan.D_basic'},
}
_ARCHITECTURES = ('orig', 'resnet', 'skip')

CONFIGS = {
    'config-a': _A,
    'config-b': _B,
    'config-c': _C,
    'config-d': _D,
    'config-e': _E,
    'config-f': {},
    **{f'config-e-G{G}-D{D}': merged(_E, {'G_args': {'architecture': G}, 'D_args': {'architecture': D}})
       for G in _ARCHITECTURES for D in _ARCHITECTURES},
}

_STYLEGAN = merged(_COMMON, {
    'G_args': {'func_name': 'training.networks_stylegan.G_style'},
    'D_args': {'func_name': 'training.networks_stylegan.D_basic'},
    'G_loss_args': {'func_name': 'training.loss.G_logistic_nonsaturating'},
    'D_loss_args': {'func_name': 'training.loss.D_logistic_simplegp', 'r1_gamma': 10.0},
    'lazy_regularization': False,
    'sched_args': {
        **_GROWING,
        'tick_kimg_base': 160,
        'tick_kimg_dict': {4: 160, 8: 140, 16: 120, 32: 100, 64: 80, 128: 60, 256: 40, 512: 30, 1024: 20},
    },
    'grid_args': {'size': '4k', 'layout': 'random'},
    'image_snapshot_ticks': 1,
})

_PROGAN = merged(_STYLEGAN, {
    'G_args': {'func_name': 'training.networks_progan.G_paper'},
    'D_args': {'func_name': 'training.networks_progan.D_paper'},
    'G_loss_args': {'func_name': 'training.loss.G_wgan'},
    'sched_args': {'lod_initial_resolution': 4},
    'grid_args': {'size': '1080p'},
    'total_kimg': 12000,
})
_PROGAN['D_loss_args'] = {'func_name': 'training.loss.D_wgan_gp'}

# {number of devices: (global minibatch, {resolution: global minibatch where it differs})}
_MINIBATCHES = {
    1: (4, {4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4}),
    2: (8, {4: 256, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8}),
    4: (16, {4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16}),
    8: (32, {4: 512, 8: 256, 16: 128, 32: 64, 64: 32}),
}

# {number of devices: {resolution: learning rate where it differs}}
_PROGAN_LRATES = {
    1: {1024: 0.0015},
    2: {512: 0.0015, 1024: 0.002},
    4: {256: 0.0015, 512: 0.002, 1024: 0.003},
    8: {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003},
}


def _stylegan(num_gpus):
    """Return the preset of the StyleGAN paper."""
    return merged(_STYLEGAN, {'sched_args': _minibatches(num_gpus)})


def _progan(num_gpus):
    """Return the preset of Progressive GAN: WGAN-GP, learning rates by number of devices."""
    settings = merged(_PROGAN, {'sched_args': _minibatches(num_gpus)})
    lrates = _row_for(_PROGAN_LRATES, num_gpus)
    settings['sched_args'].update(G_lrate_dict=lrates, D_lrate_dict=lrates)
    return settings


PRESETS = {'stylegan': _stylegan, 'progan': _progan}


def _row_for(table, num_gpus):
    """Return the row of the largest number of devices up to `num_gpus`."""
    return table[max(count for count in table if count <= num_gpus)]


def _minibatches(num_gpus):
    """Return schedule arguments: minibatches in one round, lowered to what the devices can share evenly."""
    base, table = _row_for(_MINIBATCHES, num_gpus)
    base = _share(base, num_gpus)
    shares = {resolution: _share(size, num_gpus) for resolution, size in table.items()}
    return {
        'minibatch_size_base': base * num_gpus,
        'minibatch_size_dict': {resolution: share * num_gpus for resolution, share in shares.items()},
        'minibatch_gpu_base': base,
        'minibatch_gpu_dict': shares,
    }


def _share(size, num_gpus):
    """Return the most images per device, up to `size` in total, that make whole groups."""
    return max((share for share in range(size // num_gpus + 1) if makes_groups(share)), default=0)


def makes_groups(minibatch_gpu, group_size=GROUP_SIZE):
    """Return whether a minibatch can be split into groups for the minibatch standard deviation."""
    return minibatch_gpu < group_size or minibatch_gpu % group_size == 0


def config_settings(config_id, num_gpus=1):
    """Return all settings of a configuration. Raises KeyError for an unknown one."""
    if config_id in PRESETS:
        return PRESETS[config_id](num_gpus)
    return merged(_F, CONFIGS[config_id])
