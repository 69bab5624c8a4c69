"""Test the whole training graph in half precision on two devices: gradients, overflows and loss scaling."""

import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from tests import xla_steps
from tests.golden_figures import QUICK, assert_close, fresh_session, replaced_randomness, set_golden_values
from tests.resumed_runs import write_data
from tests.test_devices import LRATE, SGD, largest, loss_args, replaced_by_minibatch
from training.dataset import TFRecordDataset
from training.loop.graph import GraphSettings, LossSettings, build_train_graph
from training.settings import precision
from training.settings.configs import config_settings

MINIBATCH = 4
TRAINING_STEPS = ('G_train', 'G_reg', 'D_train', 'D_reg')
SHAPE = dict(num_channels=3, resolution=8, label_size=0, **xla_steps.TINY)


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    """Write a data set of 20 different images of 8x8 pixels. -> its folder."""
    return str(write_data(tmp_path_factory.mktemp('data')) / 'tiny')


def _networks(settings):
    """Return G and D of config F, narrowed, with golden values and one style in each image."""
    G = tflib.Network('G', **{**settings['G_args'], **SHAPE, **xla_steps.TINY_G, 'style_mixing_prob': None})
    D = tflib.Network('D', **{**settings['D_args'], **SHAPE})
    set_golden_values(G)
    set_golden_values(D)
    return G, D


def _graph(data_dir, name, devices, rounds):
    """Build an iteration of config F in a precision. -> TrainGraph, the settings of the schedule."""
    settings = precision.in_settings(config_settings('config-f', 1), name, 'config-f')
    training_set = TFRecordDataset(data_dir, shuffle_mb=0)
    training_set.configure(MINIBATCH)
    with tflib.device(0):
        G, D = _networks(settings)
        Gs = G.clone('Gs')
    G_opt, D_opt = ({**SGD, **{key: value for key, value in settings[args].items() if 'scaling' in key}}
                    for args in ('G_opt_args', 'D_opt_args'))
    G_loss, D_loss = map(loss_args, ('training.loss.G_logistic_ns_pathreg', 'training.loss.D_logistic_r1'))
    sched = dnnlib.EasyDict(lod=0.0, G_lrate=LRATE, D_lrate=LRATE, minibatch_gpu=MINIBATCH,
                            minibatch_size=MINIBATCH * devices * rounds)
    graph = build_train_graph(
        G, D, Gs, training_set, GraphSettings(
            LossSettings(G_loss, G_opt, 4), LossSettings(D_loss, D_opt, 16), lazy_regularization=True,
            mirror_augment=False, drange_net=[-1, 1], G_smoothing_kimg=10.0),
        [sched], tflib.Cluster(devices))
    return graph, sched


def _changes(data_dir, name, devices, rounds):
    """Return {step: {variable: change}} for one update of each kind, from golden values."""
    result = {}
    with fresh_session({**QUICK, **tflib.device_config(devices)}), replaced_randomness():
        first_minibatch = tf.placeholder_with_default(0, [])
        with replaced_by_minibatch(first_minibatch):
            graph, sched = _graph(data_dir, name, devices, rounds)
        feed = graph.inputs.feed(sched)
        variables = {var.op.name: var for var in graph.variables}
        before = tflib.run(variables)
        for step in TRAINING_STEPS:
            for index in range(rounds):
                tflib.run(graph.data_put, feed)
                tflib.run(graph.data_fetch, feed)
                tflib.run(getattr(graph, step), {**feed, first_minibatch: index * devices})
            after = tflib.run(variables)
            result[step] = {key: after[key] - before[key] for key in after}
            tflib.set_vars({variables[key]: value for key, value in before.items()})
    return result


@pytest.mark.long
@pytest.mark.parametrize('name', ['mixed', 'bfloat16'])
def test_two_devices_with_other_images_each_train_as_one_that_takes_them_in_turn(name, data_dir):
    expected, actual = (_changes(data_dir, name, devices, rounds)
                        for devices, rounds in ((1, 2), (2, 1)))
    for step in TRAINING_STEPS:
        trained = {key: change for key, change in expected[step].items()
                   if re.match('D/' if step.startswith('D') else 'G_(mapping|synthesis)/', key)}
        assert largest(trained) > 1, step
        for key, change in trained.items():
            assert_close(actual[step][key], change, f'{step} {key}')


@pytest.mark.long
def test_an_overflow_of_one_device_skips_the_step_on_both_with_equal_factors(data_dir):
    with fresh_session({**QUICK, **tflib.device_config(2)}):
        graph, sched = _graph(data_dir, 'mixed', devices=2, rounds=1)
        feed = graph.inputs.feed(sched)
        tflib.run([graph.data_put], feed)
        tflib.run([graph.data_fetch], feed)
        trained = {*tf.trainable_variables()}
        second = {var for var, original in graph.copies.items() if original in trained}
        tflib.set_vars({var: np.full(var.shape, 1e30) for var in second})  # infinity in float16
        kept = [var for var in graph.variables if var in trained | second]
        factors = [var for var in graph.variables if 'loss_scaling_var' in var.op.name]
        before, log2 = tflib.run(kept), tflib.run(factors)
        assert log2 == [8.0] * 8, 'of four optimizers on two devices'
        for number, step in enumerate(TRAINING_STEPS, start=1):
            tflib.run(getattr(graph, step), feed)
            assert sorted(tflib.run(factors)) == [7.0] * 2 * number + [8.0] * (8 - 2 * number), step
            assert tflib.run([opt.skipped.total for opt in graph.optimizers]).count(1) == number
        for var, value, expected in zip(kept, tflib.run(kept), before, strict=True):
            np.testing.assert_array_equal(value, expected, err_msg=var.op.name)
        pairs = [(var, original) for var, original in graph.copies.items() if var in factors]
        assert len(pairs) == 4 and all(len(set(pair)) == 1 for pair in tflib.run(pairs))
