"""Bias, activation and gain (StyleGAN2, Appendix B) in standard ops, differentiable to any order."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.util import EasyDict

_SELU_SCALE = 1.0507009873554805
_SELU_ALPHA = 1.6732632423543772


def _selu(x, **_):
    """Return SELU as tf.nn.selu does, but with the slope of the right branch at 0."""
    return tf.where(x >= 0, x, tf.nn.elu(x) * _SELU_ALPHA) * _SELU_SCALE


def _activation(func, cuda_idx, ref='y', alpha=None, gain=1.0, zero_2nd_grad=False):
    return EasyDict(func=func, def_alpha=alpha, def_gain=gain, cuda_idx=cuda_idx, ref=ref,
                    zero_2nd_grad=zero_2nd_grad)


activation_funcs = {
    'linear': _activation(lambda x, **_: x, 1, zero_2nd_grad=True),
    'relu': _activation(lambda x, **_: tf.nn.relu(x), 2, gain=np.sqrt(2), zero_2nd_grad=True),
    'lrelu': _activation(lambda x, alpha, **_: tf.nn.leaky_relu(x, alpha), 3,
                         alpha=0.2, gain=np.sqrt(2), zero_2nd_grad=True),
    'tanh': _activation(lambda x, **_: tf.nn.tanh(x), 4),
    'sigmoid': _activation(lambda x, **_: tf.nn.sigmoid(x), 5),
    'elu': _activation(lambda x, **_: tf.nn.elu(x), 6),
    'selu': _activation(_selu, 7),
    'softplus': _activation(lambda x, **_: tf.nn.softplus(x), 8),
    'swish': _activation(lambda x, **_: tf.nn.sigmoid(x) * x, 9, ref='x', gain=np.sqrt(2)),
}


def gain_before_and_after(act):
    """Return (before, after) such that after * act(before * x) is the activation with its gain, for any x.

    after = 1 if the activation is homogeneous.
    """
    gain = activation_funcs[act].def_gain
    return (gain, 1.0) if act in ('linear', 'relu', 'lrelu') else (1.0, gain)


def fused_bias_act(x, b=None, axis=1, act='linear', alpha=None, gain=None, clamp=None, impl='cuda'):
    """Return act(x + b) * gain, clamped.

    x: any shape; b [x.shape[axis]] of the same dtype, or None -> shape and dtype of x. `act`: a key of
    `activation_funcs`, which has the defaults of `alpha` and `gain` too (sqrt(2) for relu, lrelu and swish);
    `clamp`: largest magnitude of the result (StyleGAN2-ADA), None = unlimited. `impl` is 'cuda' or 'ref' and
    changes nothing; KeyError for another one or an unknown `act`.
    """
    _check_impl(impl)
    x = tf.convert_to_tensor(x)
    spec = activation_funcs[act]
    alpha = spec.def_alpha if alpha is None else alpha
    gain = spec.def_gain if gain is None else gain
    if b is not None:
        x = _add_bias(x, tf.convert_to_tensor(b), axis)
    x = spec.func(x, alpha=alpha)
    if gain != 1:
        x = x * tf.constant(gain, x.dtype)
    if clamp is not None:
        limit = tf.constant(clamp, x.dtype)
        x = tf.clip_by_value(x, -limit, limit)
    return x


def _check_impl(impl):
    if impl not in ('cuda', 'ref'):
        raise KeyError(impl)


def _add_bias(x, b, axis):
    """Add b along `axis`; an empty bias adds nothing."""
    assert b.shape.rank == 1
    if b.shape.as_list()[0] == 0:
        return x
    assert 0 <= axis < x.shape.rank
    assert b.shape.as_list()[0] == x.shape.as_list()[axis]
    # The gradient of bias_add is one fast reduction. In bfloat16, TensorFlow's kernel for CPUs adds up in
    # bfloat16, and loses addends from 256 times their size on.
    if 0 < axis == x.shape.rank - 1 and x.dtype != tf.bfloat16:
        return tf.nn.bias_add(x, b)
    return x + tf.reshape(b, [-1 if i == axis else 1 for i in range(x.shape.rank)])
