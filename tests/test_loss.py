"""Test losses and regularizers: golden values and gradients, and recorded summaries."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from tests.golden_figures import assert_close, replaced_randomness
from tests.loss_cases import (
    CASES,
    OneHotLabels,
    build_loss,
    case_id,
    check_golden_loss,
    golden_networks,
    networks_of,
)
from training import loss as losses
from training import loss_stylegan, loss_terms


@pytest.fixture(scope='module')
def networks(request):
    """Build G and D of the golden runs, once for all losses."""
    with golden_networks(*request.param) as built:
        yield built


@pytest.mark.parametrize(
    ('networks', 'code_base', 'case'), [(networks_of(*case), *case) for case in CASES],
    indirect=['networks'], ids=[case_id(*case) for case in CASES])
def test_golden_case_has_the_same_loss_regularizer_and_gradients(networks, code_base, case):
    check_golden_loss(code_base, case, *networks)


class LinearG:
    """Generates images = 3 * latents. The second of the two layers of dlatents has no effect."""
    input_shapes = [[None, 16], [None, 0]]
    output_shape = [None, 1, 4, 4]

    def get_output_for(self, latents, labels, is_training, return_dlatents=False, return_as_list=False):
        assert is_training
        dlatents = tf.stack([latents, latents], axis=1)
        images = tf.reshape(dlatents[:, 0] * 3.0 + dlatents[:, 1] * 0.0, [-1, 1, 4, 4])
        outputs = (images, dlatents) if return_dlatents else (images,)
        return list(outputs) if return_as_list else outputs[0] if len(outputs) == 1 else outputs


class LinearD:
    """Computes scores as dot products with a vector of length 2, in the given type."""

    def __init__(self, dtype=tf.float32):
        self.dtype = dtype

    def get_output_for(self, images, labels, is_training):
        assert is_training
        return tf.reduce_sum(tf.cast(images, self.dtype), axis=[2, 3]) * 0.5  # 16 times 0.5^2 = 2^2


def _linear(loss, opt=None, dtype=tf.float32, **kwargs):
    """Build a loss on the linear networks, for 6 images of ones."""
    if loss.__name__.startswith('D_'):
        kwargs.update(reals=tf.ones([6, 1, 4, 4]), labels=tf.zeros([6, 0]))
    return loss(LinearG(), LinearD(dtype), opt=opt or tflib.Optimizer(), training_set=OneHotLabels(0),
                minibatch_size=6, **kwargs)


def _summary_means(session):
    """Return {tag: mean} of all recorded values."""
    tflib.autosummary.finalize_autosummaries()
    merged = tf.summary.merge_all()
    summary = tf.Summary() if merged is None else tf.Summary.FromString(session.run(merged))
    return {value.tag: value.simple_value for value in summary.value}


def _assert_recorded(session, recorded):
    means = _summary_means(session)
    assert set(means) == set(recorded)
    for tag, mean in recorded.items():
        assert mean is None or abs(means[tag] - mean) < 1e-4, tag


SCORES = {'Loss/scores/real': 8.0, 'Loss/scores/fake': None}  # None: any value
EPSILON = {'Loss/epsilon_penalty': 64.0}
MIXED = {'Loss/scores/mixed': None, 'Loss/mixed_norms': 2.0}


@pytest.mark.parametrize(('name', 'reg', 'recorded'), [
    ('G_logistic', None, {}),
    ('G_logistic_ns', None, {}),
    ('G_wgan', None, {}),
    ('G_logistic_ns_pathreg', None, {'Loss/pl_lengths': None, 'Loss/pl_penalty': None}),
    ('D_logistic', None, SCORES),
    ('D_logistic_r1', 4 * 10 / 2, {**SCORES, 'Loss/gradient_penalty': 4.0}),
    ('D_logistic_r2', 4 * 10 / 2, {**SCORES, 'Loss/gradient_penalty': 4.0}),
    ('D_wgan', None, {**SCORES, **EPSILON}),
    ('D_wgan_gp', 10 * (2 - 1) ** 2, {**SCORES, **EPSILON, **MIXED}),
])
def test_losses_record_scores_and_penalties_before_weighting(name, reg, recorded, session):
    terms = [term for term in _linear(getattr(losses, name)) if term is not None]
    tflib.init_uninitialized_vars()
    values = session.run(terms)
    assert values[0].shape == (6, 1)
    if reg is not None:
        np.testing.assert_allclose(values[1], [reg] * 6, rtol=1e-5)
    _assert_recorded(session, recorded)


@pytest.mark.parametrize(('name', 'kwargs', 'columns', 'recorded'), [
    ('G_wgan', {}, 1, {}),
    ('G_logistic_saturating', {}, 1, {}),
    ('G_logistic_nonsaturating', {}, 1, {}),
    ('D_wgan', {}, 1, {**SCORES, **EPSILON}),
    ('D_wgan_gp', {}, 6, {**SCORES, **EPSILON, **MIXED}),
    ('D_hinge', {}, 1, SCORES),
    ('D_hinge_gp', {}, 6, {**SCORES, **MIXED}),
    ('D_logistic', {}, 1, SCORES),
    ('D_logistic_simplegp', {}, 6, {**SCORES, 'Loss/r1_penalty': 4.0}),
    ('D_logistic_simplegp', {'r1_gamma': 0, 'r2_gamma': 5}, 6, {**SCORES, 'Loss/r2_penalty': 4.0}),
    ('D_logistic_simplegp', {'r1_gamma': 0}, 1, SCORES),
])
def test_losses_of_stylegan_are_float32_and_record_the_same(name, kwargs, columns, recorded, session):
    """Scores may be float16. A penalty broadcasts the loss to a square."""
    value = session.run(_linear(getattr(loss_stylegan, name), dtype=tf.float16, **kwargs))
    assert value.dtype == np.float32
    assert value.shape == (6, columns)
    _assert_recorded(session, recorded)


@pytest.mark.parametrize(('name', 'stylegan2_name'), [
    ('G_wgan', 'G_wgan'),
    ('G_logistic_saturating', 'G_logistic'),
    ('G_logistic_nonsaturating', 'G_logistic_ns'),
    ('D_wgan', 'D_wgan'),
    ('D_wgan_gp', 'D_wgan_gp'),
    ('D_logistic', 'D_logistic'),
    ('D_logistic_simplegp', 'D_logistic_r1'),
])
def test_losses_of_stylegan_have_the_mean_of_loss_and_regularizer_of_stylegan2(name, stylegan2_name, session):
    with replaced_randomness():
        one = _linear(getattr(loss_stylegan, name))
        pair = _linear(getattr(losses, stylegan2_name))
    value, *terms = session.run([tf.reduce_mean(term) for term in (one, *pair) if term is not None])
    np.testing.assert_allclose(value, sum(terms), rtol=1e-6)


@pytest.mark.parametrize('name', [
    'G_logistic_saturating', 'G_logistic_nonsaturating', 'D_hinge', 'D_hinge_gp', 'D_logistic_simplegp',
    'fp32'])
def test_names_that_only_stylegan_has_are_reachable_as_published(name):
    assert getattr(losses, name) is getattr(loss_stylegan, name)


def test_fp32_casts_one_value_several_or_a_tuple(session):
    half = tf.zeros([2], tf.float16)
    assert loss_stylegan.fp32(half).dtype == tf.float32
    for values in (loss_stylegan.fp32(half, half), loss_stylegan.fp32((half, half))):
        assert isinstance(values, tuple)
        assert [value.dtype for value in values] == [tf.float32, tf.float32]


@pytest.mark.parametrize('networks', [('losses_stylegan', 0)], indirect=True)
@pytest.mark.parametrize(('name', 'kwargs'), [
    ('D_wgan_gp', {}), ('D_hinge_gp', {}), ('D_logistic_simplegp', {}),
    ('D_logistic_simplegp', {'r1_gamma': 0, 'r2_gamma': 10})])
def test_penalties_of_stylegan_are_scaled_only_while_they_are_differentiated(networks, name, kwargs):
    """Scaling has no effect on the loss unless gradients leave the range of float32."""
    opt = tflib.Optimizer(use_loss_scaling=True)
    with tf.device('/cpu:0'):
        loss = build_loss(f'training.loss_stylegan.{name}', 0, *networks, opt=opt, **kwargs)
    scaling = opt.get_loss_scaling_var('/cpu:0')
    values = [tf.get_default_session().run(loss, {scaling: log2}) for log2 in (0.0, 20.0, 200.0)]
    assert_close(values[1], values[0], name)
    assert not np.isfinite(values[2]).any()


def test_path_length_of_a_linear_generator_is_known(session):
    """J^T y has length 3 |y| in one of two layers, for any latents."""
    G = LinearG()
    images, dlatents = G.get_output_for(tf.zeros([64, 16]), None, is_training=True, return_dlatents=True)
    lengths = session.run(loss_terms.path_lengths(G, images, dlatents)) * np.sqrt(2)
    # |y| / sqrt(16) for 16 normal numbers is 1 on average, to about 1/sqrt(2 * 16).
    assert abs(lengths.mean() - 3.0) < 0.4
    assert lengths.std() < 1.0


def test_path_length_regularizer_uses_half_of_the_minibatch_or_all_of_it(session):
    rows = [losses.G_logistic_ns_pathreg(LinearG(), LinearD(), None, OneHotLabels(0), 6, **kwargs)[1]
            for kwargs in ({}, {'pl_minibatch_shrink': 3}, {'pl_minibatch_shrink': 1})]
    tflib.init_uninitialized_vars()
    assert [row.shape for row in session.run(rows)] == [(3,), (2,), (6,)]
