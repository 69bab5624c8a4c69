"""Test Network.run(): minibatches, transforms, devices, cached graphs."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib import tfutil
from dnnlib.tflib.network import running
from tests.golden_recipe import golden_input
from tests.small_networks import AFFINE_X, X, Y, affine, graph_ops, twice


def add_to_all(*tensors, amount):
    return [x + amount for x in tensors]


def sum_pair(x, y):
    return x + y


def test_run_returns_a_tuple_a_list_or_one_array(net):
    out, scaled = net.run(X, Y)
    np.testing.assert_allclose(out, AFFINE_X)
    np.testing.assert_allclose(scaled, Y * 2)
    assert isinstance(net.run(X, Y), tuple)
    assert isinstance(net.run(X, Y, return_as_list=True), list)
    single = tflib.Network('single', func_name=twice)
    assert single.run(X).tolist() == (2 * X).tolist()


@pytest.mark.parametrize('minibatch_size', [1, 2, 4, 5, 8])
def test_minibatches_change_nothing(minibatch_size, net):
    whole = net.run(X, Y)
    parts = net.run(X, Y, minibatch_size=minibatch_size)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_items_give_empty_arrays_without_a_session_call(net, monkeypatch):
    net.run(X, Y)
    monkeypatch.setattr(running.tfutil, 'run', None)
    out, scaled = net.run(X[:0], Y[:0])
    assert (out.shape, scaled.shape, out.dtype) == ((0, 3), (0, 1, 3), np.float32)


def test_missing_arrays_are_zeros(net):
    out, scaled = net.run(X, None, minibatch_size=2)
    np.testing.assert_allclose(out, AFFINE_X)
    np.testing.assert_array_equal(scaled, np.zeros([5, 1, 3]))
    out, scaled = net.run(None, Y, minibatch_size=2)
    np.testing.assert_array_equal(out, np.zeros([5, 3]))
    np.testing.assert_allclose(scaled, Y * 2)
    for size in (0, -1):
        with pytest.raises(AssertionError):
            net.run(X, Y, minibatch_size=size)


def test_any_dtype_can_be_fed(net):
    np.testing.assert_allclose(net.run(X.astype(np.uint8), Y.astype(np.float64))[0], AFFINE_X)


def test_transforms_apply_to_all_inputs_and_outputs(net):
    plus_one = dict(func=add_to_all, amount=1.0)
    out, scaled = net.run(X, Y, input_transform=plus_one)
    np.testing.assert_allclose(out, AFFINE_X + 2)
    np.testing.assert_allclose(scaled, (Y + 1) * 2)
    out, scaled = net.run(X, Y, output_transform=plus_one)
    np.testing.assert_allclose(out, AFFINE_X + 1)
    np.testing.assert_allclose(scaled, Y * 2 + 1)


def test_transforms_are_functions_with_a_name_and_keep_the_number_of_tensors(net):
    with pytest.raises(AssertionError):
        net.run(X, Y, output_transform=dict(func=lambda x, y: (x, y)))
    with pytest.raises(AssertionError):
        net.run(X, Y, output_transform=dict(func=sum_pair))


def test_output_dtype_follows_the_transform(generator):
    z = golden_input('z', [3, 4])
    images = generator.run(z, None, randomize_noise=False, minibatch_size=2,
                           output_transform=dict(func=tflib.convert_images_to_uint8, nchw_to_nhwc=True))
    assert (images.shape, images.dtype) == ((3, 8, 8, 3), np.uint8)
    floats = generator.run(z, None, randomize_noise=False).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(images, np.clip(floats * 127.5 + 128, 0, 255).astype(np.uint8))


def test_legacy_arguments_still_work_and_warn_once(generator, capsys):
    running._warn_of_legacy_kwargs.cache_clear()
    z = golden_input('z', [2, 4])
    floats = generator.run(z, None, randomize_noise=False)
    legacy = dict(out_mul=3.5, out_add=2.25, randomize_noise=False)
    np.testing.assert_allclose(generator.run(z, None, **legacy), floats * 3.5 + 2.25, rtol=1e-5, atol=1e-5)
    small = generator.run(z, None, out_shrink=4, out_dtype=np.int8, **legacy)
    blocks = (floats * 3.5 + 2.25).reshape(2, 3, 2, 4, 2, 4).mean(axis=(3, 5))
    np.testing.assert_array_equal(small, np.rint(blocks).clip(-128, 127))
    assert small.dtype == np.int8
    printed = capsys.readouterr().out
    assert printed.count('\n') == 2
    assert 'output_transform=dict(func=tflib.convert_images_to_uint8)' in printed
    with pytest.raises(AssertionError):
        generator.run(z, None, output_transform=dict(func=tflib.convert_images_to_uint8), **legacy)


def test_progress_is_printed_per_minibatch(net, capsys):
    net.run(X, Y, minibatch_size=2, print_progress=True)
    assert capsys.readouterr().out == '\r0 / 5\r2 / 5\r4 / 5\r5 / 5\n'


def test_two_devices_share_a_minibatch(net):
    out, scaled = net.run(X[:4], Y[:4], num_gpus=2, minibatch_size=2)
    np.testing.assert_allclose(out, AFFINE_X[:4])
    np.testing.assert_allclose(scaled, Y[:4] * 2)
    devices = []
    for index in range(2):
        with tfutil.device(index):
            devices.append(tf.no_op().device)
    names = [name for name in graph_ops() if name.startswith(f'{net.scope}/_Run/') and '/mul' in name]
    assert set(devices) <= {tf.get_default_graph().get_operation_by_name(name).device for name in names}
    assert devices[0] != devices[1]
    with pytest.raises(tf.errors.InvalidArgumentError):
        net.run(X[:3], Y[:3], num_gpus=2)


def test_a_graph_is_built_once_for_equal_arguments(session):
    net = tflib.Network('net', func_name=affine)
    net.run(X, Y, scale=3.0, output_transform=dict(func=add_to_all, amount=1.0))
    before = graph_ops()
    net.run(X, None, scale=3.0, output_transform=dict(amount=1.0, func=add_to_all), minibatch_size=2)
    assert graph_ops() == before
    net.run(X, Y, scale=4.0, output_transform=dict(func=add_to_all, amount=1.0))
    assert graph_ops() != before


def test_large_arrays_among_the_arguments_are_told_apart(net):
    scale = np.ones([2000, 1, 1], np.float32)
    x, y = np.zeros([2000, 2]), np.ones([2000, 1, 3])
    net.run(x, y, scale=scale)
    scale[1000] = 5
    assert net.run(x, y, scale=scale)[1][1000, 0, 0] == 5


def test_a_frozen_run_keeps_the_values_of_its_first_call(session):
    net = tflib.Network('net', func_name=twice)
    assert net.run(X, assume_frozen=True).max() == 18
    net.set_var('weight', 3.0)
    assert net.run(X, assume_frozen=True).max() == 18
    assert net.run(X).max() == 27


@pytest.mark.parametrize('settings', [
    {}, dict(minibatch_size=2), dict(num_gpus=3), dict(is_training=True), dict(truncation_psi=None),
    dict(out_mul=2.0)])
def test_return_dlatents_gives_the_dlatents_of_the_images(settings, generator):
    z = golden_input('z', [3, 4])
    images, dlatents = generator.run(z, None, return_dlatents=True, randomize_noise=False, **settings)
    assert images.shape == (3, 3, 8, 8) and dlatents.shape == (3, 4, 4)
    again = generator.components.synthesis.run(dlatents, randomize_noise=False)
    np.testing.assert_allclose(images, again * settings.get('out_mul', 1), rtol=1e-5, atol=1e-6)
    outputs = generator.run(z, None, return_dlatents=True, return_as_list=True, **settings)
    assert isinstance(outputs, list) and len(outputs) == 2


@pytest.mark.parametrize('function', ['networks_stylegan.G_style', 'networks_progan.G_paper'])
def test_networks_that_cannot_return_dlatents_refuse_to(function, session):
    net = tflib.Network('net', f'training.{function}', resolution=8, fmap_max=4, latent_size=4)
    with pytest.raises(TypeError, match="no network function has a keyword argument 'return_dlatents'"):
        net.run(np.zeros([1, 4]), None, return_dlatents=True)


def test_output_transforms_leave_the_dlatents_as_they_are(generator):
    z = golden_input('z', [2, 4])
    settings = dict(randomize_noise=False, output_transform=dict(func=tflib.convert_images_to_uint8))
    images, dlatents = generator.run(z, None, return_dlatents=True, **settings)
    np.testing.assert_array_equal(images, generator.run(z, None, **settings))
    np.testing.assert_array_equal(dlatents, generator.run(z, None, return_dlatents=True)[1])


def test_keywords_may_take_outputs_away(session):
    net = tflib.Network('net', func_name=one_or_two)
    assert len(net.run(X)) == 2
    assert net.run(X, both=False).tolist() == X.tolist()


def one_or_two(x_in, both=True, **_kwargs):
    x_in.set_shape([None, 2])
    out = tf.identity(x_in, name='out')
    return (out, tf.identity(x_in * 2, name='twice')) if both else out
