"""Test the networks of StyleGAN2: golden figures, variable tables, equivalent forms."""

import contextlib

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.ops import conv2d
from tests.golden_figures import (
    QUICK,
    arrays,
    assert_close,
    figures,
    fresh_session,
    one_hot,
    replaced_randomness,
    set_golden_values,
)
from tests.golden_recipe import golden_input
from tests.gpu_form import built_for_gpus, compiled
from tests.network_cases import cases_by_graph, check_golden_cases, check_variable_table, table_id
from training import networks_stylegan2
from training.layers import modulated
from training.layers.minibatch_stddev import minibatch_stddev_layer
from training.layers.styles import mix_styles

FUNCTIONS = ('G_main', 'D_stylegan2')
CASES = [case for case in figures('networks_stylegan2') if 'networks_stylegan2.' in case['func']]
TABLES = [table for table in figures('variables_stylegan2') if 'networks_stylegan2.' in table['func_name']]


@pytest.mark.parametrize('cases', cases_by_graph(CASES), ids=lambda cases: cases[0]['name'])
def test_golden_cases_have_the_same_variables_outputs_and_gradients(cases, session):
    check_golden_cases(cases, arrays('networks_stylegan2'))


@pytest.mark.parametrize('table', TABLES, ids=table_id)
def test_full_size_network_has_the_published_variables(table, monkeypatch, session):
    check_variable_table(table, monkeypatch)


SMALL = dict(resolution=16, fmap_base=128, fmap_max=8, latent_size=8, dlatent_size=8, mapping_fmaps=8,
             mapping_layers=2)


def build(func_name, **kwargs):
    net = tflib.Network('net', func_name=f'training.networks_stylegan2.{func_name}', **{**SMALL, **kwargs})
    set_golden_values(net)
    return net


@pytest.fixture(scope='module')
def generator():
    with fresh_session(QUICK):
        yield build('G_main')


def _run(net, **kwargs):
    kwargs = {'randomize_noise': False, 'truncation_psi': 1, **kwargs}
    return net.run(golden_input('latents', [3, 8]), None, **kwargs)


def test_fused_and_unfused_modulated_convolution_agree_in_training(generator):
    """Images and gradients agree."""
    latents = tf.constant(golden_input('latents', [3, 8]))
    results = []
    for fused in (False, True):
        with replaced_randomness():
            images = generator.get_output_for(latents, None, fused_modconv=fused, is_training=True)
        grads = tf.gradients(tf.reduce_sum(tf.square(images)), list(generator.trainables.values()))
        results.append(tflib.run([images, grads]))
    assert_close(results[1][0], results[0][0], 'images', tolerance=1e-5)
    for name, fused_grad, grad in zip(generator.trainables, results[1][1], results[0][1], strict=True):
        assert_close(fused_grad, grad, name, tolerance=1e-4)


@pytest.mark.parametrize('resample', ['same size', 'up', 'down'])
def test_grouped_convolution_with_weights_per_sample_equals_scaled_activations(resample, session):
    """GPUs use this form. The number of samples is known only at run time."""
    x = tf.placeholder_with_default(golden_input('x', [3, 4, 8, 8]), [None, 4, 8, 8])
    w = tf.constant(golden_input('w', [3, 3, 4, 6]))
    s = tf.placeholder_with_default(golden_input('s', [3, 4]), [None, 4])
    kwargs = dict(up=resample == 'up', down=resample == 'down', resample_kernel=[1, 3, 3, 1],
                  data_format='NCHW')

    def with_gradients(convolve, x, w, s):
        y = convolve(x, w, s, True, kwargs)
        return y, *tf.gradients(tf.reduce_sum(y ** 3), [x, w, s])

    def grouped(x, w, s):
        with built_for_gpus():
            return with_gradients(modulated._per_sample_weights, x, w, s)

    scaled = with_gradients(modulated._scaled_activations, x, w, s)
    actual, expected = session.run([compiled(grouped)(x, w, s), scaled])
    for name, grouped_value, value in zip(('y', 'dx', 'dw', 'ds'), actual, expected, strict=True):
        assert_close(grouped_value, value, name, tolerance=1e-5)


def test_demodulated_weights_have_unit_norm(session):
    w = tf.constant(golden_input('w', [3, 3, 4, 6]))
    s = tf.constant(golden_input('s', [2, 4]))
    d = modulated._demodulation(w, s)
    weights = tf.einsum('yxio,ni,no->nyxio', w, s, d)
    norms = session.run(tf.reduce_sum(tf.square(weights), axis=[1, 2, 3]))
    np.testing.assert_allclose(norms, 1, rtol=1e-5)


def test_networks_built_for_gpus_give_the_same_images_and_scores():
    """On GPUs, the layout is channels-first, and a layer may be one grouped convolution for all samples."""
    def evaluate(latents):
        images = [G.get_output_for(latents, None, randomize_noise=False, fused_modconv=fused)
                  for fused in (True, False)]
        return *images, D.get_output_for(images[0], None)

    results = []
    for gpu in (False, True):
        with fresh_session(QUICK) as session, built_for_gpus() if gpu else contextlib.nullcontext():
            shape = dict(resolution=8, base_shape=[5, 3])  # would show if height and width were exchanged
            G, D = build('G_main', **shape), build('D_stylegan2', architecture='skip', **shape)
            latents = tf.placeholder_with_default(golden_input('latents', [3, 8]), [None, 8])
            results.append(session.run((compiled(evaluate) if gpu else evaluate)(latents)))
    for gpu, cpu in zip(results[1], results[0], strict=True):
        assert_close(gpu, cpu, 'output', tolerance=1e-5)


def test_half_precision_gives_nearly_the_same_images_and_scores(session):
    """Activations are smooth, because at the kink of lrelu rounding may change a gradient."""
    results = []
    for dtype in ('float32', 'float16'):
        G, D = (build(func_name, resolution=8, label_size=2, dtype=dtype, nonlinearity='swish',
                      mapping_nonlinearity='swish') for func_name in FUNCTIONS)
        labels = tf.constant(one_hot(3, 2))
        with replaced_randomness():
            images, dlatents = G.get_output_for(tf.constant(golden_input('latents', [3, 8])), labels,
                                                is_training=True, return_dlatents=True)
        scores = D.get_output_for(images, labels)
        assert (images.dtype, dlatents.dtype, scores.dtype) == (dtype, 'float32', dtype)
        grad = tf.gradients(tf.cast(scores, tf.float32), dlatents)[0]
        results.append(session.run([images, scores, grad]))
    for half, full in zip(results[1], results[0], strict=True):
        assert_close(half, full, 'output', tolerance=0.02)


def test_the_smallest_networks_have_4x4_pixels(session):
    G, D = (build(func_name, resolution=4, num_channels=1, architecture='skip') for func_name in FUNCTIONS)
    images = _run(G)
    assert images.shape == (3, 1, 4, 4)
    assert D.run(images, None).shape == (3, 1)


@pytest.mark.parametrize('func_name', FUNCTIONS)
@pytest.mark.parametrize('bad', [{'resolution': 2}, {'resolution': 12}, {'architecture': 'plain'}], ids=str)
def test_resolutions_and_architectures_that_do_not_exist_are_refused(func_name, bad, session):
    with pytest.raises(AssertionError):
        build(func_name, **bad)


def test_a_network_transposes_at_its_edges_only(session):
    D = build('D_stylegan2', resolution=32)
    ops = [op for op in session.graph.get_operations() if op.name.startswith(D.scope + '/')]
    transposes = [op for op in ops if op.type == 'Transpose']
    assert len(transposes) == 2, 'the images on their way in, the feature maps before the dense layer'
    assert D.output_shape == [None, 1]


def test_truncation_pulls_all_layers_or_the_first_ones_towards_the_mean(generator):
    latents = tf.constant(golden_input('latents', [3, 8]))
    kwargs = dict(randomize_noise=False, return_dlatents=True)
    plain = generator.get_output_for(latents, None, truncation_psi=None, **kwargs)[1]
    pulled = generator.get_output_for(latents, None, truncation_psi=0.3, **kwargs)[1]
    first = generator.get_output_for(latents, None, truncation_psi=0.3, truncation_cutoff=2, **kwargs)[1]
    plain, pulled, first, avg = tflib.run([plain, pulled, first, generator.vars['dlatent_avg']])
    np.testing.assert_allclose(pulled, avg + (plain - avg) * 0.3, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(first[:, :2], pulled[:, :2])
    np.testing.assert_allclose(first[:, 2:], plain[:, 2:], rtol=1e-5, atol=1e-6)


def test_training_tracks_the_mean_of_w(session):
    net = build('G_main', dlatent_avg_beta=0.75)
    before = net.get_var('dlatent_avg')
    latents = golden_input('latents', [4, 8])
    w = net.components.mapping.run(latents, None)[:, 0]
    session.run(net.get_output_for(tf.constant(latents), None, is_training=True))
    expected = w.mean(axis=0) * 0.25 + before * 0.75
    np.testing.assert_allclose(net.get_var('dlatent_avg'), expected, rtol=1e-5, atol=1e-6)


def test_style_mixing_draws_its_cutoff_uniformly_from_the_inner_layers(session):
    dlatents = tf.zeros([1, 6, 1])
    mixed = mix_styles(dlatents, tf.ones_like(dlatents), 0.5, lod=0)
    cutoffs = np.array([int(6 - session.run(mixed).sum()) for _ in range(1000)])
    counts = np.bincount(cutoffs, minlength=7)
    assert counts[0] == 0
    assert 420 < counts[6] < 580, 'half of the time nothing is mixed'
    assert all(60 < n < 145 for n in counts[1:6]), counts


def test_noise_changes_images_only_where_it_is_asked_for(generator):
    np.testing.assert_array_equal(_run(generator), _run(generator))
    noisy = [_run(generator, randomize_noise=True) for _ in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-3


def test_minibatch_stddev_groups_strided_samples(session):
    values = np.array([[0, 1], [4, 9], [16, 25], [36, 49]], np.float32)
    for data_format, shape in (('NCHW', [4, 2, 1, 1]), ('NHWC', [4, 1, 1, 2])):
        x = tf.constant(values.reshape(shape))
        y = [minibatch_stddev_layer(x, group, features, data_format=data_format)
             for group, features in ((2, 1), (2, 2), (4, 1), (8, 1))]
        y = [out.reshape(4, -1)[:, 2:] for out in session.run(y)]
        np.testing.assert_allclose(y[0], [[10], [18], [10], [18]])
        np.testing.assert_allclose(y[1], [[8, 12], [16, 20], [8, 12], [16, 20]])
        np.testing.assert_allclose(y[2], [[16.165152]] * 4, rtol=1e-6)
        np.testing.assert_allclose(y[3], y[2])


def test_a_group_of_one_means_no_minibatch_stddev(session):
    D = build('D_stylegan2', resolution=8, mbstd_group_size=1)
    assert D.vars['4x4/Conv/weight'].shape.as_list() == [3, 3, 8, 8]
    assert not any('MinibatchStddev' in op.name for op in D.list_ops())


def test_length_of_latents_counts_only_without_normalization(session):
    z = golden_input('latents', [3, 8])
    for normalize, changed in ((True, False), (False, True)):
        net = tflib.Network('net', func_name='training.networks_stylegan2.G_mapping', latent_size=8,
                            mapping_layers=1, normalize_latents=normalize)
        assert net.output_shape == [None, 512]
        w = net.run(np.concatenate([z, 2 * z]), None)
        assert np.allclose(w[:3], w[3:], rtol=1e-5, atol=1e-6) != changed


def test_naive_scaling_repeats_pixels_and_averages_blocks(session):
    x = golden_input('x', [2, 3, 4, 6])
    up, down = session.run([networks_stylegan2.naive_upsample_2d(tf.constant(x)),
                            networks_stylegan2.naive_downsample_2d(tf.constant(x), factor=2)])
    np.testing.assert_allclose(up, x.repeat(2, axis=2).repeat(2, axis=3), rtol=1e-6)
    np.testing.assert_allclose(down, x.reshape(2, 3, 2, 2, 3, 2).mean(axis=(3, 5)), rtol=1e-5, atol=1e-6)


def test_layouts_follow_the_device(session):
    assert conv2d.device_layout(tf.zeros([1])) == ('NCHW' if conv2d._has_gpu() else 'NHWC')
    with tf.device('/cpu:0'):
        assert conv2d.device_layout(tf.zeros([1])) == 'NHWC'
