"""Test that the forms of FIR filters that are compared are the same filter."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from benchmarks import fir_forms
from benchmarks.hlo import modules
from dnnlib.tflib.ops.upfirdn_2d import upfirdn_2d
from tests.gpu_form import built_for_gpus, compiled

TAPS = np.float32([1, 2, 3, 5]) / 11
CASES = [(1, 1, (1, 1)), (1, 1, (2, 2)), (2, 1, (2, 1)), (1, 2, (1, 1))]


@pytest.mark.parametrize('name', fir_forms.FORMS)
@pytest.mark.parametrize('up, down, pad', CASES)
def test_forms_agree_with_upfirdn_up_to_second_order(session, name, up, down, pad):
    x = tf.constant(np.random.RandomState(1).randn(2, 3, 8, 8).astype(np.float32))
    form = fir_forms.FORMS[name]

    def expected(x):
        x = tf.reshape(x, [6, 8, 8, 1])
        y = upfirdn_2d(x, np.outer(TAPS, TAPS), upx=up, upy=up, downx=down, downy=down,
                       padx0=pad[0], padx1=pad[1], pady0=pad[0], pady1=pad[1])
        return tf.reshape(y, [2, 3, *y.shape.as_list()[1:3]])

    def values(function):
        y = function(x)
        (gradient,) = tf.gradients(tf.reduce_sum(y ** 3), [x])
        return [y, gradient, *tf.gradients(tf.reduce_sum(gradient ** 2), [x])]

    with built_for_gpus():
        ours = tflib.run(compiled(lambda x: values_at(form, x, up, down, pad))(x))
    for value, reference in zip(ours, tflib.run(values(expected)), strict=True):
        np.testing.assert_allclose(value, reference, atol=1e-5 * np.abs(reference).max())


def values_at(form, x, up, down, pad):
    """Return the output and gradients of first and second order."""
    y = fir_forms.with_gradient(form, x, TAPS, up, down, pad)
    (gradient,) = tf.gradients(tf.reduce_sum(y ** 3), [x])
    return [y, gradient, *tf.gradients(tf.reduce_sum(gradient ** 2), [x])]


@pytest.mark.parametrize('name', fir_forms.FORMS)
def test_gradients_of_cases_have_the_shape_of_their_inputs(name):
    case = fir_forms.Case('small', (2, 3, 16, 16), 2, 1, (2, 1))
    for is_gradient, shape in ((False, (2, 3, 32, 32)), (True, (2, 3, 16, 16))):
        module = fir_forms.compiled(case, fir_forms.FORMS[name], tf.float32, is_gradient)
        assert [result[0] for result in modules.results(module)] == [shape]


def test_multiplications_per_pixel_are_those_counted_by_hand():
    assert fir_forms.multiplications(fir_forms.depthwise, up=2, down=1) == 16
    assert fir_forms.multiplications(fir_forms.slices, up=1, down=1) == 4 + 4
    assert fir_forms.multiplications(fir_forms.slices, up=2, down=1) == 1 + 2  # rows of half the pixels
    assert fir_forms.multiplications(fir_forms.slices, up=1, down=2) == 8 + 4
