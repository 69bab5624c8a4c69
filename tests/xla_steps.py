"""Build the training steps of every configuration on tiny networks, plain or compiled by XLA, and measure
what they change.

    python -m tests.xla_steps     # prints what building and changes come to, as in docs/gpu.md
"""

import contextlib
import time

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib import xla
from dnnlib.util import EasyDict
from tests.golden_figures import QUICK, fresh_session, set_golden_values
from training.dataset import SyntheticDataset
from training.loop import steps
from training.loop.graph import GraphSettings, LossSettings, build_train_graph
from training.settings import ada_configs, ada_loop, precision
from training.settings.configs import config_settings

CONFIGS = ['config-a', 'config-b', 'config-c', 'config-d', 'config-e', 'config-f', 'stylegan', 'progan',
           *(f'train.py:{name}' for name in ('auto', 'cifar', *ada_configs.CMETHODS[1:]))]
RESOLUTION, MINIBATCH = 8, 4
# The change of a variable is its gradient: Adam would turn rounding errors into sign flips.
SGD = {'tf_optimizer': 'tf.train.GradientDescentOptimizer'}
LRATE = 1024.0  # Next to such changes, the rounding of the values of variables is negligible.
TINY = {'fmap_base': 32, 'fmap_max': 4}
TINY_G = {'latent_size': 4, 'dlatent_size': 4, 'mapping_fmaps': 4, 'mapping_layers': 2}
TINY_ADA = ada_configs.Cfg(ref_gpus=1, kimg=1, mb=MINIBATCH, mbstd=MINIBATCH, fmaps=1 / 512, lrate=0.002,
                           gamma=1, ema=10, ramp=0.05, map=2)


class Noise(SyntheticDataset):
    """Images of uniform noise, with labels."""

    def _generate_images(self, minibatch, lod, shape):
        return tf.cast(tflib.random.uniform([minibatch, *shape], 0, 256, dtype=tf.int32), tf.uint8)


def settings_of(config, name='float32'):
    """Return the arguments of the training loop for a configuration, or for a base configuration or a
    comparison method of train.py, such as 'train.py:cifar'. name: the precision."""
    if not config.startswith('train.py:'):
        return precision.in_settings(config_settings(config, 1), name, config)
    cfg = config.removeprefix('train.py:')
    is_method = cfg in ada_configs.CMETHODS
    options = ada_configs.cfg_options('auto' if is_method else cfg, TINY_ADA, MINIBATCH)
    has_pipeline = cfg not in ('pagan', 'wgangp', 'adropout')
    options['augment_args'] = ada_configs.augment_options('ada' if has_pipeline else 'noaug', augpipe='bgc')
    options['augment_args']['initial_strength'] = 0.5
    settings = ada_loop.training_settings(
        ada_configs.with_cmethod(options, cfg if is_method else 'nocmethod'))
    return precision.in_networks(settings, name)


def build(config, devices=1, rounds=1, lod=0.0, name='float32', **network_args):
    """Build the graph of a training iteration. name: the precision. network_args: arguments of both
    networks. -> TrainGraph, the settings of the schedule."""
    settings = settings_of(config, name)
    opt_args = {**SGD, **{key: value for key, value in settings['G_opt_args'].items() if 'scaling' in key}}
    shape = dict(num_channels=3, resolution=RESOLUTION, label_size=0, **network_args)
    G_tiny = {} if config == 'progan' else TINY_G
    with tflib.device(0):
        G = tflib.Network('G', **{**settings['G_args'], **shape, **TINY, **G_tiny})
        D = tflib.Network('D', **{**settings['D_args'], **shape, **TINY})
        set_golden_values(G)
        set_golden_values(D)
        _converge_spectral_norms(D)
        Gs = G.clone('Gs')
        tflib.set_vars({var: value / 2 for var, value in zip(
            Gs.trainables.values(), tflib.run(list(Gs.trainables.values())), strict=True)})
    training_set = Noise(resolution=RESOLUTION)
    sched = EasyDict(lod=lod, G_lrate=LRATE, D_lrate=LRATE, minibatch_gpu=MINIBATCH,
                     minibatch_size=MINIBATCH * devices * rounds)
    training_set.configure(MINIBATCH, lod)
    graph = build_train_graph(G, D, Gs, training_set, GraphSettings(
        LossSettings(settings.get('G_loss_args', {}), opt_args, 4),
        LossSettings(settings.get('D_loss_args', {}), opt_args, 16),
        settings.get('lazy_regularization', True), mirror_augment=True, drange_net=[-1, 1],
        G_smoothing_kimg=0.008, G_smoothing_rampup=settings.get('G_smoothing_rampup'),
        loss_args=settings.get('loss_args', {}),
        augment_args=settings.get('augment_args', {})),
        [sched], tflib.Cluster(devices), seed=1)
    return graph, sched


def _converge_spectral_norms(D):
    """Set the estimated singular vectors of weights to the exact ones. Every evaluation in a step refines
    them, and TensorFlow leaves open which one another evaluation reads."""
    for name, var in D.vars.items():
        if name.endswith('_sn'):
            weights = D.get_var(name.removesuffix('_sn'))
            _, _, rows = np.linalg.svd(weights.reshape(-1, weights.shape[-1]), full_matrices=False)
            tflib.set_vars({var: rows[:1]})


def measured(config, is_xla, devices=1, rounds=1, form=contextlib.nullcontext, **kwargs):
    """Run each step, from the same values of all variables. form: context in which the graph is built.

    -> {step: {variable: change}}, seconds of processor time to build and run all steps.
    """
    config_dict = {**QUICK, **tflib.device_config(devices)}
    changes, start = {}, time.process_time()
    with xla.enabled(is_xla), fresh_session(config_dict), form():
        graph, sched = build(config, devices, rounds, **kwargs)
        runner = steps.Steps(graph)
        feed = {**graph.inputs.feed(sched), graph.inputs.nimg: 80, graph.inputs.step: 7}
        tflib.run(graph.data_put, feed)
        tflib.run(graph.data_fetch, feed)
        tflib.autosummary.finalize_autosummaries()
        variables = {var.op.name: var for var in graph.variables}
        before = tflib.run(variables)
        for name in steps.COMPILED:
            for _ in range(1 if name == 'Gs_update' else rounds):
                runner.run([getattr(graph, name)], feed, sched)
            after = tflib.run(variables)
            changes[name] = {key: after[key] - before[key] for key in after}
            tflib.set_vars({variables[key]: value for key, value in before.items()})
    return changes, time.process_time() - start


def largest_difference(actual, expected):
    """Compare what `measured` returns: the largest difference between two changes of a variable, relative to
    the change, where it is more than rounding errors."""
    return max(np.linalg.norm(np.float64(actual[step][name]) - change) / np.linalg.norm(change)
               for step, changes in expected.items()
               for name, change in changes.items() if np.linalg.norm(change) > 1)


def main():
    """Print a row for each configuration."""
    for config in CONFIGS:
        (plain, plain_seconds), (compiled, seconds) = (measured(config, is_xla) for is_xla in (False, True))
        print(f'| `{config}` | {plain_seconds:.0f} | {seconds:.0f} '
              f'| {largest_difference(compiled, plain):.1e} |', flush=True)


if __name__ == '__main__':
    main()
