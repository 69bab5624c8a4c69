"""Test blur and resampling of StyleGAN: published numbers, equivalent forms, gradients."""

import functools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops import stylegan_resampling as ops
from tests.golden_recipe import golden_input
from training.layers import stylegan as layers

X4 = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
X2 = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 2, 2)
W3 = np.arange(1, 10, dtype=np.float32).reshape(3, 3, 1, 1)
ONES = np.ones([1, 1, 4, 4], np.float32)
IMPULSE = np.eye(16, dtype=np.float32)[5].reshape(1, 1, 4, 4)  # row 1, column 1


@pytest.mark.parametrize(('function', 'x', 'kwargs', 'rows'), [
    (ops.upscale2d_conv2d, X2, dict(w=W3, fused=True),
     '12 26 33 32 33 69 84 76 51 99 114 98 72 128 141 112'),
    (ops.upscale2d_conv2d, X2, dict(w=W3, fused=False),
     '28 54 67 48 67 111 126 84 89 141 156 102 48 72 79 48'),
    (ops.conv2d_downscale2d, X4, dict(w=W3, fused=True), '217 251.75 340.5 350.75'),
    (ops.conv2d_downscale2d, X4, dict(w=W3, fused=False), '217 251.75 340.5 350.75'),
    (ops.blur2d, X4, {}, '1.5 2.5 3.25 2.8125 4 6 7 5.75 7 10 11 8.75 6.75 9.5 10.25 8.0625'),
    (ops.blur2d, ONES, {}, '.5625 .75 .75 .5625 .75 1 1 .75 .75 1 1 .75 .5625 .75 .75 .5625'),
    (ops.blur2d, ONES, dict(f=[1, 3, 3, 1]),
     '.765625 .875 .765625 .4375 .875 1 .875 .5 .765625 .875 .765625 .4375 .4375 .5 .4375 .25'),
    (ops.blur2d, IMPULSE, dict(f=[1, 2, 4], normalize=False), '16 8 4 0 8 4 2 0 4 2 1 0 0 0 0 0'),
    (ops.upscale2d, X2, {}, '1 1 2 2 1 1 2 2 3 3 4 4 3 3 4 4'),
    (ops.downscale2d, X4, {}, '3.5 5.5 11.5 13.5'),
    (ops.downscale2d, X4, dict(factor=4), '8.5'),
])
def test_small_images_give_the_published_numbers(function, x, kwargs, rows, module_session):
    y = module_session.run(function(tf.constant(x), **kwargs))
    np.testing.assert_allclose(y.ravel(), np.fromstring(rows, sep=' '), rtol=1e-6)


@pytest.mark.parametrize('size', [6, 7])
@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('taps', [1, 2, 3, 4])
def test_blur_pads_like_a_depthwise_convolution_with_same_padding(taps, stride, size, module_session):
    x = golden_input('blur/x', [2, size, size + 1, 3])
    f = golden_input('blur/f', [taps, taps + 1])
    w = np.tile(f[:, :, np.newaxis, np.newaxis], [1, 1, 3, 1])  # [kH,kW] -> [kH,kW,C,1]
    expected = tf.nn.depthwise_conv2d(x, w, strides=[1, stride, stride, 1], padding='SAME')
    y = ops.blur2d(tf.constant(x), f, normalize=False, stride=stride, data_format='NHWC')
    y, expected = module_session.run([y, expected])
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_blur_of_half_precision_images_is_computed_in_single_precision(module_session):
    x = golden_input('half', [1, 1, 8, 8]).astype(np.float16)
    f = [1e-5, 2e-5, 1e-5]  # the products of these taps underflow in half precision
    y, expected = module_session.run([
        ops.blur2d(tf.constant(x), f), ops.blur2d(tf.constant(x.astype(np.float32)), f)])
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y, expected.astype(np.float16))


def test_factor_one_changes_nothing_and_remainders_are_dropped(module_session):
    x = tf.constant(golden_input('odd', [1, 2, 5, 7]))
    assert ops.upscale2d(x, factor=1) is x
    assert ops.downscale2d(x, factor=1) is x
    y, cropped = module_session.run([ops.downscale2d(x), ops.downscale2d(x[:, :, :4, :6])])
    np.testing.assert_array_equal(y, cropped)


@pytest.mark.parametrize('function', [ops.upscale2d, ops.downscale2d])
def test_factors_are_positive_integers(function):
    for factor in (0, 2.0):
        with pytest.raises(AssertionError):
            function(tf.zeros([1, 1, 4, 4]), factor=factor)


LINEAR_OPS = {
    'blur': functools.partial(ops.blur2d, f=[1, 2, 1]),
    'asymmetric blur': functools.partial(ops.blur2d, f=[1, 2, 5]),
    'even blur': functools.partial(ops.blur2d, f=[[1, 2], [4, 9]]),
    'blur with stride': functools.partial(ops.blur2d, f=[1, 2, 4, 5], stride=2),
    'upscale': functools.partial(ops.upscale2d, factor=3),
    'downscale': functools.partial(ops.downscale2d, factor=2),
    'fused upscale and convolution': functools.partial(ops.upscale2d_conv2d, w=W3, fused=True),
    'upscale and convolution': functools.partial(ops.upscale2d_conv2d, w=W3, fused=False),
    'fused convolution and downscale': functools.partial(ops.conv2d_downscale2d, w=W3, fused=True),
    'convolution and downscale': functools.partial(ops.conv2d_downscale2d, w=W3, fused=False),
}


@pytest.mark.parametrize('op', LINEAR_OPS.values(), ids=LINEAR_OPS)
def test_first_and_second_order_gradients_are_exact(op, module_session):
    """The ops are linear, so their outputs for unit images are the rows of a matrix to compare with."""
    x = tf.constant(golden_input('jac', [1, 1, 4, 6]))
    units = tf.constant(np.eye(24, dtype=np.float32).reshape(24, 1, 4, 6))
    y = op(x)
    first = tf.gradients(tf.reduce_sum(y ** 3), x)[0]
    second = tf.gradients(tf.reduce_sum(first ** 2), x)[0]
    matrix, y, first, second = module_session.run([op(units), y, first, second])
    matrix, y = matrix.reshape(24, -1), y.ravel()
    hessian = matrix @ np.diag(6 * y) @ matrix.T
    for actual, expected in ((first, matrix @ (3 * y ** 2)), (second, 2 * hessian @ first.ravel())):
        np.testing.assert_allclose(actual.ravel(), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def _value_and_gradients(y, inputs):
    """Return y, its first-order gradients, and the second-order gradients for the first input."""
    grads = tf.gradients(tf.reduce_sum(y ** 3), inputs)
    return [y, *grads, *tf.gradients(tf.reduce_sum(grads[0] ** 2), inputs)]


@pytest.mark.parametrize('kernel', [1, 3, 5])
@pytest.mark.parametrize('function', [ops.upscale2d_conv2d, ops.conv2d_downscale2d])
def test_fused_and_separate_steps_agree_where_upscaling_flips_the_kernel(function, kernel, module_session):
    """Values and gradients with respect to images and weights agree."""
    x = tf.constant(golden_input('fused/x', [2, 3, 6, 8]))
    w = tf.constant(golden_input('fused/w', [kernel, kernel, 3, 4]))
    separate_w = w[::-1, ::-1] if function is ops.upscale2d_conv2d else w
    fused = _value_and_gradients(function(x, w, fused=True), [x, w])
    separate = _value_and_gradients(function(x, separate_w, fused=False), [x, w])
    for actual, expected in module_session.run(list(zip(fused, separate, strict=True))):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize('op', [
    functools.partial(ops.blur2d, f=[1, 2, 4, 5]),
    ops.upscale2d,
    ops.downscale2d,
    *(functools.partial(function, w=golden_input('layout/w', [3, 3, 3, 5]), fused=fused)
      for function in (ops.upscale2d_conv2d, ops.conv2d_downscale2d) for fused in (True, False)),
])
def test_both_layouts_give_the_same_result(op, module_session):
    x = golden_input('layout/x', [2, 3, 4, 6])
    nchw, nhwc = module_session.run([
        op(tf.constant(x)), op(tf.constant(x.transpose(0, 2, 3, 1)), data_format='NHWC')])
    np.testing.assert_allclose(nhwc.transpose(0, 3, 1, 2), nchw, rtol=1e-5, atol=1e-5)


def test_unknown_minibatch_sizes_are_accepted(module_session):
    x = tf.placeholder(tf.float32, [None, 1, 2, 2])
    for data_format in ('NCHW', 'NHWC'):
        layout = [0, 1, 2, 3] if data_format == 'NCHW' else [0, 2, 3, 1]
        y = tf.transpose(x, layout)
        for fused in (True, False):
            y = ops.upscale2d_conv2d(y, W3, fused=fused, data_format=data_format)
            y = ops.conv2d_downscale2d(y, W3, fused=fused, data_format=data_format)
        assert y.shape.as_list() == [[None, 1, 2, 2][axis] for axis in layout]
        assert module_session.run(y, {x: np.repeat(X2, 3, axis=0)}).shape[0] == 3


@pytest.mark.parametrize(('layer', 'short_side'), [
    (layers.upscale2d_conv2d, 64), (layers.conv2d_downscale2d, 128)])
def test_automatic_fusing_starts_where_the_finer_images_have_128_pixels(layer, short_side):
    def op_types(shape, **kwargs):
        with tf.Graph().as_default() as graph:
            layer(tf.zeros(shape), fmaps=1, kernel=3, **kwargs)
            return [op.type for op in graph.get_operations()]

    for size in (short_side - 1, short_side):
        for shape, data_format in (([1, 1, 200, size], 'NCHW'), ([1, size, 200, 1], 'NHWC')):
            types = {fused: op_types(shape, fused_scale=fused, data_format=data_format)
                     for fused in ('auto', True, False)}
            assert types['auto'] == types[size == short_side]
            assert types['auto'] != types[size != short_side]


@pytest.mark.parametrize('layer', [layers.upscale2d_conv2d, layers.conv2d_downscale2d])
@pytest.mark.parametrize(('kwargs', 'initial_std', 'scale'), [
    ({}, np.sqrt(2 / 144), 1),
    (dict(lrmul=0.5), np.sqrt(2 / 144) / 0.5, 0.5),
    (dict(use_wscale=True, gain=3, lrmul=0.5), 1 / 0.5, 3 / 12 * 0.5),
])
def test_layers_make_one_weight_with_the_defaults_of_stylegan(layer, kwargs, initial_std, scale, session):
    x = tf.constant(golden_input('layer/x', [2, 16, 4, 4]))
    results = {}
    for fused in (True, False):
        with tf.variable_scope('Conv', reuse=tf.AUTO_REUSE):
            results[fused] = layer(x, fmaps=64, kernel=3, fused_scale=fused, **kwargs)
    (weight,) = tf.global_variables()
    assert weight.name == 'Conv/weight:0'
    assert weight.shape.as_list() == [3, 3, 16, 64]
    session.run(weight.initializer)
    value, results = session.run([weight, results])
    np.testing.assert_allclose(value.std(), initial_std, rtol=0.05)
    function = getattr(ops, layer.__name__)
    for fused, y in results.items():
        expected = session.run(function(x, value * np.float32(scale), fused=fused))
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_bad_arguments_of_the_layers_are_refused(session):
    x = tf.zeros([1, 1, 4, 4])
    for kwargs in (dict(kernel=2), dict(kernel=3, fused_scale='always'), dict(kernel=3, data_format='CHWN')):
        with pytest.raises(AssertionError):
            layers.upscale2d_conv2d(x, fmaps=1, **kwargs)
        with pytest.raises(AssertionError):
            layers.conv2d_downscale2d(x, fmaps=1, **kwargs)
