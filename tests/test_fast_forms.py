"""Test that faster forms of computations give the same values and gradients as the plain forms."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.inference import inference, is_inference
from dnnlib.tflib.ops import conv2d, cpu_kernels, upfirdn_2d
from dnnlib.tflib.ops.fused_bias_act import activation_funcs, fused_bias_act, gain_before_and_after
from dnnlib.tflib.ops.upfirdn_2d import conv_downsample_2d, upsample_conv_2d
from tests.golden_figures import QUICK, assert_close, fresh_session, set_golden_values
from tests.golden_recipe import golden_input
from training.layers import equalized, modulated, styles
from training.layers.minibatch_stddev import minibatch_stddev_layer

KERNEL = [1, 3, 3, 1]


def _with_gradients(build, *inputs):
    y = build(*inputs)
    return y, *tf.gradients(tf.reduce_sum(y ** 3), inputs)


def _assert_equal(session, forms, *arrays):
    """Check that both forms have the same values and gradients."""
    inputs = [tf.constant(array) for array in arrays]
    actual, expected = session.run([_with_gradients(form, *inputs) for form in forms])
    for idx, (value, other) in enumerate(zip(actual, expected, strict=True)):
        assert_close(value, other, f'tensor {idx}', tolerance=1e-5)


@pytest.mark.parametrize('act', activation_funcs)
def test_the_gain_of_an_activation_can_be_shared_out(act, session):
    before, after = gain_before_and_after(act)
    x = golden_input('x', [50])
    shared, plain = session.run([fused_bias_act(tf.constant(x * before), act=act, gain=1) * after,
                                 fused_bias_act(tf.constant(x), act=act)])
    assert_close(shared, plain, act, tolerance=1e-6)


def _types_of_operations(build, *arrays):
    """Return the types of all operations that compute values and gradients."""
    with tf.Graph().as_default() as graph:
        _with_gradients(build, *map(tf.constant, arrays))
    return {op.type for op in graph.get_operations()}


@pytest.mark.parametrize('padding', ['SAME', 'VALID'])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('fmaps', [1, 3, 8])
def test_convolution_by_single_pixels_is_a_matrix_product(fmaps, stride, padding, session):
    """This holds for all gradients: with strides, oneDNN's convolution would write out of bounds."""
    def plain(x, w):
        return tf.nn.conv2d(x[:, ::stride, ::stride], w, strides=1, padding=padding)

    def product(x, w):
        return conv2d.conv2d(x, w, stride, padding, data_format='NHWC')

    x, w = golden_input('x', [2, 5, 4, 6]), golden_input('w', [1, 1, 6, fmaps])
    _assert_equal(session, (product, plain), x, w)
    types = _types_of_operations(product, x, w)
    assert 'MatMul' in types
    assert not {kind for kind in types if kind.startswith('Conv')}


@pytest.mark.parametrize('padding', ['SAME', 'VALID'])
@pytest.mark.parametrize('stride', [1, 2, 3])
def test_transposed_convolution_by_single_pixels_is_a_matrix_product(stride, padding, session):
    size = [n * stride if padding == 'SAME' else (n - 1) * stride + 1 for n in (5, 4)]
    x, w = golden_input('x', [2, 5, 4, 6]), golden_input('w', [1, 1, 3, 6])

    def by_einsum(x, w):
        spread = np.zeros([5, 4, *size], np.float32)
        for row, column in np.ndindex(5, 4):
            spread[row, column, row * stride, column * stride] = 1
        return tf.einsum('nyxi,yxhw,oi->nhwo', x, tf.constant(spread), w[0, 0])

    def product(x, w):
        return conv2d.conv2d_transpose(x, w, stride, padding, data_format='NHWC')

    _assert_equal(session, (product, by_einsum), x, w)
    assert not {kind for kind in _types_of_operations(product, x, w) if kind.startswith('Conv')}


@pytest.mark.parametrize('size, fmaps, avx2, expected', [
    ([1, 16, 17], 6, True, 'Conv2DBackpropInput'), ([1, 16, 17], 6, False, 'Conv2D'),
    ([1, 16, 17], 256, False, 'Conv2DBackpropInput'), ([1, 12, 17], 6, True, 'Conv2D'),
    ([2, 16, 17], 6, True, 'Conv2D')])
def test_the_convolution_of_one_sample_is_a_transposed_one_where_that_is_faster(
        size, fmaps, avx2, expected, session, monkeypatch):
    def plain(x, w):
        return tf.nn.conv2d(x, w, strides=1, padding='SAME')

    def fast(x, w):
        return conv2d.conv2d(x, w, data_format='NHWC')

    monkeypatch.setattr(cpu_kernels, '_uses_onednn', lambda: True)
    monkeypatch.setattr(cpu_kernels, '_is_avx2_the_widest', lambda: avx2)
    x, w = golden_input('x', [*size, fmaps]), golden_input('w', [3, 3, fmaps, 4])
    assert fast(tf.constant(x), tf.constant(w)).op.type == expected
    _assert_equal(session, (fast, plain), x, w)


def test_without_onednn_convolutions_stay_as_they_are(session, monkeypatch):
    monkeypatch.setattr(cpu_kernels, '_uses_onednn', lambda: False)
    monkeypatch.setattr(cpu_kernels, '_is_avx2_the_widest', lambda: True)
    assert conv2d.conv2d(tf.zeros([1, 16, 16, 256]), tf.zeros([3, 3, 256, 4]),
                         data_format='NHWC').op.type == 'Conv2D'


@pytest.mark.parametrize('resample', ['up', 'down'])
def test_single_pixels_are_convolved_at_the_lower_resolution(resample, session):
    plain = upsample_conv_2d if resample == 'up' else conv_downsample_2d
    _assert_equal(
        session,
        (lambda x, w: equalized.resampled_conv2d(x, w, resample_kernel=KERNEL, **{resample: True}),
         lambda x, w: plain(x, w, k=KERNEL)),
        golden_input('x', [2, 6, 8, 8]), golden_input('w', [1, 1, 6, 4]))


@pytest.mark.parametrize('k, padding', [(KERNEL, 0), ([1, 2, 3, 4, 4, 3, 2, 1], 2), (None, 0)])
@pytest.mark.parametrize('factor', [1, 2, 3])
@pytest.mark.parametrize('data_format', ['NCHW', 'NHWC'])
def test_zeros_beside_a_large_upsampled_image_take_the_place_of_padding(
        data_format, factor, k, padding, session, monkeypatch):
    shape = [1, 66, 64, 2] if data_format == 'NHWC' else [1, 2, 66, 64]
    inputs = [tf.constant(golden_input(name, size)) for name, size in (('x', shape), ('w', [3, 3, 2, 3]))]

    def build(*inputs):
        return upsample_conv_2d(*inputs, k=k, factor=factor, padding=padding, data_format=data_format)

    margins = session.run(_with_gradients(build, *inputs))
    monkeypatch.setattr(upfirdn_2d, 'fast_margin', lambda x, data_format: 0)
    for value, other in zip(margins, session.run(_with_gradients(build, *inputs)), strict=True):
        assert_close(value, other, 'tensor', tolerance=1e-5)


def test_there_are_such_zeros_where_that_is_faster():
    def size(height, k):
        with tf.Graph().as_default() as graph:
            upsample_conv_2d(tf.zeros([1, height, height, 2]), tf.zeros([3, 3, 2, 3]), k, data_format='NHWC')
        [op] = [op for op in graph.get_operations() if op.type == 'Conv2DBackpropInput']
        return op.outputs[0].shape[1:3]

    assert size(64, KERNEL) == [130, 130]
    assert size(32, KERNEL) == [65, 65]
    assert size(64, None) == [129, 129], 'without padding there is nothing to replace'


@pytest.mark.parametrize('demodulate', [True, False])
@pytest.mark.parametrize('resample', ['same size', 'up', 'down'])
def test_the_weights_of_one_sample_can_be_modulated(resample, demodulate, session):
    kwargs = dict(up=resample == 'up', down=resample == 'down', resample_kernel=KERNEL, data_format='NHWC')
    forms = [lambda x, w, s, form=form: form(x, w, s, demodulate, kwargs, out_gain=1.3 if demodulate else 1)
             for form in (modulated._weights_of_one_sample, modulated._scaled_activations)]
    _assert_equal(session, forms, golden_input('x', [1, 8, 8, 4]), golden_input('w', [3, 3, 4, 6]),
                  golden_input('s', [1, 4]))


@pytest.mark.parametrize('group_size', [3, 4, None])
def test_groups_of_samples_are_the_same_for_a_minibatch_of_known_size(group_size, session):
    x = golden_input('x', [12, 4, 3, 3])
    known = minibatch_stddev_layer(tf.constant(x), group_size)
    unknown = minibatch_stddev_layer(tf.placeholder_with_default(x, [None, 4, 3, 3]), group_size)
    assert known.shape == (12, 5, 3, 3)
    np.testing.assert_array_equal(*session.run([known, unknown]))


@pytest.fixture(scope='module')
def large_generator():
    """Return a network whose images are large enough to be generated one by one."""
    with fresh_session(QUICK):
        net = tflib.Network(
            'G', func_name='training.networks_stylegan2.G_main', resolution=styles._LARGE, fmap_base=64,
            fmap_max=8, latent_size=8, dlatent_size=8, mapping_fmaps=8, mapping_layers=1)
        set_golden_values(net)
        yield net


def test_large_images_are_the_same_one_by_one(large_generator):
    latents = golden_input('latents', [3, 8])
    kwargs = dict(randomize_noise=False, truncation_psi=1)
    together = tflib.run(large_generator.get_output_for(latents, None, **kwargs))
    one_by_one = large_generator.run(latents, None, **kwargs)
    assert _loops(large_generator) == 1
    assert together.std() > 0.01
    assert_close(one_by_one, together, 'images', tolerance=1e-5)


def test_every_image_has_noise_of_its_own(large_generator):
    latents = np.repeat(golden_input('latents', [1, 8]), 2, axis=0)
    first, second = large_generator.run(latents, None, randomize_noise=True)
    assert np.abs(first - second).max() > 0.01


def _loops(net):
    operations = net.input_templates[0].graph.get_operations()
    return sum(op.type == 'LoopCond' for op in operations)


def test_graphs_are_for_inference_within_the_context_only():
    assert not is_inference()
    with inference():
        with inference():
            assert is_inference()
        assert is_inference()
    assert not is_inference()
