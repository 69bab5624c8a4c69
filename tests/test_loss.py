"""Losses and regularizers: golden values and gradients, and what gets recorded."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from tests.golden_figures import (
    QUICK,
    assert_close,
    assert_gradients_close,
    figures,
    fresh_session,
    one_hot,
    replaced_randomness,
    set_golden_values,
)
from tests.golden_recipe import golden_input
from training import loss as losses

NETWORKS = figures('losses_stylegan2')['networks']
CASES = figures('losses_stylegan2')['cases']


class OneHotLabels:
    """Stands for a data set: random labels are the one-hot rows of the golden runs."""

    def __init__(self, label_size):
        self.label_size = label_size

    def get_random_labels_tf(self, minibatch_size):
        """[minibatch_size, label_size]"""
        labels = tf.constant(one_hot(64, self.label_size))
        return labels[:minibatch_size]


@pytest.fixture(scope='module')
def networks(request):
    """G and D of the golden runs for the label size asked for; one pair serves all its losses."""
    with fresh_session(QUICK):
        G = tflib.Network('G', func_name=NETWORKS['G'], label_size=request.param, **NETWORKS['G_static'])
        D = tflib.Network('D', func_name=NETWORKS['D'], label_size=request.param, **NETWORKS['D_static'])
        set_golden_values(G, 'G:')
        set_golden_values(D, 'D:')
        yield G, D


def _build(case, G, D):
    training_set = OneHotLabels(case['label_size'])
    kwargs = dict(case['kwargs'], G=G, D=D, opt=None, training_set=training_set, minibatch_size=4)
    if '.D_' in case['loss_func']:
        kwargs['reals'] = tf.constant(golden_input('reals', [4, 3, 16, 16]) * 0.5)
        kwargs['labels'] = tf.constant(one_hot(4, case['label_size']))
    with replaced_randomness():
        return dnnlib.util.call_func_by_name(func_name=case['loss_func'], **kwargs)


def _gradients(value, net):
    grads = tf.gradients(tf.reduce_mean(value), list(net.trainables.values()))
    return {name: grad for name, grad in zip(net.trainables, grads, strict=True) if grad is not None}


@pytest.mark.parametrize(
    ('networks', 'case'), [(case['label_size'], case) for case in CASES], indirect=['networks'],
    ids=[f'{case["loss_func"].split(".")[-1]}-{case["label_size"]}-labels' for case in CASES])
def test_golden_case_has_the_same_loss_regularizer_and_gradients(networks, case):
    G, D = networks
    dlatent_avg = G.get_var('dlatent_avg')
    loss, reg = _build(case, G, D)
    terms = {'loss': loss, **({} if reg is None else {'reg': reg})}
    assert ('reg' in terms) == (case['reg'] is not None)
    grads = {f'{name}_grads_{key}': _gradients(value, net)
             for name, value in terms.items() for key, net in (('G', G), ('D', D))}
    tflib.init_uninitialized_vars()
    for name, value in terms.items():
        G.set_var('dlatent_avg', dlatent_avg)
        value, *values = tflib.run([value, *(grads[f'{name}_grads_{key}'] for key in 'GD')])
        assert_close(np.ravel(value), case[name], name)
        for key, actual in zip('GD', values, strict=True):
            assert_gradients_close(actual, dict(case[f'{name}_grads_{key}']), f'{name}_grads_{key}')
        if name == 'reg' and 'pathreg' in case['loss_func']:
            _check_running_mean_of_path_lengths(reg, case)
    G.set_var('dlatent_avg', dlatent_avg)


def _check_running_mean_of_path_lengths(reg, case):
    pl_mean = [var for var in tf.global_variables() if 'pl_mean' in var.name][-1]
    tflib.run(pl_mean.initializer)
    for expected_reg, expected_mean in case['reg_and_pl_mean_over_3_evaluations']:
        assert_close(np.ravel(tflib.run(reg)), expected_reg, 'reg')
        np.testing.assert_allclose(pl_mean.eval(), expected_mean, rtol=1e-4)


class LinearG:
    """images = 3 * latents, through dlatents of two layers of which the second one does nothing."""
    input_shapes = [[None, 16], [None, 0]]
    output_shape = [None, 1, 4, 4]

    def get_output_for(self, latents, labels, is_training, return_dlatents=False, return_as_list=False):
        assert is_training
        dlatents = tf.stack([latents, latents], axis=1)
        images = tf.reshape(dlatents[:, 0] * 3.0 + dlatents[:, 1] * 0.0, [-1, 1, 4, 4])
        outputs = (images, dlatents) if return_dlatents else (images,)
        return list(outputs) if return_as_list else outputs[0] if len(outputs) == 1 else outputs


class LinearD:
    """Scores are dot products with a vector of length 2."""

    def get_output_for(self, images, labels, is_training):
        assert is_training
        return tf.reduce_sum(images, axis=[2, 3]) * 0.5  # 16 times 0.5^2 = 2^2


SCORES = {'Loss/scores/real': 8.0, 'Loss/scores/fake': None}  # None: any value


@pytest.mark.parametrize(('name', 'reg', 'recorded'), [
    ('G_logistic', None, {}),
    ('G_logistic_ns', None, {}),
    ('G_wgan', None, {}),
    ('G_logistic_ns_pathreg', None, {'Loss/pl_lengths': None, 'Loss/pl_penalty': None}),
    ('D_logistic', None, SCORES),
    ('D_logistic_r1', 4 * 10 / 2, {**SCORES, 'Loss/gradient_penalty': 4.0}),
    ('D_logistic_r2', 4 * 10 / 2, {**SCORES, 'Loss/gradient_penalty': 4.0}),
    ('D_wgan', None, {**SCORES, 'Loss/epsilon_penalty': 64.0}),
    ('D_wgan_gp', 10 * (2 - 1) ** 2, {**SCORES, 'Loss/epsilon_penalty': 64.0, 'Loss/scores/mixed': None,
                                      'Loss/mixed_norms': 2.0}),
])
def test_losses_record_scores_and_penalties_before_weighting(name, reg, recorded, session):
    kwargs = dict(reals=tf.ones([6, 1, 4, 4]), labels=tf.zeros([6, 0])) if name.startswith('D_') else {}
    loss = getattr(losses, name)(LinearG(), LinearD(), opt=None, training_set=OneHotLabels(0),
                                 minibatch_size=6, **kwargs)
    terms = [term for term in loss if term is not None]
    tflib.init_uninitialized_vars()
    values = session.run(terms)
    assert values[0].shape == (6, 1)
    if reg is not None:
        np.testing.assert_allclose(values[1], [reg] * 6, rtol=1e-5)
    tflib.autosummary.finalize_autosummaries()
    merged = tf.summary.merge_all()
    summary = tf.Summary.FromString(session.run(merged)) if recorded else tf.Summary()
    means = {value.tag: value.simple_value for value in summary.value}
    assert set(means) == set(recorded)
    for tag, mean in recorded.items():
        assert mean is None or abs(means[tag] - mean) < 1e-4, tag


def test_path_length_of_a_linear_generator_is_known(session):
    """J^T y has the length 3 |y| in one of two layers, whatever the latents."""
    G = LinearG()
    images, dlatents = G.get_output_for(tf.zeros([64, 16]), None, is_training=True, return_dlatents=True)
    lengths = session.run(losses._path_lengths(G, images, dlatents)) * np.sqrt(2)
    # |y| of 16 normal numbers / sqrt(16) is 1 on average, to about 1/sqrt(2 * 16).
    assert abs(lengths.mean() - 3.0) < 0.4
    assert lengths.std() < 1.0


def test_path_length_regularizer_uses_half_of_the_minibatch_or_all_of_it(session):
    rows = [losses.G_logistic_ns_pathreg(LinearG(), LinearD(), None, OneHotLabels(0), 6, **kwargs)[1]
            for kwargs in ({}, {'pl_minibatch_shrink': 3}, {'pl_minibatch_shrink': 1})]
    tflib.init_uninitialized_vars()
    assert [row.shape for row in session.run(rows)] == [(3,), (2,), (6,)]
