"""Test training on several CPU devices: minibatches, accumulation, loss scaling and shared state."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from tests.golden_figures import QUICK, fresh_session

SGD = 'tf.train.GradientDescentOptimizer'
START = [1.0, -2.0, 0.5]
BAD = [np.nan, 1.0, 1.0]
FOUR_DEVICES = {**QUICK, **tflib.device_config(4)}


@pytest.fixture
def four_devices():
    """Open a session with four CPU devices."""
    with fresh_session(FOUR_DEVICES) as opened:
        yield opened


def num_collectives():
    return sum(op.type == 'CollectiveReduce' for op in tf.get_default_graph().get_operations())


def make_problem(gradients, **kwargs):
    """Build an optimizer for a variable with one gradient [3] per device. -> optimizer, op, copies of the
    variable."""
    optimizer, copies = tflib.Optimizer(**kwargs), []
    for index, gradient in enumerate(gradients):
        with tf.device(f'/cpu:{index}'):
            copies.append(tf.Variable(np.float32(START)))
            tflib.run(copies[-1].initializer)
            optimizer.register_gradients(tf.reduce_sum(copies[-1] * gradient), [copies[-1]])
    return optimizer, optimizer.apply_updates(), copies


def assert_all_equal(copies, expected):
    for value in tflib.run(copies):
        np.testing.assert_allclose(value, expected, rtol=2e-6, atol=2e-6)


def regression(device, x, y):
    """Create two variables on a device and the mean squared error of a linear model."""
    with tf.device(device):
        weight, bias = tf.Variable(np.ones([2, 1], np.float32)), tf.Variable(np.zeros([1], np.float32))
        tflib.run([weight.initializer, bias.initializer])
        return tf.reduce_mean(tf.square(tf.matmul(x, weight) + bias - y)), [weight, bias]


@pytest.mark.parametrize('count', [2, 4])
@pytest.mark.parametrize('kwargs', [{}, dict(minibatch_multiplier=2), dict(use_loss_scaling=True)])
def test_devices_with_parts_of_a_minibatch_equal_one_with_all_of_it(four_devices, count, kwargs):
    x, y = tf.placeholder(tf.float32, [8, 2]), tf.placeholder(tf.float32, [8, 1])
    whole, parts = (tflib.Optimizer(learning_rate=0.1, **kwargs) for _ in range(2))
    loss, whole_vars = regression('/cpu:0', x, y)
    whole.register_gradients(loss, whole_vars)
    part_vars = []
    for index, (part_x, part_y) in enumerate(zip(tf.split(x, count), tf.split(y, count), strict=True)):
        loss, variables = regression(f'/cpu:{index}', part_x, part_y)
        parts.register_gradients(loss, variables)
        part_vars.append(variables)
    ops = [whole.apply_updates()]
    assert num_collectives() == 0, 'one device sends nothing'
    ops.append(parts.apply_updates())
    assert num_collectives() == count
    rnd = np.random.RandomState(5)
    for _ in range(6):
        four_devices.run(ops, {x: rnd.randn(8, 2), y: rnd.randn(8, 1)})
    expected, *actual = four_devices.run([whole_vars, *part_vars])
    assert abs(expected[0] - 1).max() > 0.1
    for values in actual:
        for value, right, on_first_device in zip(values, expected, actual[0], strict=True):
            np.testing.assert_allclose(value, right, rtol=2e-6, atol=2e-6)
            np.testing.assert_array_equal(value, on_first_device, err_msg='devices drift apart')


@pytest.mark.parametrize('kwargs, loss_scaling', [
    ({}, [None, None]),
    (dict(use_loss_scaling=True, loss_scaling_init=4.0, loss_scaling_inc=0.5), [3.0, 3.5])])
def test_an_overflow_on_one_device_skips_the_update_on_all(four_devices, kwargs, loss_scaling):
    gradient = tf.placeholder(tf.float32, [3])
    ones = tf.ones([3])
    optimizer, op, copies = make_problem(
        [ones, ones, gradient, ones], tf_optimizer=SGD, learning_rate=1.0, **kwargs)
    for value, expected, log2 in ((BAD, START, loss_scaling[0]),
                                  ([5, 5, 5], np.array(START) - 2, loss_scaling[1])):
        four_devices.run(op, {gradient: value})
        assert_all_equal(copies, expected)
        if log2 is not None:
            variables = [optimizer.get_loss_scaling_var(copy.device) for copy in copies]
            assert four_devices.run(variables) == [log2] * 4


def test_an_overflow_on_one_device_discards_what_all_have_accumulated(four_devices):
    gradient = tf.placeholder(tf.float32, [3])
    _, op, copies = make_problem(
        [gradient, tf.ones([3])], tf_optimizer=SGD, learning_rate=1.0, minibatch_multiplier=2)
    for value, expected in ((BAD, START), ([3, 3, 3], START),
                            ([3, 3, 3], START), ([7, 7, 7], np.array(START) - 3)):
        four_devices.run(op, {gradient: value})
        assert_all_equal(copies, expected)


def test_two_optimizers_update_in_one_call(four_devices):
    problems = [make_problem([tf.constant([value, 0.0, value])] * count, tf_optimizer=SGD, learning_rate=1.0)
                for value, count in ((1.0, 4), (2.0, 4), (4.0, 2))]
    for step in (1, 2):
        four_devices.run([op for _, op, _ in problems])
        for (_, _, copies), value in zip(problems, (1, 2, 4), strict=True):
            assert_all_equal(copies, np.array(START) - [step * value, 0, step * value])


def adam_on(count, gradients):
    """Run main, reg, main with shared state on `count` devices. -> values of the variable."""
    args = dict(learning_rate=0.1, beta1=0.5)
    main, main_op, copies = make_problem([tf.constant(value) for value in gradients[:count]], **args)
    reg = tflib.Optimizer(name='Reg', share=main, **args)
    for copy in copies:
        with tf.device(copy.device):
            reg.register_gradients(tf.reduce_sum(tf.square(copy)), [copy])
    for op in (main_op, reg.apply_updates(), main_op):
        tflib.run(op)
    return tflib.run(copies)


def test_state_is_shared_on_every_device(four_devices):
    gradients = np.float32([[1, 5, 3], [3, -1, 5], [0, 0, 1], [4, 4, 7]])
    expected, = adam_on(1, gradients.mean(axis=0, keepdims=True))
    for value in adam_on(4, gradients):
        np.testing.assert_allclose(value, expected, rtol=2e-6)


def test_sparse_missing_and_half_precision_gradients_are_summed(four_devices):
    optimizer, copies = tflib.Optimizer(tf_optimizer=SGD, learning_rate=0.5), []
    for index in range(2):
        with tf.device(f'/cpu:{index}'):
            copies.append([tf.Variable(np.ones([3, 2], np.float16)), tf.Variable(np.float32(START))])
            tflib.run([var.initializer for var in copies[-1]])
            table, vector = copies[-1]
            loss = tf.reduce_sum(tf.gather(table, [0, 2, 2]))
            if index == 1:
                loss = tf.cast(loss, tf.float32) + 4.0 * tf.reduce_sum(vector)
            optimizer.register_gradients(loss, [table, vector])
    four_devices.run(optimizer.apply_updates())
    for table, vector in four_devices.run(copies):
        assert table.tolist() == [[0.5, 0.5], [1, 1], [0, 0]]
        assert vector.tolist() == [0, -3, -0.5]


@pytest.mark.parametrize('config', [QUICK, {**QUICK, 'device_count.CPU': 2}])
def test_names_without_devices_of_their_own_are_summed_where_they_end_up(config):
    with fresh_session(config) as session:
        gradients = [tf.constant([float(index)] * 3) for index in (1, 3, 8)]
        _, op, copies = make_problem(gradients, tf_optimizer=SGD, learning_rate=1.0)
        assert num_collectives() == 0
        session.run(op)
        assert_all_equal(copies, np.array(START) - 4)
