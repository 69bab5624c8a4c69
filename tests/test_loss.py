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


def test_path_length_of_a_linear_generator_is_known(session):
    """images = w * dlatents: J^T y has the length |w| * |y|, whatever the latents."""
    class Linear:
        output_shape = [None, 1, 4, 4]

    dlatents = tf.constant(golden_input('w', [64, 1, 16]))
    images = tf.reshape(dlatents[:, 0] * 3.0, [64, 1, 4, 4])
    lengths = session.run(losses._path_lengths(Linear, images, dlatents))
    # |y| of 16 normal numbers / sqrt(16) is 1 on average, to about 1/sqrt(2 * 16).
    assert abs(lengths.mean() - 3.0) < 0.4
    assert lengths.std() < 1.0
