"""Test bias and activation, FIR resampling and its convolutions: golden values, gradients of two orders."""

import functools
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops import fused_bias_act, upfirdn_2d
from tests.golden_figures import arrays, assert_close, figures
from tests.golden_recipe import golden_input
from tests.gpu_form import built_for_gpus, compiled

X4 = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
X2 = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 2, 2)
W3 = np.arange(1, 10, dtype=np.float32).reshape(3, 3, 1, 1)
K1331 = [1, 3, 3, 1]


def _case_inputs(case):
    """Return the inputs and keyword arguments of a golden case."""
    name, kwargs = case['name'], dict(case['kwargs'])
    if name.startswith('fused_bias_act'):
        variants = {'2d': ('a2/x', 'a2/b', 1), 'axis3': ('a3/x', 'a2/b', 1)}
        x_key, b_key, scale = variants.get(name.split('-')[-1], ('act/x', 'act/b', 2))
        inputs = [golden_input(x_key, case['inputs'][0]) * scale]
        return inputs + [golden_input(b_key, shape) for shape in case['inputs'][1:]], kwargs
    if name.startswith('upfirdn_2d'):
        return [golden_input('fir/x', case['inputs'][0])], {**kwargs, 'k': golden_input('k2d', [3, 4])}
    inputs = [golden_input('rs/' + kwargs['data_format'], case['inputs'][0])]
    return inputs + [golden_input(f'w{shape[0]}', shape) for shape in case['inputs'][1:]], kwargs


def _build_case(case):
    """Return tensors of the value, the first-order gradients and the second-order ones."""
    function = re.match(r'[a-z_0-9]+', case['name']).group()
    values, kwargs = _case_inputs(case)
    inputs = [tf.constant(value) for value in values]
    y = getattr(fused_bias_act if function == 'fused_bias_act' else upfirdn_2d, function)(*inputs, **kwargs)
    cotangent = golden_input('cotangent', y.shape.as_list())
    grads = tf.gradients(tf.reduce_sum(y * cotangent), inputs)
    second = [g for g in tf.gradients(tf.reduce_sum(tf.square(grads[0])), inputs) if g is not None]
    return y, grads, second if 'second_order_norms' in case else []


def test_every_golden_case_has_the_same_value_and_gradients(session):
    cases = figures('ops')
    results = session.run({case['name']: _build_case(case) for case in cases})
    for case in cases:
        name = case['name']
        y, grads, second = results[name]
        assert_close(y, arrays('ops')[name + ':y'], name)
        for i, grad in enumerate(grads):
            norm = np.linalg.norm(grad)
            dot = np.sum(grad * golden_input(f'direction{i}', grad.shape), dtype=np.float64)
            np.testing.assert_allclose(norm, case['grad_norms'][i], rtol=1e-4, err_msg=name)
            np.testing.assert_allclose(dot, case['grad_dots'][i], atol=1e-3 * norm, err_msg=name)
        norms, expected = [np.linalg.norm(g) for g in second], case.get('second_order_norms', [])
        np.testing.assert_allclose(norms, expected, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(('function', 'args', 'rows'), [
    (upfirdn_2d.filter_2d, (X4, K1331),
     '.5625 1.1875 1.75 1.875 1.796875 3.5 4.6875 4.703125 '
     '3.625 6.75 8.5 8.125 4.546875 8.3125 10.1875 9.515625'),
    (upfirdn_2d.upsample_2d, (X2, K1331),
     '.5625 .9375 1.3125 1.125 1.125 1.75 2.25 1.875 1.875 2.75 3.25 2.625 1.6875 2.4375 2.8125 2.25'),
    (upfirdn_2d.upsample_2d, (X2,), '1 1 2 2 1 1 2 2 3 3 4 4 3 3 4 4'),
    (upfirdn_2d.downsample_2d, (X4, K1331), '3.5 4.703125 8.3125 9.515625'),
    (upfirdn_2d.downsample_2d, (X4,), '3.5 5.5 11.5 13.5'),
    (upfirdn_2d.upsample_conv_2d, (X2, W3, K1331),
     '37.9375 59.0625 66.5 51.0625 65.875 97.5 105.3125 78.4375 75.625 108.75 114.6875 83.6875 '
     '51.0625 71.8125 74.375 52.9375'),
    (upfirdn_2d.conv_downsample_2d, (X4, W3, K1331), '216.875 237.046875 290.1875 291.984375'),
])
def test_resampling_of_small_images_gives_the_published_numbers(function, args, rows, session):
    y = session.run(function(tf.constant(args[0]), *args[1:]))
    np.testing.assert_allclose(y.ravel(), np.fromstring(rows, sep=' '), rtol=1e-6)


def test_upfirdn_inserts_zeros_pads_crops_and_decimates_in_that_order(session):
    x = tf.constant(X4.reshape(1, 4, 4, 1))
    y = upfirdn_2d.upfirdn_2d(x, [[1, 2], [3, 4]], upx=2, downy=2, padx0=1, padx1=-1, pady1=1)
    expected = [[8, 14, 12, 20, 16, 26, 20], [40, 62, 44, 68, 48, 74, 52]]
    np.testing.assert_allclose(session.run(y)[0, :, :, 0], expected)


def test_upfirdn_agrees_with_a_direct_sum_for_uneven_factors_and_kernels(session):
    x = golden_input('direct/x', [2, 5, 4, 3])
    k = golden_input('direct/k', [2, 5])
    factors = dict(upx=3, upy=2, downx=2, downy=3, padx0=4, padx1=-2, pady0=-1, pady1=3)
    y = session.run(upfirdn_2d.upfirdn_2d(tf.constant(x), k, **factors))
    fine = np.zeros([2, 10, 12, 3])
    fine[:, ::2, ::3] = x
    fine = np.pad(fine, [[0, 0], [0, 3], [4, 0], [0, 0]])[:, 1:, :-2]
    height, width = (fine.shape[1] - 2) // 3 + 1, (fine.shape[2] - 5) // 2 + 1
    expected = np.zeros([2, height, width, 3])
    for p, q in np.ndindex(height, width):
        window = fine[:, 3 * p:3 * p + 2, 2 * q:2 * q + 5]
        expected[:, p, q] = np.einsum('nabc,ab->nc', window, k[::-1, ::-1])
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_gradients_of_upfirdn_of_any_order_are_exact(session):
    """The op is linear, so its outputs for unit images give its Jacobian as a dense matrix to compare
    with."""
    x = tf.constant(golden_input('jac/x', [1, 4, 5, 1]))
    op = functools.partial(upfirdn_2d.upfirdn_2d, k=golden_input('jac/k', [3, 2]), upx=2, downy=2, padx0=1,
                           pady0=2, pady1=-1)
    units = tf.constant(np.eye(20, dtype=np.float32).reshape(20, 4, 5, 1))
    matrix = session.run(op(units)).reshape(20, -1)
    y = op(x)
    first = tf.gradients(tf.reduce_sum(y ** 3), x)[0]
    second = tf.gradients(tf.reduce_sum(first ** 2), x)[0]
    y, first, second = session.run([y, first, second])
    np.testing.assert_allclose(first.ravel(), matrix @ (3 * y.ravel() ** 2), rtol=1e-4, atol=1e-4)
    hessian = matrix @ np.diag(6 * y.ravel()) @ matrix.T
    np.testing.assert_allclose(second.ravel(), 2 * hessian @ first.ravel(), rtol=1e-3, atol=1e-3)


def test_filters_leave_the_callers_kernel_alone_and_normalize_it(session):
    k = np.array([[1., 2.], [3., 4.]], np.float32)
    upfirdn_2d.downsample_2d(tf.constant(X4), k)
    np.testing.assert_array_equal(k, [[1, 2], [3, 4]])
    ones = tf.ones([1, 1, 6, 6])
    np.testing.assert_allclose(session.run(upfirdn_2d.filter_2d(ones, k, gain=5))[0, 0, 2, 2], 5)


@pytest.mark.parametrize('function', [upfirdn_2d.filter_2d, upfirdn_2d.upsample_2d, upfirdn_2d.downsample_2d])
@pytest.mark.parametrize('padding', [1, -1])
def test_padding_grows_or_crops_the_output(function, padding, session):
    x = tf.constant(golden_input('pad/x', [1, 2, 8, 8]))
    plain, padded = session.run([function(x, K1331), function(x, K1331, padding=padding)])
    if padding < 0:
        plain, padded = padded, plain
    assert padded.shape[2] == plain.shape[2] + 2
    np.testing.assert_allclose(padded[:, :, 1:-1, 1:-1], plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('function', [upfirdn_2d.upsample_conv_2d, upfirdn_2d.conv_downsample_2d])
def test_grouped_weights_act_on_each_group_alone(function, session):
    x = tf.constant(golden_input('group/x', [1, 4, 8, 8]))
    w = tf.constant(golden_input('group/w', [3, 3, 2, 6]))
    groups = zip(tf.split(x, 2, axis=1), tf.split(w, 2, axis=3), strict=True)
    parts = [function(*group, K1331) for group in groups]

    def grouped(x, w):
        with built_for_gpus():
            return function(x, w, K1331)

    actual, expected = session.run([compiled(grouped)(x, w), tf.concat(parts, axis=1)])
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_both_layouts_give_the_same_result(session):
    x = golden_input('layout/x', [2, 3, 8, 8])
    w = tf.constant(golden_input('layout/w', [3, 3, 3, 5]))
    for function in (upfirdn_2d.upsample_conv_2d, upfirdn_2d.conv_downsample_2d):
        nchw = function(tf.constant(x), w, K1331)
        nhwc = function(tf.constant(x.transpose(0, 2, 3, 1)), w, K1331, data_format='NHWC')
        nchw, nhwc = session.run([nchw, nhwc])
        np.testing.assert_allclose(nhwc.transpose(0, 3, 1, 2), nchw, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(('act', 'y', 'slope'), [
    ('relu', [0, 0, 0, .707107, 2.828427], [0, 0, 0, 1.414214, 1.414214]),
    ('lrelu', [-.565685, -.141421, 0, .707107, 2.828427], [.282843, .282843, .282843, 1.414214, 1.414214]),
    ('elu', [-.864665, -.393469, 0, .5, 2], [.135335, .606531, 1, 1, 1]),
    ('selu', [-1.520167, -.691758, 0, .525351, 2.101402], [.237933, 1.066341, 1.050701, 1.050701, 1.050701]),
    ('softplus', [.126928, .474077, .693147, .974077, 2.126928], [.119203, .377541, .5, .622459, .880797]),
    ('swish', [-.337157, -.266962, 0, .440145, 2.49127], [-.128388, .36775, .707107, 1.046463, 1.542602]),
])
def test_activations_and_slopes_at_chosen_points(act, y, slope, session):
    x = tf.constant([[-2, -.5, 0, .5, 2]])
    out = fused_bias_act.fused_bias_act(x, act=act)
    actual = session.run([out, tf.gradients(out, x)[0]])
    np.testing.assert_allclose(actual[0][0], y, atol=1e-6)
    np.testing.assert_allclose(actual[1][0], slope, atol=1e-6)


def test_biases_run_along_any_axis_and_may_be_empty(session):
    x = golden_input('axis/x', [2, 3, 4])
    expected = [x + golden_input('b', [n]).reshape([-1 if i == axis else 1 for i in range(3)])
                for axis, n in enumerate(x.shape)]
    actual = [fused_bias_act.fused_bias_act(x, golden_input('b', [n]), axis=axis)
              for axis, n in enumerate(x.shape)]
    vector = fused_bias_act.fused_bias_act(x[0, 0], golden_input('b', [4]), axis=0)
    empty = fused_bias_act.fused_bias_act(x, tf.zeros([0]), axis=-1)
    actual, vector, empty = session.run([actual, vector, empty])
    for y, value in zip(actual, expected, strict=True):
        np.testing.assert_allclose(y, value, rtol=1e-6)
    np.testing.assert_allclose(vector, x[0, 0] + golden_input('b', [4]), rtol=1e-6)
    np.testing.assert_array_equal(empty, x)


@pytest.mark.parametrize('act', ['tanh', 'sigmoid', 'elu', 'selu', 'softplus', 'swish'])
def test_second_order_gradients_count_the_incoming_gradient(act, session):
    """Compare d/dx of sum(g * dy * gain * f'(x)) with differences of f'. The published kernels omit dy."""
    u = np.linspace(-2.9, 3.1, 9)
    step = 1e-5
    x = tf.placeholder(tf.float64, [9])
    dy, g = (tf.constant(golden_input(key, [9]), tf.float64) for key in ('dy', 'g'))
    dx = tf.gradients(fused_bias_act.fused_bias_act(x, act=act, gain=1.5), x, dy)[0]
    second = session.run(tf.gradients(dx, x, g)[0], {x: u})
    slopes = [session.run(dx, {x: u + delta}) for delta in (-step, step)]
    expected = session.run(g) * (slopes[1] - slopes[0]) / (2 * step)
    np.testing.assert_allclose(second, expected, rtol=1e-5, atol=1e-8)


def test_clamp_limits_the_result_and_its_gradient(session):
    x = tf.constant([-3.0, -0.1, 0.1, 3.0])
    y = fused_bias_act.fused_bias_act(x[:, tf.newaxis], clamp=0.5)
    y, grad = session.run([y, tf.gradients(y, x)[0]])
    np.testing.assert_allclose(y[:, 0], [-0.5, -0.1, 0.1, 0.5])
    np.testing.assert_allclose(grad, [0, 1, 1, 0])


def test_bad_arguments_of_the_ops_are_refused(session):
    x = tf.zeros([2, 3, 4, 4])
    with pytest.raises(KeyError):
        fused_bias_act.fused_bias_act(x, act=None)
    with pytest.raises(KeyError):
        fused_bias_act.fused_bias_act(x, impl='fast')
    with pytest.raises(AssertionError):
        fused_bias_act.fused_bias_act(x, tf.zeros([4]))
    with pytest.raises(AssertionError):
        fused_bias_act.fused_bias_act(x, tf.zeros([4]), axis=-1)
    with pytest.raises(AssertionError):
        upfirdn_2d.upsample_2d(x, data_format='CHWN')
    with pytest.raises(AssertionError):
        upfirdn_2d.upfirdn_2d(x, [[1]], upx=2.0)
    with pytest.raises(AssertionError):
        upfirdn_2d.upfirdn_2d(x, [1, 3, 3, 1])
    with pytest.raises(KeyError):
        upfirdn_2d.upsample_2d(x, impl='fast')
