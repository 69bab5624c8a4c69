"""Test the networks of StyleGAN2-ADA: golden figures, and agreement with StyleGAN2's networks."""

import re
import zlib

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
from tests.network_cases import cases_by_graph, check_golden_cases
from training import networks_stylegan2_ada
from training.layers import stylegan2_ada
from training.layers.normalization import apply_spectral_norm

MODULE = 'training.networks_stylegan2_ada'
G_AND_D = G_MAIN, D_MAIN = f'{MODULE}.G_main', f'{MODULE}.D_main'
STYLEGAN2 = 'training.networks_stylegan2.G_main', 'training.networks_stylegan2.D_stylegan2'
CASES = [{**case, 'func': case['func'].replace('training.networks', MODULE)}
         for case in figures('networks_ada')]


@pytest.mark.parametrize('cases', cases_by_graph(CASES), ids=lambda cases: cases[0]['name'])
def test_golden_cases_have_the_same_variables_outputs_and_gradients(cases, session):
    check_golden_cases(cases, arrays('networks_ada'))


# Results of the published code for networks of 32x32 pixels with the values of `_numbered_value`: arguments,
# classes, then mean, standard deviation and samples for each evaluation.
PUBLISHED_SIZE = dict(num_channels=3, resolution=32, fmap_base=512, fmap_max=32)
EIGHT_TAPS = [1, 2, 3, 4, 4, 3, 2, 1]
PUBLISHED_IMAGES = [
    ({}, None, [0.519829, 1.68148, 0.060388, 2.75615, -0.313057, 1.79001]),
    ({'conv_clamp': 0.5}, None, [-0.0623269, 0.379362, -0.148074, 0.575648, -0.223939, 0.128582]),
    ({'resample_kernel': EIGHT_TAPS}, None, [0.229083, 1.00009, -0.152688, 1.01183, -0.391548, 0.507769]),
    ({'label_size': 5, 'mapping_layers': 2}, [1, 3],
     [-0.49644, 0.972897, -0.516849, -0.197156, -0.415302, 0.223867]),
    ({'label_size': 5, 'mapping_layers': 2}, None,
     [-0.71036, 1.31058, -0.670038, -0.190894, -0.200353, -0.412923]),
]
PUBLISHED_SCORES = [
    ({}, None, [0.399576, 0.0390446, 0.482258, 0.410817, 0.345312, 0.363859]),
    ({'mbstd_group_size': 4}, None, [0.399076, 0.0390726, 0.481675, 0.410226, 0.344674, 0.363425]),
    ({'conv_clamp': 0.5}, None, [0.0312618, 0.0089911, 0.0438845, 0.0309984, 0.0221485, 0.0350454]),
    ({'label_size': 5}, [0, 1, 2, 3, 4, 0, 1, 2],
     [0.116496, 0.313797, 0.573649, -0.314741, 0.12584, 0.0532915]),
    ({'use_spectral_norm': True}, None, [0.347139, 0.0342509, 0.419783, 0.366209, 0.298439, 0.319849],
     [0.293627, 0.0311303, 0.360662, 0.301627, 0.255461, 0.293685]),
]


def _numbered_value(name, shape):
    value = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    leaf, mapping = name.split('/')[-1], name.startswith('G_mapping/Dense')
    if leaf in ('weight', 'mod_weight'):
        return value * (100 if mapping else 1)
    if re.fullmatch(r'noise\d+|const|weight_sn', leaf):
        return value
    return value * (20 if mapping else 0.2)


def _numbered_network(func_name, **kwargs):
    net = tflib.Network('net', func_name=func_name, **PUBLISHED_SIZE, **kwargs)
    tflib.set_vars({var: _numbered_value(name, var.shape.as_list()) for name, var in net.vars.items()})
    return net


def _check_figures(values, samples, expected):
    mean, std, *expected_samples = expected
    np.testing.assert_allclose([values.mean(), *samples], [mean, *expected_samples], atol=1e-4 * std)
    np.testing.assert_allclose(values.std(), std, rtol=1e-4)


@pytest.mark.parametrize('case', PUBLISHED_IMAGES, ids=lambda case: f'{case[0]}-{case[1]}')
def test_images_are_the_published_ones(case, session):
    kwargs, classes, expected = case
    net = _numbered_network(G_MAIN, latent_size=32, dlatent_size=32, mapping_fmaps=32, **kwargs)
    labels = None if classes is None else np.eye(5)[classes]
    x = net.run(np.random.RandomState(123).standard_normal([2, 32]), labels, randomize_noise=False)
    _check_figures(x, [x[0, 0, 0, 0], x[0, 1, 3, 2], x[1, 2, -1, -2], x[1, 0, -2, 1]], expected)


@pytest.mark.parametrize('case', PUBLISHED_SCORES, ids=lambda case: str(case[0]))
def test_scores_are_the_published_ones(case, session):
    kwargs, classes, *evaluations = case
    net = _numbered_network(D_MAIN, **kwargs)
    labels = None if classes is None else np.eye(5)[classes]
    for expected in evaluations:
        scores = net.run(np.random.RandomState(321).standard_normal([8, 3, 32, 32]), labels)
        _check_figures(scores, scores[:4, 0], expected)


@pytest.mark.parametrize(('func_name', 'resolution', 'sums'), [
    (G_MAIN, 1024, (30370060, 33166748, 156)), (G_MAIN, 256, (30034338, 30209586, 124)),
    (D_MAIN, 1024, (29012513, 29012513, 48)), (D_MAIN, 256, (28864129, 28864129, 38)),
])
def test_full_size_networks_have_as_many_parameters_as_published(func_name, resolution, sums, monkeypatch,
                                                                 session):
    monkeypatch.setattr(tflib.Network, 'reset_own_vars', lambda net: None)
    net = tflib.Network('net', func_name=func_name, resolution=resolution, num_fp16_res=4, conv_clamp=256)
    trainable, everything = (sum(int(np.prod(var.shape.as_list())) for var in variables.values())
                             for variables in (net.trainables, net.vars))
    assert (trainable, everything, len(net.vars)) == sums


SMALL = dict(resolution=8, fmap_base=128, fmap_max=8)
SMALL_G = dict(**SMALL, latent_size=8, dlatent_size=8, mapping_fmaps=8, mapping_layers=2)
LATENTS = golden_input('latents', [4, 8])
IMAGES = golden_input('images', [4, 3, 8, 8])


def _network(func_name, **kwargs):
    net = tflib.Network('net', func_name=func_name, **kwargs)
    set_golden_values(net)
    return net


def _joined(values, suffix):
    """Remove the scalars whose names end in `suffix` and return them as one array.

    Each is a sum of terms that almost cancel, so its rounding error is measured relative to the largest of
    them.
    """
    return np.array([values.pop(name) for name in list(values) if name.endswith(suffix)])


@pytest.mark.parametrize(('architecture', 'conv_clamp'), [
    ('skip', None), ('resnet', None), ('orig', None), ('skip', 0.5), ('resnet', 0.5)])
def test_in_single_precision_the_networks_are_those_of_stylegan2(architecture, conv_clamp, session):
    """Networks in training, their gradients and the running mean of W agree."""
    results = []
    for G_name, D_name in (G_AND_D, STYLEGAN2):
        kwargs = dict(architecture=architecture, conv_clamp=conv_clamp)
        G = _network(G_name, **kwargs, **SMALL_G)
        D = _network(D_name, mbstd_group_size=2, **kwargs, **SMALL)
        with replaced_randomness():
            images = G.get_output_for(tf.constant(LATENTS), None, is_training=True)
        scores = D.get_output_for(images, None)
        grads = tf.gradients(scores, [*G.trainables.values(), *D.trainables.values()])
        values = session.run([images, scores, *grads])
        results.append(dict(zip(['images', 'scores', *G.trainables, *D.trainables], values, strict=True)))
        results[-1]['dlatent_avg'] = G.get_var('dlatent_avg')
        results[-1]['noise_strength'] = _joined(results[-1], 'noise_strength')
    assert list(results[0]) == list(results[1])
    for name, value in results[0].items():
        assert_close(value, results[1][name], name, tolerance=1e-5)


@pytest.mark.parametrize(('names', 'num_fp16_res', 'tolerance'), [
    (G_AND_D, 0, 1e-5), (G_AND_D, 1, 0.01), (STYLEGAN2, 1, 0.01)])
def test_networks_built_for_gpus_agree_fused_and_unfused_with_those_for_cpus(names, num_fp16_res, tolerance):
    """On GPUs, the layout is channels-first, and a layer may be one grouped convolution for all samples."""
    def evaluate(latents, num_fp16_res=0):
        images = [G.get_output_for(latents, None, randomize_noise=False, fused_modconv=fused,
                                   num_fp16_res=num_fp16_res) for fused in (True, False)]
        return *images, D.get_output_for(images[0], None, num_fp16_res=num_fp16_res)

    with fresh_session(QUICK) as session:
        G = _network(names[0], **SMALL_G)
        D = _network(names[1], architecture='skip', **SMALL)
        expected = session.run(evaluate(tf.constant(LATENTS)))
    with fresh_session(QUICK) as session, built_for_gpus():
        G = _network(names[0], **SMALL_G)
        D = _network(names[1], architecture='skip', **SMALL)
        latents = tf.placeholder_with_default(LATENTS, [None, 8])
        actual = session.run(compiled(lambda x: evaluate(x, num_fp16_res))(latents))
    for gpu, cpu in zip(actual, expected, strict=True):
        assert_close(gpu, cpu, 'output', tolerance)


@pytest.mark.parametrize('names', [G_AND_D, STYLEGAN2])
def test_run_computes_in_float32_on_cpus_unless_float16_is_requested(names, session):
    G = _network(names[0], **SMALL_G, num_fp16_res=1, conv_clamp=256)
    D = _network(names[1], **SMALL, num_fp16_res=1, conv_clamp=256)
    dlatents = G.components.mapping.run(LATENTS, None)
    for net, inputs in ((G, (LATENTS, None)), (G.components.synthesis, (dlatents,)), (D, (IMAGES, None))):
        kwargs = {} if net is D else {'randomize_noise': False}
        plain, float32, float16 = (net.run(*inputs, **kwargs, **precision) for precision in (
            {}, {'num_fp16_res': 0}, {'num_fp16_res': 1}))
        as_configured = session.run(net.get_output_for(
            *(None if array is None else tf.constant(array) for array in inputs), **kwargs))
        np.testing.assert_array_equal(plain, float32)
        np.testing.assert_array_equal(as_configured, float16)
        assert np.abs(float16 - float32).max() > 0


@pytest.mark.parametrize(('names', 'architecture'), [
    (G_AND_D, 'skip'), (G_AND_D, 'resnet'), (STYLEGAN2, 'skip'), (STYLEGAN2, 'resnet')])
def test_half_precision_gives_nearly_the_same_images_scores_and_gradients(names, architecture, session):
    """Settings are those of the published runs, but with smooth activations, because at the kink of lrelu
    rounding may change a gradient."""
    size = dict(resolution=16, fmap_base=128, fmap_max=16, architecture=architecture, nonlinearity='swish')
    G = _network(names[0], **size, latent_size=8, dlatent_size=8, mapping_layers=2, label_size=3)
    D = _network(names[1], **size, label_size=3)
    labels = tf.constant(one_hot(4, 3))
    results = []
    for num_fp16_res in (0, 4):
        kwargs = dict(num_fp16_res=num_fp16_res, conv_clamp=256)
        with replaced_randomness():
            images, dlatents = G.get_output_for(tf.constant(LATENTS), labels, return_dlatents=True, **kwargs)
        scores = D.get_output_for(images, labels, **kwargs)
        assert (images.dtype, scores.dtype) == (tf.float32, tf.float32)
        results.append(session.run([images, scores, tf.gradients(scores, dlatents)[0]]))
    for half, full in zip(results[1], results[0], strict=True):
        assert np.any(half != full)
        assert_close(half, full, 'output', tolerance=0.005)


@pytest.mark.parametrize('names', [G_AND_D, STYLEGAN2])
def test_only_the_highest_resolutions_run_in_half_precision(names, session):
    size = {**SMALL, 'resolution': 16, 'architecture': 'skip', 'num_fp16_res': 1}
    G = tflib.Network('G', func_name=names[0], **{**SMALL_G, **size})
    D = tflib.Network('D', func_name=names[1], **size)
    for net, num_layers in ((G.components.synthesis, 3), (D, 3)):
        dtypes = {}
        for op in net.list_ops():
            if op.type in ('Conv2D', 'Conv2DBackpropInput'):
                pixels = re.search(r'(\d+)x\1', op.name).group(1)
                dtypes.setdefault(pixels, []).append(op.outputs[0].dtype)
        assert dtypes.pop('16') == [tf.float16] * num_layers
        assert set(sum(dtypes.values(), [])) == {tf.float32}
        assert set(dtypes) == {'4', '8'}


def test_large_styles_do_not_overflow_half_precision(session):
    """Styles are normalized before the convolution, and demodulation cancels the factor."""
    x, y = golden_input('x', [2, 6, 5, 5]), golden_input('y', [2, 4])
    results = []
    for dtype, scale in ((tf.float32, 1), (tf.float32, 1e4), (tf.float16, 1e4)):
        with tf.variable_scope('layer', reuse=tf.AUTO_REUSE):
            out = stylegan2_ada.modulated_conv2d_layer(tf.constant(x * 50, dtype), tf.constant(y), fmaps=3,
                                                       kernel=3)
            variables = {name: tf.get_variable(name) for name in ('weight', 'mod_weight', 'mod_bias')}
        values = {'weight': golden_input('w', [3, 3, 6, 3]), 'mod_weight': golden_input('m', [4, 6]) * scale,
                  'mod_bias': np.full(6, scale - 1)}
        tflib.set_vars({var: values[name] for name, var in variables.items()})
        results.append(session.run(out))
    assert_close(results[1], results[0], 'styles of any scale', tolerance=1e-5)
    assert results[2].dtype == np.float16
    assert_close(results[2], results[1], 'half precision', tolerance=0.005)


FROM_RGB = ['FromRGB/weight', 'FromRGB/bias']
CONV0 = ['Conv0/weight', 'Conv0/bias']
CONV1 = ['Conv1_down/weight', 'Conv1_down/bias']
TAIL = ['4x4/Conv/weight', '4x4/Conv/bias', '4x4/Dense0/weight', '4x4/Dense0/bias']


def _at(pixels, *layers):
    return [f'{pixels}x{pixels}/{name}' for layer in layers for name in layer]


@pytest.mark.parametrize(('architecture', 'freeze_layers', 'frozen'), [
    ('resnet', 0, []),
    ('resnet', 2, _at(8, FROM_RGB, CONV0)),
    ('resnet', 4, _at(8, FROM_RGB, CONV0, CONV1, ['Skip/weight'])),
    ('resnet', 5, _at(8, FROM_RGB, CONV0, CONV1, ['Skip/weight']) + TAIL[:2]),
    ('resnet', 99, _at(8, FROM_RGB, CONV0, CONV1, ['Skip/weight']) + TAIL),
    ('skip', 4, _at(8, FROM_RGB, CONV0, CONV1) + _at(4, FROM_RGB)),
    ('orig', 4, _at(8, FROM_RGB, CONV0, CONV1) + TAIL[:2]),
])
def test_layers_are_frozen_from_the_image_on(architecture, freeze_layers, frozen, session):
    net = tflib.Network('D', func_name=D_MAIN, architecture=architecture, freeze_layers=freeze_layers,
                        label_size=2, mapping_layers=1, **SMALL)
    assert [name for name in net.vars if name not in net.trainables] == frozen
    assert {'LabelEmbed/bias', 'Mapping0/weight', 'Output/weight', 'Output/bias'} <= set(net.trainables)


def test_spectral_norm_divides_by_the_largest_singular_value(session):
    value = golden_input('w', [3, 3, 4, 5])
    w = apply_spectral_norm(tf.constant(value))
    session.run(tf.global_variables_initializer())
    for _ in range(100):
        session.run(w)
    expected = value / np.linalg.svd(value.reshape(-1, 5), compute_uv=False)[0]
    np.testing.assert_allclose(session.run(w), expected, rtol=1e-4)


def test_spectral_norm_is_for_3x3_convolutions_and_keeps_its_state_in_variables(session):
    net = _network(D_MAIN, use_spectral_norm=True, **SMALL)
    states = [name for name in net.vars if name.endswith('_sn')]
    assert states == [f'{layer}/weight_sn' for layer in ('8x8/Conv0', '8x8/Conv1_down', '4x4/Conv')]
    assert net.vars['8x8/Conv0/weight_sn'].shape.as_list() == [1, 8]
    assert not set(states) & set(net.trainables)
    frozen_copy = net.run(IMAGES, None, assume_frozen=True)
    before = net.get_var(states[0])
    np.testing.assert_array_equal(net.run(IMAGES, None), frozen_copy)
    assert np.abs(net.get_var(states[0]) - before).max() > 0.1


@pytest.mark.parametrize('shape', [[500, 8], [500, 8, 2, 3], [500, 2, 3, 8]], ids=str)
def test_adaptive_dropout_scales_every_channel_of_every_sample(shape, session):
    data_format = 'NHWC' if shape[1:3] == [2, 3] else 'NCHW'
    x = tf.ones(shape, tf.float16)
    assert stylegan2_ada.multiplicative_dropout(x, None) is x
    y = session.run(tf.cast(stylegan2_ada.multiplicative_dropout(x, 0.5, data_format), tf.float32))
    y = np.log(y.transpose(0, 3, 1, 2) if data_format == 'NHWC' else y).reshape(500, 8, -1)
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :, :1], y.shape))
    np.testing.assert_allclose([y.mean(), y.std()], [0, 0.5], atol=0.03)


def test_adaptive_dropout_has_the_strength_of_the_augmentation(session):
    net = _network(D_MAIN, adaptive_dropout=1.2, **SMALL)
    plain = net.run(IMAGES, None, adaptive_dropout=0)
    np.testing.assert_allclose(net.run(IMAGES, None), plain, rtol=1e-6, err_msg='strength 0')
    strength = tf.Variable(0.5, trainable=False)
    session.run(strength.initializer)
    scores = net.get_output_for(tf.constant(IMAGES), None, augment_strength=strength)
    assert np.abs(session.run(scores) - plain).max() > 1e-3
    session.run(tf.assign(strength, 0))
    np.testing.assert_allclose(session.run(scores), plain, rtol=1e-6)


@pytest.mark.parametrize('architecture', ['skip', 'resnet'])
def test_adaptive_dropout_is_in_front_of_every_bias_but_the_last(architecture, session):
    """A dropout that doubles all channels is equivalent to doubled weights."""
    net = _network(D_MAIN, architecture=architecture, adaptive_dropout=np.log(2), **SMALL)
    with tflib.random.replaced(normal=lambda shape, *args, **kwargs: tf.ones(shape)):
        scores = session.run(net.get_output_for(tf.constant(IMAGES), None, augment_strength=1))
    for name in net.vars:
        if name.endswith('/weight') and name != 'Output/weight':
            net.set_var(name, net.get_var(name) * 2)
    assert_close(scores, net.run(IMAGES, None, adaptive_dropout=0), 'scores', tolerance=1e-5)


@pytest.mark.parametrize(('strength', 'expected'), [
    (0, [0, 0, 0, 0]), (0.25, [0.5, 0, 0, 0]), (0.4375, [0.5, 0.25, 0, 0]), (1, [0.5] * 4)])
def test_bits_of_progressive_augmentation_fade_in_one_after_the_other(strength, expected, session):
    bits = stylegan2_ada.pagan_bits(4000, 4, strength, 0.5)
    by_tensor = stylegan2_ada.pagan_bits(4000, 4, tf.constant(strength, tf.float32), 0.5)
    for values in session.run([bits, by_tensor]):
        assert set(values.ravel()) <= {0, 1}
        np.testing.assert_allclose(values.mean(axis=0), expected, atol=0.03)


@pytest.mark.parametrize(('architecture', 'resolutions'), [('skip', ['8x8', '4x4']), ('resnet', ['8x8'])])
def test_a_bit_of_progressive_augmentation_shifts_features_and_flips_scores(
        architecture, resolutions, session):
    net = _network(D_MAIN, architecture=architecture, use_pagan=True, pagan_num=1, **SMALL)
    weights = [name for name in net.vars if 'PAGAN' in name]
    assert weights == [f'{res}/FromRGB/PAGAN/weight' for res in resolutions]
    plain = net.run(IMAGES, None, use_pagan=False)
    np.testing.assert_array_equal(net.run(IMAGES, None), plain, 'strength 0: the bit is 0')
    with tflib.random.replaced(uniform=lambda shape, *args, **kwargs: tf.zeros(shape)):
        scores = session.run(net.get_output_for(tf.constant(IMAGES), None, augment_strength=1))
    for name in weights:
        bias = name.replace('PAGAN/weight', 'bias')
        net.set_var(bias, net.get_var(bias) + net.get_var(name)[0])
    assert_close(scores, -net.run(IMAGES, None, use_pagan=False), 'scores', tolerance=1e-5)


def test_a_discriminator_may_have_more_scores_than_it_returns(session):
    net = _network(D_MAIN, score_max=3, score_size=2, **SMALL)
    assert net.vars['Output/weight'].shape.as_list() == [8, 3]
    assert net.output_shape == [None, 2]
    np.testing.assert_array_equal(net.run(IMAGES, None), net.run(IMAGES, None, score_size=3)[:, :2])
    with pytest.raises(AssertionError):
        tflib.Network('D', func_name=D_MAIN, score_max=2, label_size=5, **SMALL)


def test_label_embeddings_are_normalized_apart_from_the_latents(session):
    for normalize in (True, False):
        net = _network(f'{MODULE}.G_mapping', latent_size=8, dlatent_size=6, label_size=5, label_fmaps=3,
                       mapping_layers=2, mapping_lrmul=1, normalize_latents=normalize)
        shapes = {name: var.shape.as_list() for name, var in net.vars.items()}
        assert shapes == {'LabelEmbed/weight': [5, 3], 'LabelEmbed/bias': [3], 'Dense0/weight': [11, 6],
                          'Dense0/bias': [6], 'Dense1/weight': [6, 6], 'Dense1/bias': [6]}
        w = net.run(LATENTS, one_hot(4, 5))
        for name in ('LabelEmbed/weight', 'LabelEmbed/bias'):
            net.set_var(name, net.get_var(name) * 10)
        assert_close(net.run(LATENTS, one_hot(4, 5)), w, 'w', tolerance=1e-5)
        assert np.allclose(net.run(2 * LATENTS, one_hot(4, 5)), w, rtol=1e-4, atol=1e-5) == normalize
        assert np.abs(net.run(LATENTS, None) - w).max() > 1e-3


def test_the_constant_may_have_another_number_of_feature_maps(session):
    net = tflib.Network('G', func_name=f'{MODULE}.G_synthesis', dlatent_size=8, fmap_const=5, **SMALL)
    assert net.vars['4x4/Const/const'].shape.as_list() == [1, 5, 4, 4]
    assert net.vars['4x4/Conv/weight'].shape.as_list() == [3, 3, 5, 8]


def test_convolutions_pad_as_they_are_told(session):
    x, w = tf.constant(golden_input('x', [2, 3, 8, 8])), tf.constant(golden_input('w', [3, 3, 3, 4]))
    for kwargs in ({}, {'up': True}, {'down': True}):
        whole, cropped = session.run([networks_stylegan2_ada.conv2d(x, w, padding=padding, **kwargs)
                                      for padding in (0, -1)])
        assert_close(cropped, whole[:, :, 1:-1, 1:-1], str(kwargs), tolerance=1e-5)
    with pytest.raises(KeyError):
        networks_stylegan2_ada.conv2d(x, w, padding=1)


@pytest.mark.parametrize('func_name', [G_MAIN, D_MAIN])
@pytest.mark.parametrize('bad', [{'resolution': 2}, {'resolution': 12}, {'architecture': 'plain'}], ids=str)
def test_resolutions_and_architectures_that_do_not_exist_are_refused(func_name, bad, session):
    with pytest.raises(AssertionError):
        tflib.Network('net', func_name=func_name, **{**SMALL, **bad})
