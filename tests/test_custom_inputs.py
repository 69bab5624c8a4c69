"""Test custom_inputs of Network.run(): tensors of the caller's in place of its arrays."""

import functools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from tests.golden_figures import set_golden_values
from tests.golden_recipe import golden_input
from tests.small_networks import AFFINE_X, SMALL_G, X, Y, graph_ops

ROWS = np.zeros([2, 4, 4])


def learnable(batch_size, shape):
    return tf.get_variable('learnable_dlatents', shape, initializer=tf.initializers.random_normal(seed=1))


def learnable_of_an_encoder(name, batch_size, tiles):
    """Make a variable as encoders do: one vector for all layers."""
    var = tf.get_variable(f'learnable_{name}', [batch_size, 1, 4], initializer=tf.initializers.ones())
    return tf.tile(var, [1, tiles, 1])


def stub(name, batch_size):
    return tf.constant(0, dtype='float32', shape=(batch_size, 0))


def times_two(x, y):
    return x * 2, y * 2


@pytest.fixture
def Gs(session):
    """Build two networks, as a file has several: the scope of the second one's synthesis is G_synthesis_1."""
    tflib.Network('G', **SMALL_G)
    net = tflib.Network('Gs', **SMALL_G)
    set_golden_values(net)
    return net


def test_a_variable_takes_the_place_of_an_input_and_gets_gradients(Gs):
    synthesis = Gs.components.synthesis
    images = synthesis.run(ROWS, custom_inputs=[learnable], randomize_noise=False)
    variable = next(var for var in tf.global_variables() if 'learnable_dlatents' in var.name)
    dlatents = tflib.run(variable)
    assert np.abs(dlatents).min() > 0
    np.testing.assert_allclose(images, synthesis.run(dlatents, randomize_noise=False), rtol=1e-4, atol=1e-5)
    output = tf.get_default_graph().get_tensor_by_name('G_synthesis_1/_Run/concat:0')
    np.testing.assert_array_equal(tflib.run(output), images)
    gradient, = tflib.run(tf.gradients(tf.reduce_sum(output ** 2), variable))
    assert np.abs(gradient).max(axis=2).min() > 0


def test_functions_of_encoders_run_unchanged(Gs):
    """They take the name of the input, have their own batch size, and one is for labels that a synthesis
    network does not take."""
    make = functools.partial(learnable_of_an_encoder, batch_size=2, tiles=4)
    images = Gs.components.synthesis.run(
        ROWS, randomize_noise=False, minibatch_size=2, structure='fixed',
        custom_inputs=[make, functools.partial(stub, batch_size=2)])
    variable = next(var for var in tf.global_variables() if 'learnable_dlatents_in' in var.name)
    assert variable.shape.as_list() == [2, 1, 4]
    expected = Gs.components.synthesis.run(np.ones([2, 4, 4]), randomize_noise=False)
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-5)


def test_a_graph_with_the_same_functions_is_built_once_for_each_batch_size(Gs):
    calls = []

    def zeros(batch_size, shape):
        calls.append((batch_size, shape))
        return tf.zeros(shape)

    synthesis = Gs.components.synthesis
    synthesis.run(ROWS, custom_inputs=[zeros])
    before = graph_ops()
    synthesis.run(np.zeros([6, 4, 4]), minibatch_size=2, custom_inputs=[zeros])
    assert graph_ops() == before
    synthesis.run(ROWS[:1], custom_inputs=[zeros])
    synthesis.run(ROWS[:1], custom_inputs=[lambda batch_size, shape: tf.ones(shape)])
    assert calls == [(2, [2, 4, 4]), (1, [1, 4, 4])]


def test_other_inputs_are_fed_and_transformed_as_ever(net):
    fixed = [None, lambda batch_size, shape: np.full(shape, 7.0)]
    out, scaled = net.run(X[:4], None, minibatch_size=2, custom_inputs=fixed)
    np.testing.assert_allclose(out, AFFINE_X[:4])
    np.testing.assert_allclose(scaled, np.full([4, 1, 3], 14.0))
    assert net.run(X, Y, custom_inputs=[None, None], minibatch_size=2)[1].tolist() == (Y * 2).tolist()
    _, scaled = net.run(X[:4], Y[:4], num_gpus=2, custom_inputs=fixed,
                        input_transform=dict(func=times_two))
    np.testing.assert_allclose(scaled, np.full([4, 1, 3], 28.0))


def test_all_outputs_have_the_names_that_encoders_fetch(Gs):
    z = golden_input('z', [2, 4])
    make = [lambda batch_size, shape: tf.constant(z), None]
    images, dlatents = Gs.run(z, None, return_dlatents=True, randomize_noise=False, custom_inputs=make)
    fetched = tflib.run(['Gs/_Run/concat:0', 'Gs/_Run/concat_1:0'], {'Gs/_Run/labels_in:0': np.zeros([2, 0])})
    np.testing.assert_array_equal(fetched[0], images)
    np.testing.assert_array_equal(fetched[1], dlatents)


@pytest.mark.parametrize('function', [
    lambda n, s: tf.zeros(s), lambda batch_size, shape=None: tf.zeros([batch_size, *shape[1:]]),
    lambda shape, batch_size: tf.zeros([batch_size] + shape[1:]), lambda shape: np.zeros(shape),
    lambda batch_size: tf.zeros([batch_size, 1, 3]), lambda *args: tf.zeros(args[1]),
    functools.partial(lambda batch_size, shape: tf.zeros(shape), 5)])
def test_functions_get_what_they_ask_for_of_batch_size_and_shape(function, net):
    assert not net.run(X, Y, custom_inputs=[None, function])[1].any()


@pytest.mark.parametrize(('custom_inputs', 'message'), [
    ([lambda w: w, None], r'custom_inputs\[0\] takes \(w\), but is called with batch_size and shape$'),
    ([lambda: 0, None], r'custom_inputs\[0\] takes \(\), but'),
    ([lambda name, width: 0, None], r'takes \(name, width\), but'),
    ([lambda n, s: None, None], r'\[0\] returned NoneType; expected a tensor of shape \[5, 2\]$'),
    ([None, lambda n, s: tf.zeros([5, 3])],
     r'\[1\] returned a tensor of shape \(5, 3\); expected \[5, 1, 3\]$'),
    ([lambda n, s: tf.zeros([1, 2]), None], r'returned a tensor of shape \(1, 2\); expected \[5, 2\]$'),
    ([X, None], r'custom_inputs\[0\] must be a function of batch_size and shape or None, not ndarray$'),
    ([None], 'custom_inputs must be a list with a function or None for each of x_in, y_in$'),
    (lambda n, s: tf.zeros(s), 'custom_inputs must be a list'),
])
def test_functions_that_do_not_fit_are_named(custom_inputs, message, net):
    with pytest.raises(ValueError, match=message) as caught:
        net.run(X, Y, custom_inputs=custom_inputs)
    assert isinstance(caught.value, UserError)


def test_all_minibatches_have_the_same_size(net):
    with pytest.raises(ValueError, match='must divide the number of rows; found 5 rows in minibatches of 2$'):
        net.run(X, Y, minibatch_size=2, custom_inputs=[lambda n, s: tf.zeros(s), None])
