"""The configurations of the StyleGAN2 paper (Table 1 and, for the variants of E, Table 2) as differences from F."""

import copy

# Settings of config F, the final one: keyword arguments of training_loop.training_loop().
BASE = {
    'G_args':         {'func_name': 'training.networks_stylegan2.G_main'},
    'D_args':         {'func_name': 'training.networks_stylegan2.D_stylegan2'},
    'G_opt_args':     {'beta1': 0.0, 'beta2': 0.99, 'epsilon': 1e-8},
    'D_opt_args':     {'beta1': 0.0, 'beta2': 0.99, 'epsilon': 1e-8},
    'G_loss_args':    {'func_name': 'training.loss.G_logistic_ns_pathreg'},
    'D_loss_args':    {'func_name': 'training.loss.D_logistic_r1', 'gamma': 10},
    'sched_args':     {'G_lrate_base': 0.002, 'D_lrate_base': 0.002, 'minibatch_size_base': 32, 'minibatch_gpu_base': 4},
    'grid_args':      {'size': '8k', 'layout': 'random'},
    'tf_config':      {'rnd.np_random_seed': 1000},
    'image_snapshot_ticks': 10,
    'network_snapshot_ticks': 10,
}

_E = {'G_args': {'fmap_base': 8 << 10}, 'D_args': {'fmap_base': 8 << 10}, 'D_loss_args': {'gamma': 100}}


def _e_with(G_architecture, D_architecture):
    return merged(_E, {'G_args': {'architecture': G_architecture}, 'D_args': {'architecture': D_architecture}})


def merged(settings, changes):
    """Copy of nested settings with nested changes."""
    result = copy.deepcopy(settings)
    for key, value in changes.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and key in result else copy.deepcopy(value)
    return result


CONFIGS = {
    'config-e': _E,
    'config-f': {},
    **{f'config-e-G{G}-D{D}': _e_with(G, D)
       for G in ('orig', 'resnet', 'skip') for D in ('orig', 'resnet', 'skip')},
}


def config_settings(config_id):
    """All settings of a configuration: keyword arguments of the training loop. Raises KeyError for an unknown one."""
    return merged(BASE, CONFIGS[config_id])
