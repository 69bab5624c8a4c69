"""Test that training on several CPU devices equals training on one, for each loss, and is repeatable."""

import functools
import inspect
import re
import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from tests.golden_figures import (
    QUICK,
    assert_close,
    fresh_session,
    one_hot,
    replaced_randomness,
    set_golden_values,
)
from tests.golden_recipe import deterministic_normal, golden_input
from training import loss, loss_stylegan
from training.data.export import TFRecordExporter
from training.dataset import TFRecordDataset
from training.loop.graph import GraphSettings, LossSettings, build_train_graph

MINIBATCH = 2  # images per device and round, which form one group of the minibatch statistics
TINY = dict(num_channels=3, resolution=4, label_size=3, fmap_base=32, fmap_max=4)
TINY_G = dict(TINY, func_name='training.networks_stylegan2.G_main', latent_size=4, dlatent_size=4,
              mapping_fmaps=4, mapping_layers=1, style_mixing_prob=None)
TINY_D = dict(TINY, func_name='training.networks_stylegan2.D_stylegan2', architecture='skip')
SGD = dict(tf_optimizer='tf.train.GradientDescentOptimizer')  # Adam turns rounding into sign flips
LRATE = 1024.0  # The test compares gradients, next to which the values of variables should be negligible.

# With a decay, a device that runs its rounds in sequence compares the second one with an updated mean, while
# devices in parallel start from the same mean. The two agree only to first order in the decay.
LOSS_ARGS = {'training.loss.G_logistic_ns_pathreg': dict(pl_decay=0.0)}
LOSSES = [f'{module.__name__}.{name}' for module in (loss, loss_stylegan)
          for name, function in inspect.getmembers(module, inspect.isfunction)
          if name.startswith(('G_', 'D_')) and function.__module__ == module.__name__]

USUAL = [f'training.{name}' for name in (
    'loss.G_logistic_ns', 'loss.G_logistic_ns_pathreg', 'loss.D_logistic_r1', 'loss.D_logistic',
    'loss_stylegan.G_logistic_saturating', 'loss_stylegan.D_wgan_gp')]
assert set(USUAL) < set(LOSSES)


def device_session(devices):
    return fresh_session({**QUICK, **tflib.device_config(devices)})


def make_networks():
    G, D = tflib.Network('G', **TINY_G), tflib.Network('D', **TINY_D)
    set_golden_values(G)
    set_golden_values(D)
    return G, D


def loss_args(name):
    return dict(func_name=name, **LOSS_ARGS.get(name, {}))


def normal_of_minibatch(first_minibatch, shape, **kwargs):
    """Replace normal noise by values that depend on its shape and on the minibatch it is drawn for.

    The minibatches of a round, one per device, are numbered from the tensor `first_minibatch`.
    """
    values = deterministic_normal(tf, shape, **kwargs)
    device = re.search(r'GPU(\d)', tf.get_default_graph().get_name_scope())
    shift = first_minibatch + int(device[1] if device else 0)
    return tf.reshape(tf.roll(tf.reshape(values, [-1]), shift, axis=0), tf.shape(values))


def replaced_by_minibatch(first_minibatch):
    return tflib.random.replaced(normal=functools.partial(normal_of_minibatch, first_minibatch))


def changes_by(ops_and_feeds, variables):
    """Return {name: change} of `variables` after these session calls, and restore their values."""
    before = tflib.run(variables)
    for op, feed in ops_and_feeds:
        tflib.run(op, feed)
    after = tflib.run(variables)
    tflib.set_vars({variables[key]: value for key, value in before.items()})
    return {key: after[key] - before[key] for key in after}


def largest(changes):
    return max(np.abs(change).max() for change in changes.values())


# Every loss separately: towers in one graph, on two devices


@pytest.fixture(scope='module')
def first_minibatch():
    """Open a session with two devices. -> tensor for the number of the first minibatch."""
    with device_session(2):
        yield tf.placeholder_with_default(0, [])


@pytest.fixture(scope='module')
def towers(first_minibatch):
    """Build networks and real images on each of two devices."""
    result = []
    for index in range(2):
        with tflib.device(index):
            G, D = make_networks()
            reals = tf.placeholder(tf.float32, [MINIBATCH, 3, 4, 4])
            result.append(types.SimpleNamespace(G=G, D=D, reals=reals))
    return result


def tower_loss(name, tower, opt):
    """Return the mean of a loss plus the mean of its regularizer."""
    labels = tf.constant(one_hot(MINIBATCH, 3))
    training_set = types.SimpleNamespace(get_random_labels_tf=lambda minibatch_size: labels[:minibatch_size])
    args = dict(loss_args(name), G=tower.G, D=tower.D, opt=opt, training_set=training_set,
                minibatch_size=MINIBATCH)
    if '.D_' in name:
        args.update(reals=tower.reals, labels=labels)
    result = dnnlib.util.call_func_by_name(**args)
    parts = result if isinstance(result, tuple) else [result]
    return tf.add_n([tf.reduce_mean(part) for part in parts if part is not None])


@pytest.mark.parametrize('name', [
    name if name in USUAL else pytest.param(name, marks=pytest.mark.long) for name in LOSSES])
def test_two_devices_equal_one_that_accumulates(name, first_minibatch, towers):
    alone = tflib.Optimizer(**SGD, learning_rate=LRATE, minibatch_multiplier=2)
    together = tflib.Optimizer(**SGD, learning_rate=LRATE)
    with replaced_randomness(), replaced_by_minibatch(first_minibatch):
        for index, tower in enumerate(towers):
            with tf.name_scope(f'GPU{index}'), tflib.device(index):
                value = tower_loss(name, tower, together)
                trained = (tower.D if '.D_' in name else tower.G).trainables
            for optimizer in ([alone, together] if index == 0 else [together]):
                optimizer.register_gradients(value, trained)
    alone, together = alone.apply_updates(), together.apply_updates()
    tflib.init_uninitialized_vars()

    reals = golden_input('reals', [2, MINIBATCH, 3, 4, 4])
    first, second = ({towers[0].reals: reals[i], first_minibatch: i} for i in range(2))
    copies = [(tower.D if '.D_' in name else tower.G).trainables for tower in towers]
    variables = {(index, key): var for index, copy in enumerate(copies) for key, var in copy.items()}
    expected = changes_by([(alone, first), (alone, second)], variables)
    actual = changes_by([(together, {**first, towers[1].reals: reals[1]})], variables)
    for key in copies[0]:
        assert_close(actual[0, key], expected[0, key], key)
        np.testing.assert_array_equal(actual[1, key], actual[0, key])
    without_second = changes_by([(alone, first), (alone, first)], variables)
    missing = {key: without_second[0, key] - expected[0, key] for key in copies[0]}
    assert largest(missing) > 0.01 * largest(expected), 'the second minibatch makes no difference'


# The whole training graph, with images from files


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    """Write a data set of 24 different images of 4x4 pixels with labels."""
    path = tmp_path_factory.mktemp('data') / 'tiny'
    images = np.clip(golden_input('images', [24, 3, 4, 4]) * 40 + 128, 0, 255).astype(np.uint8)
    with TFRecordExporter(str(path), len(images), print_progress=False) as exporter:
        for image in images:
            exporter.add_image(image)
        exporter.add_labels(one_hot(len(images), 3))
    return str(path)


def open_data(data_dir, shuffle_mb=0):
    data = TFRecordDataset(data_dir, max_label_size='full', shuffle_mb=shuffle_mb)
    data.configure(MINIBATCH)
    return data


def build(training_set, devices, rounds, G_loss, D_loss, mirror_augment=False, **opt_args):
    """Build the graph of a training iteration. -> graph, feed_dict."""
    with tflib.device(0):
        G, D = make_networks()
    settings = GraphSettings(
        LossSettings(G_loss, opt_args, 4), LossSettings(D_loss, opt_args, 16), lazy_regularization=True,
        mirror_augment=mirror_augment, drange_net=[-1, 1], G_smoothing_kimg=10.0)
    lrate = LRATE if opt_args else 0.002
    sched = dnnlib.EasyDict(lod=0.0, G_lrate=lrate, D_lrate=lrate,
                            minibatch_size=MINIBATCH * devices * rounds, minibatch_gpu=MINIBATCH)
    graph = build_train_graph(
        G, D, G.clone('Gs'), training_set, settings, [sched], tflib.Cluster(devices))
    return graph, graph.inputs.feed(sched)


def changes_by_training_ops(data_dir, devices, rounds):
    """Return {op: {variable: change}} for one update with the losses of StyleGAN2, from golden values."""
    with device_session(devices), replaced_randomness():
        first_minibatch = tf.placeholder_with_default(0, [])
        with replaced_by_minibatch(first_minibatch):
            G_loss = loss_args('training.loss.G_logistic_ns_pathreg')
            D_loss = loss_args('training.loss.D_logistic_r1')
            graph, feed = build(open_data(data_dir), devices, rounds, G_loss, D_loss, **SGD)
        variables = {var.op.name: var for var in tf.trainable_variables()}
        result = {}
        for name in ('G_train', 'G_reg', 'D_train', 'D_reg'):
            calls = []
            for index in range(rounds):
                calls += [(graph.data_put, feed), (graph.data_fetch, feed),
                          (getattr(graph, name), {**feed, first_minibatch: index * devices})]
            result[name] = changes_by(calls, variables)
    return result


def test_training_ops_of_four_devices_equal_those_of_one(data_dir):
    actual = changes_by_training_ops(data_dir, devices=4, rounds=1)
    for name, expected in changes_by_training_ops(data_dir, devices=1, rounds=4).items():
        assert largest(expected) > 1
        for key, change in expected.items():
            assert_close(actual[name][key], change, f'{name} {key}')


def values_after_training(data_dir):
    """Return all variables after three iterations on two devices with real random numbers."""
    with device_session(2):
        graph, feed = build(open_data(data_dir, shuffle_mb=1), 2, 1, loss_args('training.loss.G_wgan'),
                            loss_args('training.loss.D_wgan'), mirror_augment=True)
        for _ in range(3):
            for ops in ([graph.G_train, graph.data_put], [graph.Gs_update, graph.data_fetch], graph.D_train):
                tflib.run(ops, feed)
        return tflib.run({var.op.name: var for var in tf.global_variables()})


def test_training_on_two_devices_is_repeatable_bit_for_bit(data_dir):
    first, second = (values_after_training(data_dir) for _ in range(2))
    assert set(first) == set(second)
    for key, value in first.items():
        np.testing.assert_array_equal(second[key], value, err_msg=key)


def no_loss(**_kwargs):
    return tf.zeros([MINIBATCH, 1])


def test_devices_take_minibatches_in_turns(data_dir):
    with device_session(4):
        data = open_data(data_dir)
        no_loss_args = dict(func_name=f'{__name__}.no_loss')
        graph, feed = build(data, 4, 1, no_loss_args, no_loss_args)
        held = [var for var in tf.global_variables() if var.op.name.endswith('DataFetch/reals')]
        other = open_data(data_dir)
        for _ in range(50):
            tflib.run(graph.data_put, feed)
            tflib.run(graph.data_fetch, feed)
            for images in tflib.run(held):
                expected = other.get_minibatch_np(MINIBATCH)[0] / 127.5 - 1
                np.testing.assert_allclose(images, expected, atol=1e-6)
