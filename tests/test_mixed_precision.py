"""Test networks that compute in half precision: values and gradients of losses, and loss scaling."""

import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.ops.fused_bias_act import fused_bias_act
from tests.golden_figures import QUICK, figures, fresh_session, replaced_randomness, set_golden_values
from tests.golden_recipe import golden_input
from training.loss import D_logistic_r1, G_logistic_ns_pathreg
from training.loss_ada import stylegan2

TERMS = ['G_loss', 'D_loss', 'G_reg', 'D_reg']
# Largest relative differences from float32, of losses and of gradients, in units of the rounding of the type.
# Those of layers add up, more of them in gradients, and in float16 the most in path lengths, which are
# gradients themselves. Measured ones are between a tenth and three quarters of these.
_UNITS = {
    'float16': (2 ** -10, {'G_loss': (2, 25), 'D_loss': (2, 8), 'G_reg': (40, 70), 'D_reg': (5, 8)}),
    'bfloat16': (2 ** -7, {'G_loss': (2, 8), 'D_loss': (1, 16), 'G_reg': (5, 8), 'D_reg': (16, 12)}),
}
BOUNDS = {dtype: {term: (epsilon * loss, epsilon * gradient) for term, (loss, gradient) in units.items()}
          for dtype, (epsilon, units) in _UNITS.items()}


class InHalfPrecision:
    """A network whose blocks run in half precision, above 4x4."""

    def __init__(self, net, half_dtype):
        self._net = net
        self._half_dtype = half_dtype

    def __getattr__(self, name):
        return getattr(self._net, name)

    def get_output_for(self, *inputs, **kwargs):
        return self._net.get_output_for(*inputs, num_fp16_res=4, half_dtype=self._half_dtype, **kwargs)


def _losses_of_ada(G, D, reals):
    return stylegan2(G, D, None, tf.zeros([4, 0]), reals, tf.zeros([4, 0]))


def _losses_of_stylegan2(G, D, reals):
    data = types.SimpleNamespace(get_random_labels_tf=lambda count: tf.zeros([count, 0]))
    G_loss, G_reg = G_logistic_ns_pathreg(G, D, None, data, 4)
    D_loss, D_reg = D_logistic_r1(G, D, None, data, 4, reals, tf.zeros([4, 0]))
    return dict(G_loss=G_loss, G_reg=G_reg, D_loss=D_loss, D_reg=D_reg)


NETWORKS = {  # G, D and their losses
    'ada': ('training.networks_stylegan2_ada.G_main', 'training.networks_stylegan2_ada.D_main',
            _losses_of_ada),
    'stylegan2': ('training.networks_stylegan2.G_main', 'training.networks_stylegan2.D_stylegan2',
                  _losses_of_stylegan2)}


def _losses(losses, G, D):
    with replaced_randomness():
        return losses(G, D, tf.constant(golden_input('reals', [4, 3, 16, 16]) * 0.5))


def _trainables(term, G, D):
    return list((G if term.startswith('G') else D).trainables.values())


def _gradients(losses, G, D):
    """Return {term: gradients of its mean for the variables of its network, zeros for None}."""
    return {term: tf.gradients(tf.reduce_mean(losses[term]), _trainables(term, G, D),
                               unconnected_gradients=tf.UnconnectedGradients.ZERO) for term in TERMS}


def _error(actual, expected):
    """Return the norm of the difference of two lists of arrays, relative to the expected ones."""
    actual, expected = (np.concatenate([np.ravel(array) for array in arrays]).astype(np.float64)
                        for arrays in (actual, expected))
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


@pytest.fixture(scope='module', params=NETWORKS)
def trained(request):
    """Build G and D, their losses in float16 and optimizers with loss scaling, and compute the losses in
    float32."""
    spec = figures('losses_ada')['networks']
    G_name, D_name, losses = NETWORKS[request.param]
    with fresh_session(QUICK), tf.device('/cpu:0'):
        G = tflib.Network('G', func_name=G_name, **spec['G_static'], conv_clamp=256)
        D = tflib.Network('D', func_name=D_name, **spec['D_static'], conv_clamp=256)
        set_golden_values(G, 'G:')
        set_golden_values(D, 'D:')
        full = _losses(losses, G, D)
        half, brain = (_losses(losses, InHalfPrecision(G, dtype), InHalfPrecision(D, dtype))
                       for dtype in ('float16', 'bfloat16'))
        optimizers = {term: tflib.Optimizer(
            term, 'tf.train.GradientDescentOptimizer', learning_rate=1.0, use_loss_scaling=True,
            loss_scaling_init=8.0, loss_scaling_inc=0.5) for term in TERMS}
        for term, optimizer in optimizers.items():
            optimizer.register_gradients(tf.reduce_mean(half[term]), _trainables(term, G, D))
        steps = {term: optimizer.apply_updates() for term, optimizer in optimizers.items()}
        tensors = {kind: (terms, _gradients(terms, G, D))
                   for kind, terms in (('full', full), ('float16', half), ('bfloat16', brain))}
        tflib.init_uninitialized_vars()
        values = {}
        for kind, (terms, gradients) in tensors.items():
            for term in TERMS:
                values[kind, term] = tflib.run([terms[term], gradients[term]])
        yield types.SimpleNamespace(G=G, D=D, optimizers=optimizers, steps=steps, values=values)


@pytest.mark.parametrize('half_dtype', ['float16', 'bfloat16'])
@pytest.mark.parametrize('term', TERMS)
def test_losses_and_gradients_agree_with_those_of_float32(trained, term, half_dtype):
    """Path lengths and R1 are gradients themselves, and differentiated in half precision once more."""
    loss, gradients = trained.values[half_dtype, term]
    full_loss, full_gradients = trained.values['full', term]
    loss_error, gradient_error = BOUNDS[half_dtype][term]
    assert loss.dtype == np.float32
    assert 0 < _error([loss], [full_loss]) < loss_error
    assert 0 < _error(gradients, full_gradients) < gradient_error


def _step(trained, term, loss_scaling_log2):
    """Make a step with this loss scaling. -> gradients that it followed, loss scaling after it."""
    variables = _trainables(term, trained.G, trained.D)
    scaling = trained.optimizers[term].get_loss_scaling_var('/cpu:0')
    tflib.set_vars({scaling: loss_scaling_log2})
    before = tflib.run(variables)
    tflib.run(trained.steps[term])
    after = tflib.run(variables)
    tflib.set_vars(dict(zip(variables, before, strict=True)))
    return [b - a for b, a in zip(before, after, strict=True)], tflib.run(scaling)


@pytest.mark.parametrize('term', TERMS)
def test_a_step_with_loss_scaling_follows_the_gradients_of_float32(trained, term):
    gradients, scaling = _step(trained, term, 8.0)
    assert scaling == 8.5
    assert 0 < _error(gradients, trained.values['full', term][1]) < BOUNDS['float16'][term][1]


@pytest.mark.parametrize('term', TERMS)
def test_an_overflow_skips_the_step_and_lowers_the_scaling(trained, term):
    before = tflib.run(trained.optimizers[term].skipped.total)
    gradients, scaling = _step(trained, term, 64.0)
    assert not any(np.any(gradient) for gradient in gradients)
    assert scaling == 63.0
    assert tflib.run(trained.optimizers[term].skipped.total) == before + 1


def test_loss_scaling_keeps_small_gradients_that_vanish_in_half_precision(session):
    weight = tf.Variable(np.float32(1.0))
    optimizers = [tflib.Optimizer(name, 'tf.train.GradientDescentOptimizer', learning_rate=1.0,
                                  use_loss_scaling=bool(scaling), loss_scaling_init=scaling)
                  for name, scaling in (('Plain', 0.0), ('Scaled', 12.0))]
    with tf.device(weight.device):
        half = tf.cast(tf.cast(weight, tf.float16), tf.float32)
        for optimizer in optimizers:
            optimizer.register_gradients(half * 2.0 ** -26, [weight])
        steps = [optimizer.apply_updates() for optimizer in optimizers]
    tflib.init_uninitialized_vars()
    changes = []
    for step in steps:
        session.run(weight.initializer)
        session.run(tf.assign(weight, 0.0))
        session.run(step)
        changes.append(session.run(weight))
    assert changes == [0.0, -2.0 ** -26]


@pytest.mark.parametrize('architecture', ['orig', 'skip', 'resnet'])
@pytest.mark.long
def test_every_architecture_trains_in_half_precision(architecture, session):
    size = dict(num_channels=3, resolution=32, fmap_base=64, fmap_max=4, architecture=architecture,
                num_fp16_res=4, conv_clamp=256)
    G = tflib.Network('G', func_name='training.networks.G_main', **size, latent_size=8, dlatent_size=8,
                      mapping_layers=1)
    D = tflib.Network('D', func_name='training.networks.D_main', **size, use_spectral_norm=True,
                      adaptive_dropout=1, augment_strength=0.5)
    losses = stylegan2(G, D, None, tf.zeros([4, 0]), tf.random_normal([4, 3, 32, 32]), tf.zeros([4, 0]))
    gradients = _gradients(losses, G, D)
    tflib.init_uninitialized_vars()
    for term in TERMS:
        values = session.run(gradients[term])
        assert all(np.isfinite(value).all() for value in values)
        assert any(np.any(value) for value in values), term


@pytest.mark.parametrize('dtype', ['float32', 'float16', 'bfloat16'])
@pytest.mark.parametrize('axis', [1, 3])
def test_the_gradient_of_a_bias_adds_up_more_pixels_than_the_type_can_count(axis, dtype):
    with fresh_session(QUICK):
        b = tf.zeros([2], dtype)
        shape = [1, 32, 32, 2] if axis == 3 else [1, 2, 32, 32]
        gradient, = tf.gradients(fused_bias_act(tf.zeros(shape, dtype), b, axis=axis), b)
        np.testing.assert_array_equal(np.float32(tflib.run(gradient)), [1024, 1024])
