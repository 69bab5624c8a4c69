"""TensorFlow 1.14, NumPy and dnnlib as the sources of old networks expect them.

The modules themselves stay unchanged: a bridge is a separate object that passes on whatever it does not
replace. Shapes keep their `Dimension`s, since `dnnlib.tflib` switches TensorFlow's v2 behaviour off.
"""

import functools
import sys
import types

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib import random
from dnnlib.tflib.legacy import layers as legacy_layers
from dnnlib.tflib.legacy import ops as legacy_ops
from dnnlib.tflib.ops import upfirdn_2d
from dnnlib.util import UserError


class Bridge(types.ModuleType):
    """A module with changes; all other attributes are those of the real one."""

    def __init__(self, name: str, real, **changes):
        super().__init__(name)
        self.__dict__.update(changes)
        self.__dict__['_real'] = real

    def __getattr__(self, name):
        try:
            return getattr(self._real, name)
        except AttributeError:
            # Modules below tensorflow.python are not part of the TF1 API.
            return _loaded_submodule(f'{self.__name__}.{name}')

    def __dir__(self):
        return sorted({*super().__dir__(), *dir(self._real)})


def _loaded_submodule(name):
    try:
        return sys.modules[name]
    except KeyError:
        raise AttributeError(f'{name} does not exist in the installed version') from None


class Contrib:
    """The few names of tf.contrib that have an equivalent today; all others raise UserError."""

    def __init__(self, name: str, **known):
        self.__name__ = name
        self.__dict__.update(known)

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        raise UserError(f'{self.__name__}.{name} is not part of TensorFlow 2; change the network source '
                        'that uses it')


def _dimensions(shape):
    """Return a shape as TF1 reads it: True is 1, and floats and NumPy numbers are the integers they equal."""
    if not isinstance(shape, (list, tuple, np.ndarray)):
        return shape
    inexact = (bool, np.bool_, float, np.floating)
    return [int(n) if isinstance(n, inexact) and n == int(n) else n for n in shape]


def _get_variable(name, shape=None, *args, **kwargs):
    return tf.get_variable(name, _dimensions(shape), *args, **kwargs)


def _cast(x, dtype, name=None):
    """Cast after reading a variable here: `lod` must be read after its parent network has assigned it."""
    return tf.cast(x.read_value() if isinstance(x, tf.Variable) else x, dtype, name)


def _placeholder(dtype, shape=None, name=None):
    return tf.placeholder(dtype, _dimensions(shape), name)


def _random_normal(shape, mean=0.0, stddev=1.0, dtype=tf.float32, seed=None, name=None):
    """Draw from the project's one source of random tensors, unless a seed asks for certain numbers."""
    if seed is not None:
        return tf.random_normal(shape, mean, stddev, dtype, seed, name)
    return tf.identity(random.normal(_dimensions(shape), mean, stddev, dtype), name=name)


def _random_uniform(shape, minval=0, maxval=None, dtype=tf.float32, seed=None, name=None):
    """Draw as `_random_normal` does."""
    if seed is not None:
        return tf.random_uniform(shape, minval, maxval, dtype, seed, name)
    return tf.identity(random.uniform(_dimensions(shape), minval, maxval, dtype), name=name)


def _xavier_initializer(uniform=True, seed=None, dtype=tf.float32):
    distribution = 'uniform' if uniform else 'truncated_normal'
    return tf.variance_scaling_initializer(1.0, 'fan_avg', distribution, seed, dtype)


def _variance_scaling_initializer(factor=2.0, mode='FAN_IN', uniform=False, seed=None, dtype=tf.float32):
    distribution = 'uniform' if uniform else 'truncated_normal'
    return tf.variance_scaling_initializer(factor, mode.lower(), distribution, seed, dtype)


_CONV_OPS = {
    'conv2d': legacy_ops.nhwc_conv2d,
    'conv2d_transpose': legacy_ops.nhwc_conv2d_transpose,
    'conv2d_backprop_input': legacy_ops.nhwc_conv2d_backprop_input,
}
# bias_add and fused_batch_norm have both layouts on a CPU.
_IMAGE_OPS = ['avg_pool', 'avg_pool2d', 'convolution', 'depthwise_conv2d', 'depthwise_conv2d_native',
              'max_pool', 'max_pool2d', 'pool', 'separable_conv2d']
_LAYERS = ['average_pooling2d', 'batch_normalization', 'conv2d', 'dense', 'dropout', 'flatten',
           'max_pooling2d']
_NUMPY = {
    'bool': bool, 'complex': complex, 'float': float, 'int': int, 'long': int, 'object': object, 'str': str,
    'unicode': str,
    'complex_': np.complex128, 'float_': np.float64, 'string_': np.bytes_, 'unicode_': np.str_,
    'Inf': np.inf, 'Infinity': np.inf, 'NINF': -np.inf, 'NaN': np.nan, 'PINF': np.inf, 'infty': np.inf,
    'alltrue': np.all, 'asscalar': lambda a: a.item(), 'cumproduct': np.cumprod, 'in1d': np.isin,
    'mat': np.asmatrix, 'product': np.prod, 'round_': np.round, 'row_stack': np.vstack, 'sometrue': np.any,
    'trapz': np.trapezoid,
}


@functools.cache
def bridges() -> dict:
    """Return {name that a source imports: bridge} for the packages 'tensorflow', 'numpy' and 'dnnlib'."""
    return {'tensorflow': _tensorflow(), 'numpy': Bridge('numpy', np, **_NUMPY), 'dnnlib': _dnnlib()}


def _tensorflow():
    blocks = {name: legacy_ops.on_device(getattr(tf, name)) for name in ('depth_to_space', 'space_to_depth')}
    image_ops = {name: legacy_ops.on_device(getattr(tf.nn, name)) for name in _IMAGE_OPS}
    conv_ops = {name: legacy_ops.on_device(getattr(tf.nn, name), op) for name, op in _CONV_OPS.items()}
    filter_op = legacy_ops.on_device(tf.nn.conv2d_backprop_filter, returns_image=False)
    layers = {name: getattr(legacy_layers, name) for name in _LAYERS}
    initializers = {'xavier_initializer': _xavier_initializer,
                    'variance_scaling_initializer': _variance_scaling_initializer}
    bridge = Bridge(
        'tensorflow', tf, **blocks,
        cast=_cast, get_variable=_get_variable, placeholder=_placeholder,
        random_normal=_random_normal, random_uniform=_random_uniform,
        random=Bridge('tensorflow.random', tf.random, normal=_random_normal, uniform=_random_uniform),
        nn=Bridge('tensorflow.nn', tf.nn, **blocks, **image_ops, **conv_ops,
                  conv2d_backprop_filter=filter_op),
        layers=Bridge('tensorflow.layers', types.SimpleNamespace(), **layers),
        contrib=Contrib('tensorflow.contrib', layers=Contrib(
            'tensorflow.contrib.layers', **initializers, flatten=legacy_layers.flatten)))
    bridge.compat = Bridge('tensorflow.compat', tf.compat, v1=bridge)
    return bridge


def _dnnlib():
    """Return dnnlib with other resampling convolutions, which sources call with samples as groups."""
    filters = Bridge('dnnlib.tflib.ops.upfirdn_2d', upfirdn_2d, upsample_conv_2d=legacy_ops.upsample_conv_2d,
                     conv_downsample_2d=legacy_ops.conv_downsample_2d)
    package = __package__.split('.')[0]
    ops = Bridge('dnnlib.tflib.ops', sys.modules[f'{package}.tflib.ops'], upfirdn_2d=filters)
    tflib = Bridge('dnnlib.tflib', sys.modules[f'{package}.tflib'], ops=ops)
    return Bridge('dnnlib', sys.modules[package], tflib=tflib)
