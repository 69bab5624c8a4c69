"""Test the networks of StyleGAN and Progressive GAN: golden figures, variable tables, equivalent forms."""

import contextlib

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
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
from training import networks_progan

G_STYLE = 'training.networks_stylegan.G_style'
D_BASIC = 'training.networks_stylegan.D_basic'
G_PAPER = 'training.networks_progan.G_paper'
D_PAPER = 'training.networks_progan.D_paper'
CASES = figures('networks_stylegan')
CASES_OF_STYLEGAN2 = [case for case in figures('networks_stylegan2') if case['name'].startswith('sg2repo-')]


def first_name(cases):
    return cases[0]['name']


@pytest.mark.parametrize('cases', cases_by_graph(CASES), ids=first_name)
def test_golden_cases_have_the_same_variables_outputs_and_gradients(cases, session):
    check_golden_cases(cases, arrays('networks_stylegan'))


@pytest.mark.parametrize('cases', cases_by_graph(CASES_OF_STYLEGAN2), ids=first_name)
def test_networks_that_ship_with_stylegan2_are_the_same(cases, session):
    check_golden_cases(cases, arrays('networks_stylegan2'))


@pytest.mark.parametrize('table', figures('variables_stylegan'), ids=table_id)
def test_full_size_network_has_the_published_variables(table, monkeypatch, session):
    check_variable_table(table, monkeypatch)


SMALL = dict(num_channels=2, resolution=8, fmap_base=64, fmap_max=8, latent_size=8, dlatent_size=8,
             mapping_fmaps=8, mapping_layers=2)
LATENTS = golden_input('latents', [3, 8])
IMAGES = golden_input('images', [3, 2, 8, 8])


def build(func_name, **kwargs):
    net = tflib.Network('net', func_name=func_name, **{**SMALL, **kwargs})
    set_golden_values(net)
    return net


@pytest.fixture(scope='module')
def generator():
    with fresh_session(QUICK):
        yield build(G_STYLE)


def images_of(net, **kwargs):
    return net.run(LATENTS, None, randomize_noise=False, **kwargs)


@pytest.mark.parametrize('off', [
    dict(truncation_psi=1), dict(truncation_cutoff=None), dict(truncation_cutoff=0), dict(is_validation=True),
    dict(is_validation=True, truncation_psi_val=0.5),
], ids=str)
def test_truncation_needs_both_a_strength_and_a_cutoff(off, generator):
    np.testing.assert_array_equal(images_of(generator, **off), images_of(generator, truncation_psi=None))


@pytest.mark.parametrize('on', [
    dict(truncation_psi=0.7, truncation_cutoff=4),
    dict(is_validation=True, truncation_psi_val=0.7, truncation_cutoff_val=8),
], ids=str)
def test_truncation_is_on_by_default_in_the_first_eight_layers(on, generator):
    default = images_of(generator)
    np.testing.assert_array_equal(images_of(generator, **on), default)
    assert np.abs(default - images_of(generator, truncation_psi=None)).max() > 0.01


def test_strength_and_cutoff_of_truncation_may_be_tensors(generator):
    images = tflib.run(generator.get_output_for(
        tf.constant(LATENTS), None, truncation_psi=tf.constant(0.5), truncation_cutoff=tf.constant(2),
        randomize_noise=False))
    expected = images_of(generator, truncation_psi=0.5, truncation_cutoff=2)
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-5)


def test_noise_changes_images_only_where_it_is_asked_for(generator):
    np.testing.assert_array_equal(images_of(generator), images_of(generator))
    noisy = [generator.run(LATENTS, None) for _ in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-3


def test_a_discriminator_without_blur_is_that_of_progressive_gan(session):
    scores = []
    for func_name in (D_BASIC, D_PAPER):
        net = build(func_name, blur_filter=None)
        scores.append(net.run(IMAGES, None))
    assert_close(scores[0], scores[1], 'scores', tolerance=1e-5)


def test_unfused_upscaling_of_progressive_gan_applies_flipped_kernels_of_another_name(session):
    fused, unfused = (build(G_PAPER, fused_scale=fused) for fused in (True, False))
    assert [name.replace('Conv0_up', 'Conv0') for name in fused.vars] == list(unfused.vars)
    for name in fused.vars:
        value = fused.get_var(name)
        flipped = value[::-1, ::-1] if name == '8x8/Conv0_up/weight' else value
        unfused.set_var(name.replace('Conv0_up', 'Conv0'), flipped)
    assert_close(unfused.run(LATENTS, None), fused.run(LATENTS, None), 'images', tolerance=1e-5)


@pytest.mark.parametrize('linear', [True, False])
def test_unfused_downscaling_of_progressive_gan_comes_after_the_activation(linear, monkeypatch, session):
    """The order matters only if there is an activation."""
    if linear:
        monkeypatch.setattr(networks_progan, 'leaky_relu', tf.identity)
    fused, unfused = (build(D_PAPER, fused_scale=fused) for fused in (True, False))
    assert [name.replace('Conv1_down', 'Conv1') for name in fused.vars] == list(unfused.vars)
    for name in fused.vars:
        unfused.set_var(name.replace('Conv1_down', 'Conv1'), fused.get_var(name))
    scores = [net.run(IMAGES, None) for net in (fused, unfused)]
    assert np.allclose(*scores, rtol=1e-4, atol=1e-5) == linear


def test_latents_of_progressive_gan_are_as_wide_as_its_first_feature_maps(session):
    net = build(G_PAPER, latent_size=None, fmap_max=6, label_size=3)
    assert net.input_shapes == [[None, 6], [None, 3]]
    assert net.vars['4x4/Dense/weight'].shape.as_list() == [9, 96]


def test_networks_built_for_gpus_give_the_same_images_and_scores():
    """On GPUs, the layout is channels-first."""
    def evaluate(*inputs):
        kwargs = dict(structure='linear', randomize_noise=False)
        return [net.get_output_for(x, *[None] * (net.num_inputs - 1), **kwargs)
                for net, x in zip(nets, inputs, strict=True)]

    synthesis = 'training.networks_stylegan.G_synthesis'
    results = []
    for gpu in (False, True):
        with fresh_session(QUICK) as session, built_for_gpus() if gpu else contextlib.nullcontext():
            nets = [build(synthesis), build(synthesis, const_input_layer=False, fused_scale=True),
                    build(G_PAPER), build(D_BASIC), build(D_PAPER)]
            values = [golden_input('x', [3, *net.input_shape[1:]]) for net in nets]
            inputs = [tf.placeholder_with_default(x, [None, *x.shape[1:]]) for x in values]
            results.append(session.run((compiled(evaluate) if gpu else evaluate)(*inputs)))
    for gpu, cpu in zip(results[1], results[0], strict=True):
        assert_close(gpu, cpu, 'output', tolerance=1e-5)


def test_half_precision_gives_nearly_the_same_images_and_scores(session):
    results = []
    for dtype in ('float32', 'float16'):
        G, D = (build(func_name, label_size=2, dtype=dtype) for func_name in (G_STYLE, D_BASIC))
        labels = tf.constant(one_hot(3, 2))
        with replaced_randomness():
            images = G.get_output_for(tf.constant(LATENTS), labels, is_training=True)
        scores = D.get_output_for(tf.constant(IMAGES), labels)
        assert (images.dtype, scores.dtype) == (dtype, dtype)
        total = [tf.square(tf.cast(y, tf.float32)) for y in (images, scores)]
        grads = tf.gradients(total, [G.vars['G_synthesis/4x4/Conv/weight'], D.vars['8x8/Conv0/weight']])
        results.append(session.run([images, scores, *grads]))
    for half, full in zip(results[1], results[0], strict=True):
        assert_close(half, full, 'output', tolerance=0.02)


def test_networks_transpose_at_their_edges_only(session):
    G, *others = [build(func_name, resolution=32) for func_name in (G_STYLE, D_BASIC, G_PAPER, D_PAPER)]
    transposes = [op.name for op in session.graph.get_operations()
                  if op.type == 'Transpose' and '/_Layout' in op.name]
    for net in (G.components.synthesis, *others):
        assert sum(name.startswith(net.scope + '/') for name in transposes) == 2, transposes


def test_growing_networks_list_every_layer(session):
    layers = build(G_STYLE).components.synthesis.list_layers()
    assert [name for name, _, trainables in layers if trainables] == [
        '4x4/Const', '4x4/Conv', 'ToRGB_lod1', '8x8/Conv0_up', '8x8/Conv1', 'ToRGB_lod0']


@pytest.mark.parametrize('bad', [dict(resolution=2), dict(resolution=12), dict(structure='spiral'),
                                 dict(fused_scale='always')], ids=str)
def test_resolutions_and_settings_that_do_not_exist_are_refused(bad, session):
    with pytest.raises(AssertionError):
        build(D_BASIC, **bad)


def test_activations_that_do_not_exist_are_refused(session):
    with pytest.raises(KeyError):
        build(D_BASIC, nonlinearity='tanh')
