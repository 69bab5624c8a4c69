"""Compare losses with the golden figures: values, regularizers, gradients."""

import contextlib

import numpy as np
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
from tests.network_cases import unchanged
from training.augment import AdaptiveAugment

# Our modules for the losses of each code base. Both published modules are called `training.loss`.
MODULES = {'losses_stylegan': 'training.loss_stylegan', 'losses_stylegan2': 'training.loss'}
CASES = [(code_base, case) for code_base in MODULES for case in figures(code_base)['cases']]
CASES_OF_ADA = figures('losses_ada')['cases']
TERMS_OF_ADA = ['G_loss', 'D_loss', 'G_reg', 'D_reg']


class OneHotLabels:
    """Stands in for a data set, with the one-hot rows of the golden runs as random labels."""

    def __init__(self, label_size):
        self.label_size = label_size

    def get_random_labels_tf(self, minibatch_size):
        """Return labels [minibatch_size, label_size]."""
        labels = tf.constant(one_hot(64, self.label_size))
        return labels[:minibatch_size]


def case_id(code_base, case):
    """Name the test of a golden case."""
    if code_base == 'losses_ada':
        return case['name']
    return (f'{code_base.removeprefix("losses_")}-{case["loss_func"].removeprefix("training.loss.")}-'
            f'{case["label_size"]}-labels')


def networks_of(code_base, case):
    """Return the arguments of `golden_networks` for a case, which can be hashed."""
    return code_base, case['label_size'], tuple(case.get('D_extra', {}).items())


@contextlib.contextmanager
def golden_networks(code_base, label_size, D_extra=()):
    """Open a session with G and D of the golden runs of a code base. D_extra: further arguments of D."""
    spec = figures(code_base)['networks']
    with fresh_session(QUICK):
        G = tflib.Network('G', func_name=spec['G'], label_size=label_size, **spec['G_static'])
        D = tflib.Network(
            'D', func_name=spec['D'], label_size=label_size, **spec['D_static'], **dict(D_extra))
        set_golden_values(G, 'G:')
        set_golden_values(D, 'D:')
        yield G, D


def build_loss(func_name, label_size, G, D, opt=None, **kwargs):
    """Build a loss of StyleGAN or StyleGAN2 on the inputs of the golden runs."""
    kwargs.update(G=G, D=D, opt=opt or tflib.Optimizer(), minibatch_size=4)
    kwargs['training_set'] = OneHotLabels(label_size)
    if '.D_' in func_name:
        kwargs['reals'] = tf.constant(golden_input('reals', [4, 3, 16, 16]) * 0.5)
        kwargs['labels'] = tf.constant(one_hot(4, label_size))
    with replaced_randomness():
        return dnnlib.util.call_func_by_name(func_name=func_name, **kwargs)


def _gradients(value, net):
    grads = tf.gradients(tf.reduce_mean(value), list(net.trainables.values()))
    return {name: grad for name, grad in zip(net.trainables, grads, strict=True) if grad is not None}


def check_golden_loss(code_base, case, G, D, prepared=unchanged):
    """Compare a loss of StyleGAN or StyleGAN2, its regularizer and all gradients with a golden case.

    prepared: see `network_cases.unchanged`.
    """
    dlatent_avg = G.get_var('dlatent_avg')
    func_name = case['loss_func'].replace('training.loss', MODULES[code_base])
    result = build_loss(func_name, case['label_size'], G, D, **case['kwargs'])
    loss, reg = result if code_base == 'losses_stylegan2' else (result, None)
    terms = {'loss': loss, **({} if reg is None else {'reg': reg})}
    assert ('reg' in terms) == (case['reg'] is not None)
    tensors = {name: [value, *(_gradients(value, net) for net in (G, D))] for name, value in terms.items()}
    tflib.init_uninitialized_vars()
    for name, fetches in tensors.items():
        G.set_var('dlatent_avg', dlatent_avg)
        value, *grads = tflib.run(prepared(fetches))
        assert_close(np.ravel(value), case[name], name)
        for key, actual in zip('GD', grads, strict=True):
            assert_gradients_close(actual, dict(case[f'{name}_grads_{key}']), f'{name}_grads_{key}')
        if name == 'reg' and 'pathreg' in case['loss_func']:
            _check_running_mean_of_path_lengths(prepared(reg), case)
    G.set_var('dlatent_avg', dlatent_avg)


def _check_running_mean_of_path_lengths(reg, case):
    pl_mean = [var for var in tf.global_variables() if 'pl_mean' in var.name][-1]
    tflib.run(pl_mean.initializer)
    for expected_reg, expected_mean in case['reg_and_pl_mean_over_3_evaluations']:
        assert_close(np.ravel(tflib.run(reg)), expected_reg, 'reg')
        np.testing.assert_allclose(pl_mean.eval(), expected_mean, rtol=1e-4)


def build_loss_of_ada(func_name, label_size, G, D, aug=None, **kwargs):
    """Build a loss of StyleGAN2-ADA on the inputs of the golden runs."""
    labels = one_hot(4, label_size)
    with replaced_randomness():
        return dnnlib.util.call_func_by_name(
            func_name=func_name, G=G, D=D, aug=aug, fake_labels=tf.constant(np.roll(labels, 1, axis=0)),
            real_images=tf.constant(golden_input('reals', [4, 3, 16, 16]) * 0.5),
            real_labels=tf.constant(labels), **kwargs)


def check_golden_loss_of_ada(case, G, D, prepared=unchanged):
    """Compare a loss of StyleGAN2-ADA, its regularizers and all gradients with a golden case.

    prepared: see `network_cases.unchanged`.
    """
    dlatent_avg = G.get_var('dlatent_avg')
    result = build_loss_of_ada(
        case['loss_func'], case['label_size'], G, D, _augmentation(case), **case['kwargs'])
    assert list(result) == TERMS_OF_ADA
    tensors = {}
    for name, value in result.items():
        if tflib.is_tf_expression(value):
            tensors[name] = [value, _gradients(value, G if name.startswith('G') else D)]
        else:
            assert value == case[name]
    tflib.init_uninitialized_vars()
    for name, fetches in tensors.items():
        G.set_var('dlatent_avg', dlatent_avg)
        value, grads = tflib.run(prepared(fetches))
        assert_close(np.ravel(value), case[name], name)
        assert_gradients_close(grads, case[f'{name}_grads'], name)
    G.set_var('dlatent_avg', dlatent_avg)


def _augmentation(case):
    if case['augment'] is None:
        return None
    return AdaptiveAugment(
        apply_func='training.augment.augment_pipeline', apply_args=case['augment']['args'],
        initial_strength=case['augment']['strength'])
