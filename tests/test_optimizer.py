"""Test that updates follow Adam in NumPy for any source of gradients, and that overflows change only loss
scaling."""

import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.autosummary import finalize_autosummaries

ADAM = 'tf.train.AdamOptimizer'
SIMPLE_ADAM = 'dnnlib.tflib.optimizer.SimpleAdam'
SGD = 'tf.train.GradientDescentOptimizer'
START = [1.0, -2.0, 0.5]
BAD = [np.nan, 1.0, 1.0]


class NumpyAdam:
    """Adam in float64, as in Algorithm 1 of Kingma and Ba (2015), with TensorFlow's definition of epsilon."""

    def __init__(self, value, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.value = np.array(value, np.float64)
        self.learning_rate, self.beta1, self.beta2, self.epsilon = learning_rate, beta1, beta2, epsilon
        self.t, self.m, self.v = 0, 0.0, 0.0

    def step(self, gradient):
        gradient = np.array(gradient, np.float64)
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * gradient
        self.v = self.beta2 * self.v + (1 - self.beta2) * gradient ** 2
        rate = self.learning_rate * np.sqrt(1 - self.beta2 ** self.t) / (1 - self.beta1 ** self.t)
        self.value = self.value - rate * self.m / (np.sqrt(self.v) + self.epsilon)
        return self.value


@dataclasses.dataclass
class Problem:
    """A variable with a loss that has any given gradient, and an Optimizer for it."""

    optimizer: tflib.Optimizer
    var: tf.Variable
    gradient: tf.Tensor
    op: tf.Operation

    def step(self, gradient):
        """Evaluate once with this gradient. -> value of the variable."""
        tflib.run(self.op, {self.gradient: gradient})
        return tflib.run(self.var)


def make_problem(var=None, **kwargs):
    if var is None:
        var = tf.Variable(np.float32(START))
        tflib.run(var.initializer)
    gradient = tf.placeholder(tf.float32, [3])
    optimizer = tflib.Optimizer(**kwargs)
    optimizer.register_gradients(tf.reduce_sum(var * gradient), [var])
    return Problem(optimizer, var, gradient, optimizer.apply_updates())


def random_gradients(count):
    return np.random.RandomState(3).randn(count, 3)


def assert_values(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize('tf_optimizer', [ADAM, SIMPLE_ADAM])
@pytest.mark.parametrize('kwargs', [{}, dict(learning_rate=0.1, beta1=0.0, beta2=0.99, epsilon=0.01)])
def test_updates_follow_adam(session, tf_optimizer, kwargs):
    problem, adam = make_problem(tf_optimizer=tf_optimizer, **kwargs), NumpyAdam(START, **kwargs)
    for gradient in random_gradients(5):
        assert_values(problem.step(gradient), adam.step(gradient))


def test_simple_adam_equals_tensorflows_adam_at_every_step(session):
    kwargs = dict(learning_rate=0.05, beta1=0.5)
    optimizers = [tf.train.AdamOptimizer(**kwargs), tflib.optimizer.SimpleAdam(**kwargs)]
    replicas, ops = [], []
    for optimizer in optimizers:
        a, b = tf.Variable(np.float32(START)), tf.Variable(np.float32([[4.0]]))
        loss = tf.reduce_sum(tf.sin(a)) + tf.reduce_sum(tf.square(b))
        ops.append(optimizer.apply_gradients(optimizer.compute_gradients(loss, [a, b])))
        replicas.append([a, b])
    session.run(tf.global_variables_initializer())
    for _ in range(8):
        session.run(ops)
        for expected, actual in zip(*session.run(replicas), strict=True):
            np.testing.assert_allclose(actual, expected, atol=5e-6)  # 1 - beta2 is rounded differently


def test_learning_rate_may_be_an_expression(session):
    rate = tf.placeholder_with_default(0.1, [])
    problem, adam = make_problem(learning_rate=rate), NumpyAdam(START)
    for adam.learning_rate in (0.1, 0.0, 0.03):
        session.run(problem.op, {problem.gradient: [1, 2, 3], rate: adam.learning_rate})
        assert_values(session.run(problem.var), adam.step([1, 2, 3]))


@pytest.mark.parametrize('multiplier', [3, 3.0, 'expression'])
def test_accumulated_minibatches_equal_one_update_with_their_mean(session, multiplier):
    multiplier = tf.constant(3) if multiplier == 'expression' else multiplier
    problem, adam = make_problem(minibatch_multiplier=multiplier, learning_rate=0.1), NumpyAdam(START, 0.1)
    for minibatches in random_gradients(9).reshape(3, 3, 3):
        before = adam.value
        assert_values(problem.step(minibatches[0]), before)
        assert_values(problem.step(minibatches[1]), before)
        assert_values(problem.step(minibatches[2]), adam.step(minibatches.mean(axis=0)))


def test_multiplier_may_change_from_update_to_update(session):
    multiplier = tf.placeholder_with_default(1, [])
    problem, adam = make_problem(minibatch_multiplier=multiplier, learning_rate=0.1), NumpyAdam(START, 0.1)
    gradients = iter(random_gradients(7))
    for count in (1, 3, 1, 2):
        minibatches = [next(gradients) for _ in range(count)]
        for gradient in minibatches:
            session.run(problem.op, {problem.gradient: gradient, multiplier: count})
        assert_values(session.run(problem.var), adam.step(np.mean(minibatches, axis=0)))


def test_gradients_of_several_losses_are_averaged(session):
    var = tf.Variable(np.float32(START))
    session.run(var.initializer)
    optimizer = tflib.Optimizer(tf_optimizer=SGD, learning_rate=1.0)
    for gradient in ([1.0, 2.0, 3.0], [3.0, 2.0, 7.0]):
        optimizer.register_gradients(tf.reduce_sum(var * gradient), {'var': var})
    session.run(optimizer.apply_updates())
    assert_values(session.run(var), np.array(START) - [2, 2, 5])


def test_disconnected_variables_stay_and_count_as_zero_in_the_mean(session):
    used, unused = tf.Variable(np.float32(START)), tf.Variable(np.float32(START))
    session.run([used.initializer, unused.initializer])
    optimizer = tflib.Optimizer(tf_optimizer=SGD, learning_rate=1.0)
    optimizer.register_gradients(tf.reduce_sum(used * [2.0, 4.0, 6.0]), [used, unused])
    optimizer.register_gradients(tf.constant(5.0), [used, unused])
    session.run(optimizer.apply_updates())
    assert_values(session.run(used), np.array(START) - [1, 2, 3])
    assert_values(session.run(unused), START)


def test_all_variables_may_be_disconnected(session):
    var = tf.Variable(np.float32(START))
    session.run(var.initializer)
    optimizer = tflib.Optimizer()
    optimizer.register_gradients(tf.constant(1.0), [var])
    session.run(optimizer.apply_updates())
    assert_values(session.run(var), START)


@pytest.mark.parametrize('multiplier', [None, 1])
def test_sparse_gradients_and_half_precision_variables_are_updated(session, multiplier):
    table = tf.Variable(np.ones([3, 2], np.float16))
    session.run(table.initializer)
    optimizer = tflib.Optimizer(tf_optimizer=SGD, learning_rate=0.25, minibatch_multiplier=multiplier)
    optimizer.register_gradients(tf.reduce_sum(tf.gather(table, [0, 2, 2])), [table])
    session.run(optimizer.apply_updates())
    assert session.run(table).tolist() == [[0.75, 0.75], [1, 1], [0.5, 0.5]]


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('tf_optimizer', [ADAM, SIMPLE_ADAM])
def test_gradients_that_are_not_finite_change_neither_values_nor_state(session, tf_optimizer, bad):
    problem, adam = make_problem(tf_optimizer=tf_optimizer, learning_rate=0.1), NumpyAdam(START, 0.1)
    good = random_gradients(2)
    assert_values(problem.step(good[0]), adam.step(good[0]))
    assert_values(problem.step([1.0, bad, 2.0]), adam.value)
    assert_values(problem.step(good[1]), adam.step(good[1]))


@pytest.mark.parametrize('bad_minibatch', [0, 1, 2])
def test_accumulation_with_one_bad_minibatch_is_discarded_as_a_whole(session, bad_minibatch):
    problem, adam = make_problem(minibatch_multiplier=3, learning_rate=0.1), NumpyAdam(START, 0.1)
    for index, gradient in enumerate(random_gradients(3)):
        assert_values(problem.step(BAD if index == bad_minibatch else gradient), START)
    minibatches = random_gradients(3)
    for gradient in minibatches:
        value = problem.step(gradient)
    assert_values(value, adam.step(minibatches.mean(axis=0)))


SCALING = dict(use_loss_scaling=True, loss_scaling_init=64.0, loss_scaling_inc=0.5, loss_scaling_dec=10.0)


def loss_scaling_after(problem, gradient):
    """Evaluate once with this gradient. -> log2 of the loss scale."""
    problem.step(gradient)
    return tflib.run(problem.optimizer.get_loss_scaling_var(problem.var.device))


def test_loss_scaling_leaves_the_updates_as_they_are(session):
    problem, adam = make_problem(learning_rate=0.1, **SCALING), NumpyAdam(START, 0.1)
    for gradient in random_gradients(4):
        assert_values(problem.step(gradient), adam.step(gradient))


def test_loss_scaling_grows_with_good_updates_and_shrinks_with_overflows(session):
    problem = make_problem(**SCALING)
    gradients = (START, START, BAD, START)
    assert [loss_scaling_after(problem, gradient) for gradient in gradients] == [64.5, 65.0, 55.0, 55.5]


def test_loss_scaling_shrinks_until_scaled_gradients_fit_into_float32(session):
    problem = make_problem(tf_optimizer=SGD, learning_rate=1e-23, **SCALING)
    large = [1e23, 0.0, 0.0]  # too large when multiplied by 2^64 or 2^54
    assert_values(problem.step(large), START)
    assert loss_scaling_after(problem, large) == 44.0
    assert_values(problem.step(large), np.array(START) - [1, 0, 0])


def test_loss_scaling_changes_once_per_accumulated_update(session):
    problem = make_problem(minibatch_multiplier=2, **SCALING)
    gradients = (START, START, BAD, START, START)
    assert [loss_scaling_after(problem, gradient) for gradient in gradients] == [64, 64.5, 64.5, 54.5, 54.5]


def test_apply_and_undo_loss_scaling_multiply_and_divide(session):
    problem = make_problem(use_loss_scaling=True, loss_scaling_init=5.0)
    value = tf.constant(3.0)
    scaled = problem.optimizer.apply_loss_scaling(value)
    np.testing.assert_allclose(session.run(scaled), 96.0, rtol=1e-6)
    np.testing.assert_allclose(session.run(problem.optimizer.undo_loss_scaling(scaled)), 3.0, rtol=1e-6)


def test_without_loss_scaling_there_is_nothing_to_apply(session):
    optimizer, value = tflib.Optimizer(), tf.constant(3.0)
    assert optimizer.apply_loss_scaling(value) is value
    assert optimizer.undo_loss_scaling(value) is value
    assert optimizer.get_loss_scaling_var(value.device) is None


@pytest.mark.parametrize('tf_optimizer', [ADAM, SIMPLE_ADAM])
def test_sharing_optimizers_step_one_adam(session, tf_optimizer):
    kwargs = dict(tf_optimizer=tf_optimizer, learning_rate=0.1, beta1=0.5)
    main, adam = make_problem(**kwargs), NumpyAdam(START, 0.1, beta1=0.5)
    gradients = random_gradients(4)
    assert_values(main.step(gradients[0]), adam.step(gradients[0]))
    # Optimizers that are added later keep the current state.
    reg = make_problem(var=main.var, name='Reg', share=main.optimizer, minibatch_multiplier=2, **kwargs)
    assert_values(main.step(gradients[1]), adam.step(gradients[1]))
    reg.step(gradients[2])
    assert_values(reg.step(gradients[2]), adam.step(gradients[2]))
    assert_values(main.step(gradients[3]), adam.step(gradients[3]))


def test_sharing_optimizers_add_slots_for_the_variables_that_are_new(session):
    main = make_problem(learning_rate=0.1)
    other = make_problem(learning_rate=main.optimizer.learning_rate, share=main.optimizer)
    main.step([1, 2, 3])
    assert_values(other.step([0, 0, 0]), START)
    assert other.step([1, 2, 3])[0] < START[0]


@pytest.mark.parametrize('other', [dict(learning_rate=0.2), dict(beta1=0.5), dict(tf_optimizer=SIMPLE_ADAM)])
def test_sharing_requires_identical_arguments(session, other):
    first = tflib.Optimizer(learning_rate=0.1, beta1=0.0)
    with pytest.raises(AssertionError, match='share'):
        tflib.Optimizer(**{**dict(learning_rate=first.learning_rate, beta1=0.0), **other}, share=first)


def test_sharing_requires_the_identical_learning_rate_and_not_an_equal_one(session):
    first = tflib.Optimizer(learning_rate=tf.constant(0.1))
    with pytest.raises(AssertionError, match='learning rate'):
        tflib.Optimizer(learning_rate=tf.constant(0.1), share=first)


@pytest.mark.parametrize('tf_optimizer', [ADAM, SIMPLE_ADAM])
def test_reset_makes_the_next_update_a_first_one(session, tf_optimizer):
    problem = make_problem(tf_optimizer=tf_optimizer, learning_rate=0.1)
    first_update = problem.step([1, 2, 3]) - START
    problem.step([-5, 1, 3])
    before = problem.step([4, 1, 2])
    problem.optimizer.reset_optimizer_state()
    assert_values(session.run(problem.var), before)
    assert_values(problem.step([1, 2, 3]) - before, first_update)


def test_apply_updates_initializes_its_own_state_and_nothing_else(session):
    bystander = tf.Variable(1.0)
    problem = make_problem(minibatch_multiplier=2, **SCALING)
    missing = [name.decode() for name in session.run(tf.report_uninitialized_variables())]
    assert [name for name in missing if not name.startswith('Autosummary/')] == [bystander.op.name]
    assert tf.trainable_variables() == [bystander, problem.var]


def test_names_follow_the_name_of_the_optimizer(session):
    first, second = make_problem(name='Train/G'), make_problem(name='Train/G')
    assert (first.optimizer.id, first.optimizer.scope) == ('Train.G', 'Train.G')
    assert (second.optimizer.id, second.optimizer.scope) == ('Train.G', 'Train.G_1')
    assert (first.op.name, second.op.name) == ('TrainingOp', 'TrainingOp_1')
    [underlying] = first.optimizer._optimizers.values()
    slots = [var.op.name.rpartition('/')[2] for var in underlying.variables()]
    assert slots == ['beta1_power', 'beta2_power', 'Train.G_opt0', 'Train.G_opt0_1']


def test_summaries_report_rate_overflows_per_update_and_loss_scaling(session):
    problem = make_problem(name='TrainG', learning_rate=0.25, minibatch_multiplier=2, **SCALING)
    for gradient in (START, START, BAD, START):
        problem.step(gradient)
    finalize_autosummaries()
    summary = tf.Summary.FromString(session.run(tf.summary.merge_all()))
    assert {value.tag: value.simple_value for value in summary.value} == {
        'TrainG/learning_rate': 0.25,
        'TrainG/overflow_frequency': 0.5,
        'TrainG/loss_scaling_log2': np.mean([64, 64.5, 64.5, 54.5])}


def test_without_gradients_there_is_a_no_op_or_an_error(session):
    session.run(tflib.Optimizer().apply_updates(allow_no_op=True))
    with pytest.raises(AssertionError, match='no gradients'):
        tflib.Optimizer().apply_updates()


def test_updates_are_applied_once_and_after_all_gradients(session):
    problem = make_problem()
    with pytest.raises(AssertionError, match='once'):
        problem.optimizer.apply_updates()
    with pytest.raises(AssertionError, match='before'):
        problem.optimizer.register_gradients(tf.reduce_sum(problem.var), [problem.var])


def test_registered_variables_match_the_loss_and_the_first_call(session):
    with tf.device('/cpu:0'):
        var, other_shape = tf.Variable(np.float32(START)), tf.Variable(0.0)
        loss = tf.reduce_sum(var) + other_shape
    optimizer = tflib.Optimizer()
    with pytest.raises(AssertionError, match='no variables'):
        optimizer.register_gradients(loss, [])
    with pytest.raises(AssertionError, match='another device'):
        optimizer.register_gradients(loss, [tf.Variable(np.float32(START))])
    optimizer.register_gradients(loss, [var])
    with pytest.raises(AssertionError, match='shapes'):
        optimizer.register_gradients(loss, [other_shape])


def test_apply_updates_needs_a_session():
    with tf.Graph().as_default():
        optimizer = tflib.Optimizer()
        with pytest.raises(RuntimeError, match='init_tf'):
            optimizer.apply_updates(allow_no_op=True)


def test_skipped_steps_are_counted_in_all_and_in_a_row(session):
    problem = make_problem(minibatch_multiplier=2)
    seen = []
    good = [1.0, 1.0, 1.0]
    for gradient in (BAD, good, good, BAD, BAD, BAD, good, good, BAD):  # the last one is half a step
        problem.step(gradient)
        skipped = problem.optimizer.skipped
        seen.append(tuple(tflib.run([skipped.total, skipped.in_a_row])))
    assert seen == [(0, 0), (1, 1), (1, 1), (2, 2), (2, 2), (3, 3), (3, 3), (3, 0), (3, 0)]


def test_a_step_evaluates_its_loss_as_it_is_before_the_step(session):
    weight = tf.Variable(1.0)
    session.run(weight.initializer)
    seen = tf.Variable(0.0)
    session.run(seen.initializer)
    loss = weight * 2.0
    with tf.control_dependencies([tf.assign(seen, loss)]):
        loss = tf.identity(loss)
    opt = tflib.Optimizer(tf_optimizer=SGD, learning_rate=0.5)
    opt.register_gradients(loss, [weight])
    step = opt.apply_updates()
    for before in (1.0, 0.0, -1.0):
        session.run(step)
        assert session.run([seen, weight]) == [2 * before, before - 1]
