"""Test the losses of StyleGAN2-ADA: golden values and gradients."""

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

TERMS = ['G_loss', 'D_loss', 'G_reg', 'D_reg']


def _cases(wanted):
    """Return the golden cases for which `wanted` is true, with their names as ids."""
    cases = [case for case in figures('losses_ada')['cases'] if wanted(case)]
    return dict(argvalues=[((case['label_size'], tuple(case['D_extra'].items())), case) for case in cases],
                ids=[case['name'] for case in cases])


@pytest.fixture(scope='module')
def networks(request):
    """Build G and D of the golden runs for a label size and further arguments of D, once for all losses."""
    label_size, D_extra = request.param
    spec = figures('losses_ada')['networks']
    with fresh_session(QUICK):
        G = tflib.Network('G', func_name=spec['G'], label_size=label_size, **spec['G_static'])
        D = tflib.Network(
            'D', func_name=spec['D'], label_size=label_size, **spec['D_static'], **dict(D_extra))
        set_golden_values(G, 'G:')
        set_golden_values(D, 'D:')
        yield G, D


def _build(func_name, label_size, G, D, aug=None, **kwargs):
    """Build a loss on the inputs of the golden runs."""
    labels = one_hot(4, label_size)
    with replaced_randomness():
        return dnnlib.util.call_func_by_name(
            func_name=func_name, G=G, D=D, aug=aug, fake_labels=tf.constant(np.roll(labels, 1, axis=0)),
            real_images=tf.constant(golden_input('reals', [4, 3, 16, 16]) * 0.5),
            real_labels=tf.constant(labels), **kwargs)


def _check_golden_case(case, G, D, aug=None):
    dlatent_avg = G.get_var('dlatent_avg')
    result = _build(case['loss_func'], case['label_size'], G, D, aug, **case['kwargs'])
    assert list(result) == TERMS
    tensors = {}
    for name, value in result.items():
        if not tflib.is_tf_expression(value):
            assert value == case[name]
            continue
        net = G if name.startswith('G') else D
        grads = tf.gradients(tf.reduce_mean(value), list(net.trainables.values()))
        tensors[name] = value, {
            key: grad for key, grad in zip(net.trainables, grads, strict=True) if grad is not None}
    tflib.init_uninitialized_vars()
    for name, (value, grads) in tensors.items():
        G.set_var('dlatent_avg', dlatent_avg)
        value, grads = tflib.run([value, grads])
        assert_close(np.ravel(value), case[name], name)
        assert_gradients_close(grads, case[f'{name}_grads'], name)
    G.set_var('dlatent_avg', dlatent_avg)


@pytest.mark.parametrize(
    ('networks', 'case'), **_cases(lambda case: case['augment'] is None), indirect=['networks'])
def test_golden_case_has_the_same_losses_regularizers_and_gradients(networks, case):
    _check_golden_case(case, *networks)
