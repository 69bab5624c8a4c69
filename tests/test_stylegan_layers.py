"""Test layers of StyleGAN against NumPy, in both layouts."""

import functools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from tests.golden_recipe import golden_input
from training import networks_stylegan

X = golden_input('x', [3, 4, 5, 6])
DLATENT = golden_input('dlatent', [3, 7])
LAYOUTS = {'NCHW': [0, 1, 2, 3], 'NHWC': [0, 2, 3, 1]}


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


def in_layout(function, layout, session, x=X):
    """Evaluate function(x, data_format) with x in this layout. -> [N,C,H,W]."""
    axes = LAYOUTS[layout]
    y = function(tf.constant(x.transpose(axes)), data_format=layout)
    tflib.init_uninitialized_vars()
    return session.run(y).transpose(np.argsort(axes))


def variables(session):
    """Set every variable to a different value and return {name: value}."""
    names = {var: var.name.split(':')[0] for var in tf.global_variables()}
    values = {name: golden_input(name, var.shape.as_list()) for var, name in names.items()}
    tflib.set_vars({var: values[name] for var, name in names.items()})
    return values


@pytest.mark.parametrize('name', networks_stylegan.__all__)
def test_the_published_helpers_are_there(name):
    assert callable(getattr(networks_stylegan, name))


def test_leaky_relu_has_slope_1_at_0_and_no_curvature(session):
    x = tf.constant([-2.0, -0.5, 0.0, 0.5, 2.0])
    dy = tf.constant([1.0, 2.0, 3.0, 4.0, 5.0])
    y = networks_stylegan.leaky_relu(x)
    slope = tf.gradients(y, x, dy)[0]
    by_dy = tf.gradients(slope, dy, tf.ones(5))[0]
    y, slope, by_dy = session.run([y, slope, by_dy])
    np.testing.assert_allclose(y, [-0.4, -0.1, 0, 0.5, 2])
    np.testing.assert_allclose(slope, [0.2, 0.4, 3, 4, 5])
    np.testing.assert_allclose(by_dy, [0.2, 0.2, 1, 1, 1])
    assert tf.gradients(networks_stylegan.leaky_relu(x, alpha=0.5) ** 2, x)[0] is not None
    assert tf.gradients(tf.gradients(networks_stylegan.leaky_relu(x), x)[0], x)[0] is None


def test_pixel_norm_divides_by_the_root_mean_square_over_channels(layout, session):
    expected = X / np.sqrt(np.mean(X ** 2, axis=1, keepdims=True) + 0.1)
    actual = in_layout(functools.partial(networks_stylegan.pixel_norm, epsilon=0.1), layout, session)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    vectors = session.run(networks_stylegan.pixel_norm(tf.constant(DLATENT)))
    np.testing.assert_allclose(np.mean(vectors ** 2, axis=1), 1, rtol=1e-5)


def test_instance_norm_standardizes_every_channel_in_float32(layout, session):
    centered = X - X.mean(axis=(2, 3), keepdims=True)
    expected = centered / np.sqrt(np.mean(centered ** 2, axis=(2, 3), keepdims=True) + 1e-8)
    actual = in_layout(networks_stylegan.instance_norm, layout, session)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    tiny = in_layout(networks_stylegan.instance_norm, layout, session, x=(X * 1e-2).astype(np.float16))
    assert tiny.dtype == np.float16
    np.testing.assert_allclose(tiny, expected, atol=0.02)


def test_style_mod_scales_by_the_first_half_plus_one_and_shifts_by_the_second(layout, session):
    def layer(x, data_format):
        y = networks_stylegan.style_mod(x, tf.constant(DLATENT), use_wscale=True, data_format=data_format)
        values.update(variables(session))
        return y

    values = {}
    actual = in_layout(layer, layout, session)
    assert set(values) == {'StyleMod/weight', 'StyleMod/bias'}
    style = DLATENT @ values['StyleMod/weight'] / np.sqrt(7) + values['StyleMod/bias']
    scale, shift = style.reshape(3, 2, 4, 1, 1).transpose(1, 0, 2, 3, 4)
    np.testing.assert_allclose(actual, X * (scale + 1) + shift, rtol=1e-4, atol=1e-4)


def test_noise_is_scaled_per_channel_and_starts_without_effect(layout, session):
    noise = golden_input('noise', [1, 1, 5, 6])
    fixed = functools.partial(networks_stylegan.apply_noise, noise_var=noise, randomize_noise=False)
    before = in_layout(fixed, layout, session)
    np.testing.assert_array_equal(before, X)
    weight = variables(session)['Noise/weight']
    with tf.variable_scope('', reuse=True):
        after = in_layout(fixed, layout, session)
        fresh = in_layout(networks_stylegan.apply_noise, layout, session)
    np.testing.assert_allclose(after, X + noise * weight[:, np.newaxis, np.newaxis], rtol=1e-4, atol=1e-5)
    per_channel = (fresh - X) / weight[:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(per_channel, per_channel[:, :1] * np.ones([1, 4, 1, 1]), rtol=1e-2, atol=1e-3)
    assert per_channel[:, 0].std() > 0.7
    assert np.abs(per_channel[0] - per_channel[1]).max() > 0.5


def test_dense_layers_flatten_images_channel_by_channel(layout, session):
    def layer(x, data_format):
        y = networks_stylegan.dense(x, fmaps=2, data_format=data_format)
        values.update(variables(session))
        return tf.reshape(y, [3, 2, 1, 1] if data_format == 'NCHW' else [3, 1, 1, 2])

    values = {}
    actual = in_layout(layer, layout, session)[:, :, 0, 0]
    np.testing.assert_allclose(actual, X.reshape(3, -1) @ values['weight'], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('kwargs, initial_std, scale', [
    ({}, np.sqrt(2 / 400), 1),
    (dict(gain=1, lrmul=0.5), np.sqrt(1 / 400) / 0.5, 0.5),
    (dict(use_wscale=True, lrmul=0.1), 10, np.sqrt(2 / 400) * 0.1),
])
def test_weights_start_at_the_published_scale(kwargs, initial_std, scale, session):
    weight = networks_stylegan.get_weight([400, 300], **kwargs)
    (variable,) = tf.global_variables()
    session.run(variable.initializer)
    stored, used = session.run([variable, weight])
    np.testing.assert_allclose(stored.std(), initial_std, rtol=0.02)
    np.testing.assert_allclose(used, stored * scale, rtol=1e-5)


def test_biases_are_scaled_per_channel_of_images_and_vectors(layout, session):
    with tf.variable_scope('Image'):
        networks_stylegan.apply_bias(tf.constant(X.transpose(LAYOUTS[layout])), data_format=layout)
    with tf.variable_scope('Vector'):
        networks_stylegan.apply_bias(tf.constant(DLATENT))
    values = variables(session)
    assert {name: value.shape for name, value in values.items()} == {'Image/bias': (4,), 'Vector/bias': (7,)}
    with tf.variable_scope('Image', reuse=True):
        image = in_layout(functools.partial(networks_stylegan.apply_bias, lrmul=0.5), layout, session)
    expected = X + 0.5 * values['Image/bias'][:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(image, expected, rtol=1e-5, atol=1e-6)
    with tf.variable_scope('Vector', reuse=True):
        vector = session.run(networks_stylegan.apply_bias(tf.constant(DLATENT), lrmul=0.5))
    np.testing.assert_allclose(vector, DLATENT + 0.5 * values['Vector/bias'], rtol=1e-5, atol=1e-6)


def test_convolutions_have_an_odd_kernel_and_keep_the_size(layout, session):
    y = in_layout(functools.partial(networks_stylegan.conv2d, fmaps=2, kernel=3), layout, session)
    assert y.shape == (3, 2, 5, 6)
    assert [var.shape.as_list() for var in tf.global_variables()] == [[3, 3, 4, 2]]
    with pytest.raises(AssertionError):
        networks_stylegan.conv2d(tf.constant(X), fmaps=2, kernel=2)
