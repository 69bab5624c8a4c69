"""Test that operations compiled by XLA do what the plain ones do, and when something is compiled."""

import operator
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib import autosummary, network_pickle, xla
from dnnlib.tflib.parallel import collectives
from dnnlib.tflib.xla import regions
from dnnlib.util import UserError
from tests import small_networks
from tests.golden_figures import QUICK, assert_close, fresh_session, set_golden_values
from training.augmentation import geometry


@pytest.fixture
def xla_session():
    """Open a session with two devices whose graph is built for XLA."""
    with xla.enabled(), fresh_session({**QUICK, **tflib.device_config(2)}) as session:
        yield session
    assert not xla.is_enabled()


def _train_op(devices, **kwargs):
    """Build the update of a variable towards the mean of what is fed. -> operation, placeholder, variables,
    optimizer."""
    fed = tf.placeholder(tf.float32, [4], name='fed')
    kwargs = {'tf_optimizer': 'tf.train.GradientDescentOptimizer', **kwargs}
    opt = tflib.Optimizer(learning_rate=0.1, **kwargs)
    variables = []
    for device in range(devices):
        with tflib.device(device), tf.name_scope(f'GPU{device}'):
            var = tf.Variable(1.0, name='weight')
            loss = autosummary.autosummary('Loss', tf.reduce_mean(tf.square(var - fed * (device + 1))))
            opt.register_gradients(loss, [var])
            variables.append(var)
    op = opt.apply_updates()
    tflib.init_uninitialized_vars()
    return op, fed, variables, opt


def _values_after(is_xla, devices, fed_values, **kwargs):
    with xla.enabled(is_xla), fresh_session({**QUICK, **tflib.device_config(devices)}):
        op, fed, _, _ = _train_op(devices, **kwargs)
        op = xla.compiled(op) if is_xla else op
        for value in fed_values:
            tflib.run(op, {fed: np.full([4], value)})
        return tflib.run({var.op.name: var for var in tf.global_variables()})


class Momentum:
    """An optimizer with only what tflib.Optimizer asks for. It creates its state when it is applied."""

    def __init__(self, name, learning_rate):
        self.name, self.learning_rate, self._means = name, learning_rate, {}

    def variables(self):
        return list(self._means.values())

    def compute_gradients(self, loss, var_list, gate_gradients):
        return list(zip(tf.gradients(loss, var_list), var_list, strict=True))

    def apply_gradients(self, grads_and_vars):
        ops = []
        for gradient, var in grads_and_vars:
            if var not in self._means:
                with tf.control_dependencies(None):
                    self._means[var] = tf.Variable(tf.zeros(var.shape), trainable=False, name=self.name)
            mean = 0.5 * (self._means[var] + gradient)
            ops += [tf.assign(self._means[var], mean), tf.assign_sub(var, self.learning_rate * mean)]
        return tf.group(*ops)


@pytest.mark.parametrize('devices', [1, 2])
@pytest.mark.parametrize('kwargs', [
    {}, dict(minibatch_multiplier=2), dict(use_loss_scaling=True),
    dict(tf_optimizer='tf.train.AdamOptimizer'),
    dict(tf_optimizer='dnnlib.tflib.optimizer.SimpleAdam', minibatch_multiplier=2),
    dict(tf_optimizer=f'{__name__}.Momentum'),
    dict(tf_optimizer=f'{__name__}.Momentum', minibatch_multiplier=2)])
def test_a_compiled_update_leaves_the_same_values_in_all_variables(kwargs, devices):
    fed_values = [3.0, np.inf, 5.0, 2.0]  # one step is skipped
    plain, compiled = (_values_after(is_xla, devices, fed_values, **kwargs) for is_xla in (False, True))
    assert set(plain) == set(compiled)
    for name, value in plain.items():
        np.testing.assert_allclose(compiled[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
    assert any(name.endswith('SkippedSteps/total') and value > 0 for name, value in compiled.items())


def _calls(fetches):
    """Return the calls of compiled functions among what is needed, and all other operations."""
    ops = xla.cutting.ancestors([getattr(fetch, 'op', fetch) for fetch in fetches], lambda op: False)
    calls = [op for op in ops if op.type == 'StatefulPartitionedCall']
    return calls, [op for op in ops if op not in calls]


def test_a_step_on_one_device_is_one_computation_with_its_summaries_inside(xla_session):
    op, fed, _, _ = _train_op(1)
    calls, others = _calls([xla.compiled(op, 'train')])
    assert len(calls) == 1
    assert {other.type for other in others} <= {'VarHandleOp', 'Placeholder', 'Const', 'NoOp'}
    assert 'Autosummary/Loss/Variable' in {tensor.op.name for tensor in calls[0].inputs}


def test_a_step_on_two_devices_is_one_computation_each_before_and_after_the_collective(xla_session):
    op, _, _, _ = _train_op(2)
    calls, others = _calls([xla.compiled(op, 'train')])
    assert [sum(f'CPU:{device}' in call.device for call in calls) for device in (0, 1)] == [2, 2]
    assert [other.type for other in others].count('CollectiveReduce') == 2


def test_random_numbers_are_those_of_the_plain_graph(xla_session):
    def drawn(step):
        with tflib.random.counted(5, step):
            return [tflib.random.normal([3, 5, 7], stddev=2.0), tflib.random.uniform([1000], -1, 1),
                    tflib.random.uniform([1000], 0, 77, dtype=tf.int32)]

    with xla.enabled(False):
        plain = tflib.run(drawn(tf.constant(3, tf.int64)))
    step = tf.placeholder(tf.int64, [])
    compiled = tflib.run(xla.compiled(drawn(step)), {step: 3})
    for values, expected in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(('value', 'expected'), [(0.0, 12.0), (0.5, 27.0), (1.0, 4.0)])
def test_conditions_are_decided_ahead_with_their_gradients(value, expected, xla_session):
    lod = tf.placeholder(tf.float32, [])
    x = tf.Variable(2.0)
    tflib.init_uninitialized_vars()

    def cubed():
        return x ** 3 * xla.cond(operator.gt, lod, 0, lambda: tf.constant(2.25), lambda: tf.constant(1.0))

    y = xla.cond(operator.lt, lod, 1, cubed, lambda: x ** 2)
    slope = tf.gradients(y, [x])[0]
    plain = tflib.run([y, slope], {lod: value})
    y, slope = tflib.run(xla.compiled([y, slope], decided=value), {lod: value})
    assert [y, slope] == plain
    assert slope == expected


def test_what_xla_cannot_compile_is_named(xla_session):
    size = tf.size(tf.unique(tf.placeholder(tf.float32, [3], name='x'))[0])
    text = tf.strings.as_string(size)
    with pytest.raises(UserError, match='G_train: XLA cannot compile this; start with --xla=off'), \
            xla.first_run('G_train'):
        tflib.run(xla.compiled(text), {'x:0': [1, 2, 3]})


def test_other_errors_of_a_first_run_stay_as_they_are(xla_session):
    with pytest.raises(tf.errors.InvalidArgumentError), xla.first_run('G_train'):
        tflib.run(tf.check_numerics(tf.constant(np.nan), 'not finite'))


COUNTED = textwrap.dedent('''
    import sys
    import tensorflow.compat.v1 as tf
    import dnnlib.tflib as tflib
    from dnnlib.tflib import xla
    xla.enable()
    tflib.init_tf()
    size, rate = tf.placeholder(tf.int32, [], 'size'), tf.placeholder(tf.float32, [], 'rate')
    var = tf.Variable(1.0)
    tflib.init_uninitialized_vars()
    op = tf.assign_add(var, tf.reduce_sum(tf.ones([size])) * rate).op
    for count in (2, 3):
        step = xla.compiled(op, 'step', known={size: count})
        for value in (0.1, 0.2, 0.3):
            tflib.run(step, {size: count, rate: value})
    print(round(float(tflib.run(var)), 3))
''')


AFTER_EAGER = textwrap.dedent('''
    import tensorflow
    tensorflow.config.list_physical_devices('GPU')  # as scripts do; TensorFlow is eager here
    import tensorflow.compat.v1 as tf
    import dnnlib.tflib as tflib
    from dnnlib.tflib import xla
    xla.enable()
    tflib.init_tf()
    with tflib.device(0):
        var = tf.Variable(1.0)
        opt = tflib.Optimizer(learning_rate=0.5, minibatch_multiplier=tf.constant(2))
        opt.register_gradients(tf.square(var), [var])
    op = opt.apply_updates()
    tflib.init_uninitialized_vars()
    step = xla.compiled(op)
    tflib.run(step)
    tflib.run(step)
    print(round(float(tflib.run(var)), 3))
''')


def test_moments_are_variables_of_the_graph_in_a_process_that_began_eagerly():
    result = subprocess.run([sys.executable, '-c', AFTER_EAGER], check=True, capture_output=True, text=True)
    assert result.stdout.split()[-1] == '0.5'


def test_values_that_are_fed_compile_nothing_anew(tmp_path):
    """XLA itself writes down every computation that it compiles."""
    result = subprocess.run([sys.executable, '-c', COUNTED], check=True, capture_output=True, text=True,
                            env=xla.counted_environment(tmp_path))
    assert result.stdout.split() == ['4.0']
    assert xla.compilations(tmp_path) == {'step': 2}


# Networks


def test_networks_have_the_same_variables_layers_and_values(xla_session):
    G = tflib.Network('G', **small_networks.SMALL_G)
    set_golden_values(G)
    layers = [(name, str(output.shape)) for name, output, _ in G.list_layers()]
    values = {name: G.get_var(name) for name in G.vars}
    with xla.enabled(False), fresh_session(QUICK):
        plain = tflib.Network('G', **small_networks.SMALL_G)
        set_golden_values(plain)
        assert [(name, str(output.shape)) for name, output, _ in plain.list_layers()] == layers
        assert list(plain.vars) == list(values)
        for name, value in values.items():
            np.testing.assert_array_equal(plain.get_var(name), value)


def test_setters_and_checks_of_variables_are_built_once(xla_session):
    G = tflib.Network('net', func_name=small_networks.affine, scale=2.0)
    G.set_var('count', 1.0)
    tflib.init_uninitialized_vars()
    built = small_networks.graph_ops()
    G.set_var('count', 2.0)
    tflib.init_uninitialized_vars()
    assert small_networks.graph_ops() == built
    assert G.get_var(G.find_var('count')) == 2


def test_networks_are_copied_and_pickled(xla_session, tmp_path):
    G = tflib.Network('G', **small_networks.SMALL_G)
    set_golden_values(G)
    path = tmp_path / 'net.pkl'
    with open(path, 'wb') as file:
        pickle.dump(G.clone('clone'), file)
    average = G.get_var('dlatent_avg')
    with xla.enabled(False), fresh_session(QUICK), open(path, 'rb') as file:
        np.testing.assert_array_equal(network_pickle.load(file).get_var('dlatent_avg'), average)


def test_an_optimizer_starts_anew(xla_session):
    op, fed, (weight,), opt = _train_op(1)
    tflib.run(xla.compiled(op), {fed: np.ones([4])})
    opt.reset_optimizer_state()
    assert np.isfinite(tflib.run(weight))


@pytest.fixture
def drawn(xla_session):
    """Return a network, and what it draws without XLA for five latents."""
    latents = np.random.RandomState(1).randn(5, 4).astype(np.float32)
    with xla.enabled(False), fresh_session(QUICK):
        G = tflib.Network('G', **small_networks.SMALL_G)
        set_golden_values(G)
        expected = G.run(latents, None, randomize_noise=False)
    G = tflib.Network('G', **small_networks.SMALL_G)
    set_golden_values(G)
    return G, latents, expected


def test_images_are_the_same_and_a_smaller_last_minibatch_is_not_compiled(drawn, monkeypatch):
    G, latents, expected = drawn
    compiled = []
    first_run = xla.first_run
    monkeypatch.setattr(xla, 'first_run', lambda what: compiled.append(what) or first_run(what))
    for _ in range(2):
        images = G.run(latents, None, randomize_noise=False, minibatch_size=2)
        assert_close(images, expected, 'images', tolerance=1e-4)
    assert compiled == ['G for 2 items']
    assert_close(G.run(latents[:4], None, randomize_noise=False, minibatch_size=4, num_gpus=2), expected[:4],
                 'images of two devices', tolerance=1e-4)


def test_on_gpus_a_step_is_one_computation_with_all_variables_on_its_device(xla_session, monkeypatch):
    monkeypatch.setattr(tflib, 'device', lambda index: tf.device(f'/gpu:{index}'))
    monkeypatch.setattr(tflib.tfutil, 'device', tflib.device)
    op, _, _, _ = _train_op(1)
    divided = regions.divide(xla.cutting.ancestors([op]), {})
    assert list(divided.parts) == [('/device:GPU:0', 0)]
    handles = {tensor.op for part in divided.parts.values() for op in part for tensor in op.inputs
               if tensor.op.type == 'VarHandleOp'}
    assert {regions.canonical(handle.device) for handle in handles} == {'/device:GPU:0'}


def _two_devices_that_need_each_other(fed):
    """Sum over two devices after each has used what the other one has computed. -> sums."""
    with tflib.device(0):
        own = fed * tf.Variable(2.0)
    with tflib.device(1):
        there = fed * tf.Variable(6.0)
    with tflib.device(0):
        back = there + 1
    with tflib.device(1):
        other = back * 2
    (first,), (second,) = collectives.all_reduce_sum(
        [[own], [other]], ['/device:CPU:0', '/device:CPU:1'])
    with tflib.device(0):
        first = first * 1
    return [first, second]


def test_devices_that_need_each_other_before_a_sum_do_not_wait_forever(xla_session):
    fed = tf.placeholder(tf.float32, [2])
    sums = _two_devices_that_need_each_other(fed)
    tflib.init_uninitialized_vars()
    values = tflib.run(xla.compiled(sums), {fed: [1, 2]}, options=tf.RunOptions(timeout_in_ms=60_000))
    np.testing.assert_allclose(values, [[2 + 14, 4 + 26]] * 2)


def test_no_device_waits_for_another_one_before_the_sum(xla_session):
    """Not for a variable of another device either, or for the key of random numbers, which the host makes."""
    step, fed = tf.placeholder(tf.int64, []), tf.placeholder(tf.float32, [2])
    with tflib.device(0):
        shared = tf.Variable(2.0, name='shared')
    tensors = []
    for device in range(2):
        with tflib.random.counted(1, step), tflib.random.tower(device), tflib.device(device):
            set_own = tf.assign(tf.Variable(0.0, name=f'own{device}'), fed[0])
            scaled = fed * shared
            with tf.control_dependencies([set_own]):
                tensors.append([tflib.random.normal([2]) * scaled])
    sums = collectives.all_reduce_sum(tensors, ['/device:CPU:0', '/device:CPU:1'])
    ops = [tensor.op for (tensor,) in sums]
    assert sorted(regions.divide(xla.cutting.ancestors(ops), {}).parts) == [
        (f'/device:CPU:{device}', depth) for device in range(2) for depth in range(2)]


def test_pixels_are_sampled_as_by_the_kernel_that_xla_lacks_with_all_gradients(xla_session):
    x = tf.constant(np.random.RandomState(1).randn(3, 9, 11, 2).astype(np.float32))
    matrices = [[[np.cos(a), -np.sin(a), t], [1.3 * np.sin(a), np.cos(a), -t], [0, 0, 1]]
                for a, t in ((0, 0), (0.7, 2.2), (2, 8))]
    G_inv = tf.constant(matrices, tf.float32)

    def kernel(x, G_inv):
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=x, transforms=tf.reshape(G_inv, [-1, 9])[:, :8], output_shape=[7, 8], fill_value=0.0,
            interpolation='BILINEAR', fill_mode='CONSTANT')

    def with_gradients(y):
        slope = tf.gradients(tf.reduce_sum(y ** 3), [x])[0]
        return [y, slope, tf.gradients(tf.reduce_sum(slope ** 2), [x])[0]]

    expected = tflib.run(with_gradients(kernel(x, G_inv)))
    compiled = tflib.run(xla.compiled(with_gradients(geometry.gathered(x, G_inv, 7, 8))))
    for value, other, name in zip(compiled, expected, ('pixels', 'slope', 'curvature'), strict=True):
        assert_close(value, other, name, tolerance=1e-5)


def test_a_warp_of_fixed_shape_is_the_same_with_its_gradient(xla_session):
    """Margins are cut off as without XLA: the images at a corner, scaled and far off the middle."""
    images = np.random.RandomState(1).randn(3, 2, 8, 8).astype(np.float32)

    def warped():
        x = tf.constant(images)
        G_inv = tf.constant([[[s, 0.3, t], [-0.3, s, -t], [0, 0, 1]]
                             for s, t in ((1, 0), (0.5, 1.3), (2.5, 3))])
        y = geometry.warp(x, G_inv)
        return [y, tf.gradients(tf.reduce_sum(y ** 3), [x])[0]]

    compiled = tflib.run(xla.compiled(warped()))
    with xla.enabled(False):
        plain = tflib.run(warped())
    for value, other, name in zip(compiled, plain, ('images', 'slope'), strict=True):
        assert_close(value, other, name, tolerance=1e-5)
