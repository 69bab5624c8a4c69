"""`tf.layers` of TF1 as functions, with its variable names and defaults; TensorFlow 2 no longer has it.

There are no regularizers or constraints: these layers build networks whose values are loaded from files.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.legacy import ops
from dnnlib.tflib.ops.conv2d import channel_axis
from dnnlib.tflib.ops.shapes import dims

_LAYOUTS = {'channels_first': 'NCHW', 'channels_last': 'NHWC'}
_conv2d = ops.on_device(tf.nn.conv2d, ops.nhwc_conv2d)
_POOLS = {'max': ops.on_device(tf.nn.max_pool), 'average': ops.on_device(tf.nn.avg_pool)}


def dense(inputs, units, activation=None, use_bias=True, kernel_initializer=None,
          bias_initializer=tf.zeros_initializer(), trainable=True, name=None, reuse=None):
    """Apply a dense layer to the last axis. [...,C] -> [...,units]; variables `kernel` and `bias`."""
    with tf.variable_scope(name, 'dense', reuse=reuse):
        *outer, fmaps = dims(inputs)
        w = tf.get_variable('kernel', [fmaps, units], inputs.dtype, kernel_initializer, trainable=trainable)
        x = tf.matmul(tf.reshape(inputs, [-1, fmaps]), w)
        if use_bias:
            x += tf.get_variable('bias', [units], inputs.dtype, bias_initializer, trainable=trainable)
        x = tf.reshape(x, [*outer, units])
        return x if activation is None else activation(x)


def conv2d(inputs, filters, kernel_size, strides=1, padding='valid', data_format='channels_last',
           dilation_rate=1, activation=None, use_bias=True, kernel_initializer=None,
           bias_initializer=tf.zeros_initializer(), trainable=True, name=None, reuse=None):
    """Apply a convolution layer. [N,H,W,C] (or [N,C,H,W]) -> [N,H',W',filters]; variables `kernel` and
    `bias`."""
    layout = _LAYOUTS[data_format]
    with tf.variable_scope(name, 'conv2d', reuse=reuse):
        shape = [*_pair(kernel_size), inputs.shape.as_list()[channel_axis(layout)], filters]
        w = tf.get_variable('kernel', shape, inputs.dtype, kernel_initializer, trainable=trainable)
        x = _conv2d(inputs, w, strides=_per_axis(strides, layout), padding=padding.upper(),
                    data_format=layout, dilations=_per_axis(dilation_rate, layout))
        if use_bias:
            b = tf.get_variable('bias', [filters], inputs.dtype, bias_initializer, trainable=trainable)
            x = tf.nn.bias_add(x, b, data_format=layout)
        return x if activation is None else activation(x)


def max_pooling2d(inputs, pool_size, strides, padding='valid', data_format='channels_last', name=None):
    """Return the largest value of every window. [N,H,W,C] (or [N,C,H,W]) -> [N,H',W',C]."""
    return _pool('max', inputs, pool_size, strides, padding, data_format, name)


def average_pooling2d(inputs, pool_size, strides, padding='valid', data_format='channels_last', name=None):
    """Return the mean of every window. [N,H,W,C] (or [N,C,H,W]) -> [N,H',W',C]."""
    return _pool('average', inputs, pool_size, strides, padding, data_format, name)


def _pool(kind, inputs, pool_size, strides, padding, data_format, name):
    layout = _LAYOUTS[data_format]
    return _POOLS[kind](inputs, ksize=_per_axis(pool_size, layout), strides=_per_axis(strides, layout),
                        padding=padding.upper(), data_format=layout, name=name)


def batch_normalization(inputs, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, training=False,
                        trainable=True, name=None, reuse=None):
    """Return (x - mean) / sqrt(variance + epsilon) * gamma + beta along `axis`, in the shape of `inputs`.

    The moments are the stored ones or, with `training`, those of the minibatch; UPDATE_OPS then move the
    stored ones towards them. Variables [C]: `gamma`, `beta`, `moving_mean` and `moving_variance`.
    """
    axis %= inputs.shape.rank
    shape = [inputs.shape.as_list()[axis] if i == axis else 1 for i in range(inputs.shape.rank)]

    def variable(name, value, trainable):
        value = tf.constant_initializer(value)
        return tf.get_variable(name, [shape[axis]], initializer=value, trainable=trainable)

    with tf.variable_scope(name, 'batch_normalization', reuse=reuse):
        gamma = variable('gamma', 1.0, trainable) if scale else None
        beta = variable('beta', 0.0, trainable) if center else None
        moments = [variable('moving_mean', 0.0, False), variable('moving_variance', 1.0, False)]
        if _is_training(training):
            averages = moments
            moments = tf.nn.moments(inputs, [i for i in range(inputs.shape.rank) if i != axis])
            for average, moment in zip(averages, moments, strict=True):
                update = tf.assign_sub(average, (average - moment) * (1 - momentum))
                tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        stats = (*moments, beta, gamma)
        stats = [None if v is None else tf.reshape(v, shape) for v in stats]  # [C] -> for example [1,C,1,1]
        return tf.nn.batch_normalization(inputs, *stats, epsilon)


def dropout(inputs, rate=0.5, training=False, name=None):
    """Replace a fraction `rate` of the values by zeros with `training`."""
    if _is_training(training):
        return tf.nn.dropout(inputs, rate=rate, name=name)
    return tf.identity(inputs, name=name)


def flatten(inputs, name=None):
    """Flatten all axes but the first. [N,...] -> [N,D]."""
    return tf.reshape(inputs, [-1, int(np.prod(inputs.shape.as_list()[1:]))], name=name)


def _is_training(flag):
    if tf.is_tensor(flag):
        raise TypeError('tf.layers: `training` must be a Python bool here, not a tensor')
    return bool(flag)


def _pair(n):
    return (n, n) if np.ndim(n) == 0 else tuple(n)


def _per_axis(n, layout):
    """Return a number or (y, x) as the list of four that tf.nn takes."""
    return [1, 1, *_pair(n)] if layout == 'NCHW' else [1, *_pair(n), 1]
