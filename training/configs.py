"""The configurations of the StyleGAN2 paper (Tables 1 and 2) as differences from the final one, F."""

import copy

# Settings of config F: keyword arguments of training_loop.training_loop().
BASE = {
    'G_args': {'func_name': 'training.networks_stylegan2.G_main'},
    'D_args': {'func_name': 'training.networks_stylegan2.D_stylegan2'},
    'G_opt_args': {'beta1': 0.0, 'beta2': 0.99, 'epsilon': 1e-8},
    'D_opt_args': {'beta1': 0.0, 'beta2': 0.99, 'epsilon': 1e-8},
    'G_loss_args': {'func_name': 'training.loss.G_logistic_ns_pathreg'},
    'D_loss_args': {'func_name': 'training.loss.D_logistic_r1', 'gamma': 10},
    'sched_args': {
        'G_lrate_base': 0.002,
        'D_lrate_base': 0.002,
        'minibatch_size_base': 32,
        'minibatch_gpu_base': 4,
    },
    'grid_args': {'size': '8k', 'layout': 'random'},
    'tf_config': {'rnd.np_random_seed': 1000},
    'image_snapshot_ticks': 10,
    'network_snapshot_ticks': 10,
}

_E = {'G_args': {'fmap_base': 8 << 10}, 'D_args': {'fmap_base': 8 << 10}, 'D_loss_args': {'gamma': 100}}


def merged(settings, changes):
    """Copy of nested settings with nested changes."""
    result = copy.deepcopy(settings)
    for key, value in changes.items():
        nested = isinstance(value, dict) and key in result
        result[key] = merged(result[key], value) if nested else copy.deepcopy(value)
    return result


def _e_variant(G, D):
    return merged(_E, {'G_args': {'architecture': G}, 'D_args': {'architecture': D}})


_ARCHITECTURES = ('orig', 'resnet', 'skip')

CONFIGS = {
    'config-e': _E,
    'config-f': {},
    **{f'config-e-G{G}-D{D}': _e_variant(G, D) for G in _ARCHITECTURES for D in _ARCHITECTURES},
}


def config_settings(config_id):
    """All settings of a configuration. Raises KeyError for an unknown one."""
    return merged(BASE, CONFIGS[config_id])
