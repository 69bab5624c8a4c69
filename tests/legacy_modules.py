"""Define source texts of network modules in TF1 style, as old pickles contain them."""

# A generator with a synthesis network: boolean dimensions, NCHW, Dimension values, nested custom gradients.
GENERATOR = '''\
"""Networks. Line ends, trailing spaces   and the missing last line feed have to stay."""

import numpy as np
import tensorflow as tf
import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib.ops.upfirdn_2d import upsample_2d, downsample_2d, upsample_conv_2d, conv_downsample_2d
from dnnlib.tflib.ops.fused_bias_act import fused_bias_act

def get_weight(shape, gain=np.sqrt(2)):
    fan_in = np.product(shape[:-1])
    w = tf.get_variable('weight', shape=shape, initializer=tf.initializers.random_normal(0, 1))
    return w * (gain / np.sqrt(fan_in))

def double(x):
    @tf.custom_gradient
    def func(x):
        def up(x, gain):
            s = x.shape
            x = tf.reshape(x * gain, [-1, s[1], s[2], 1, s[3], 1])
            return tf.reshape(tf.tile(x, [1, 1, 1, 2, 1, 2]), [-1, s[1], s[2] * 2, s[3] * 2])
        def down(x, gain):
            size = [1, 1, 2, 2]
            return tf.nn.avg_pool(x * gain, ksize=size, strides=size, padding='VALID', data_format='NCHW')
        @tf.custom_gradient
        def grad(dy):
            return down(dy, 4), lambda ddx: up(ddx, 1)
        return up(x, 1), grad
    return func(x)

def G_parts(
    latents_in,
    is_template_graph = False,
    components        = dnnlib.EasyDict(),
    **kwargs):

    if 'synthesis' not in components:
        components.synthesis = tflib.Network('G_parts_synthesis', func_name=globals()['G_pixels'], **kwargs)
    lod = tf.get_variable('lod', initializer=np.float32(0.0), trainable=False)
    with tf.control_dependencies([tf.assign(components.synthesis.find_var('lod'), lod)]):
        images = components.synthesis.get_output_for(
            latents_in, is_template_graph=is_template_graph, **kwargs)
    return tf.identity(images, name='images_out')

def G_pixels(latents_in, fmaps=4, latent_size=3, use_noise=True, randomize_noise=False, **_kwargs):
    latents_in.set_shape([None, latent_size])
    lod = tf.cast(tf.get_variable('lod', initializer=np.float32(0.0), trainable=False), 'float32')
    noise = tf.get_variable('noise0', shape=[1, use_noise, 2**2, 2**2], trainable=False,
                            initializer=tf.initializers.random_normal())
    with tf.variable_scope('Dense'):
        x = tf.matmul(latents_in, get_weight([latents_in.shape[1].value, fmaps * 16]))
        x = tf.reshape(x, [-1, fmaps, 4, 4])
    if randomize_noise:
        noise = tf.random_normal([tf.shape(x)[0], 1, x.shape[2], x.shape[3]], dtype=x.dtype)
    x += noise
    with tf.variable_scope('Conv'):
        w = get_weight([3, 3, x.shape[1].value, float(fmaps)])
        x = tf.nn.conv2d(x, w, data_format='NCHW', strides=[1, 1, 1, 1], padding='SAME')
        x = tf.nn.bias_add(x, tf.get_variable('bias', [fmaps], initializer=tf.initializers.zeros()), 'NCHW')
        x = tf.nn.leaky_relu(x)
    x = tf.cond(tf.greater(lod, 0.5), lambda: x * 0, lambda: x)
    x = double(x)
    with tf.variable_scope('Up'):
        w = tf.transpose(get_weight([3, 3, int(x.shape[1]), fmaps]), [0, 1, 3, 2])
        shape = [tf.shape(x)[0], fmaps, x.shape[2] * 2, x.shape[3] * 2]
        x = tf.nn.conv2d_transpose(x, w, shape, strides=[1, 1, 2, 2], padding='SAME', data_format='NCHW')
    return tf.identity(x, name='images_out')'''

# Features of images, from layers that TensorFlow has removed and ops whose GPU layout CPUs do not support.
FEATURES = '''\
import tensorflow as tf
from tensorflow.contrib.layers import xavier_initializer
from tensorflow.python.ops import math_ops

def features(images_in, **_kwargs):
    images_in.set_shape([None, 3, 8, 8])
    x = tf.layers.conv2d(images_in, 4, 3, padding='same', data_format='channels_first', activation=tf.nn.relu)
    x = tf.layers.conv2d(x, 4, (1, 3), strides=2, data_format='channels_first', use_bias=False,
                         kernel_initializer=xavier_initializer())
    x = tf.layers.batch_normalization(x, axis=1, training=False)
    with tf.variable_scope('bn'):
        scale, offset, mean, variance = (
            tf.get_variable(name, [x.shape[1]], initializer=tf.initializers.ones())
            for name in ['scale', 'offset', 'mean', 'variance'])
        x, _, _ = tf.nn.fused_batch_norm(x, scale, offset, mean, variance, data_format='NCHW',
                                         is_training=False)
    x = tf.layers.max_pooling2d(x, 2, 1, data_format='channels_first')
    x = math_ops.add(tf.layers.dropout(x), 1.0)
    x = tf.layers.dense(tf.layers.flatten(x), 5)
    return tf.identity(x, name='features_out')
'''

# Convolutions with a separate kernel for each sample, which fold the minibatch into the channels.
FUSED = '''\
import numpy as np
import tensorflow as tf
from dnnlib.tflib.ops.upfirdn_2d import upsample_conv_2d, conv_downsample_2d

def per_sample(x, w, mode):
    """x [N,I,H,W], w [k,k,I,N,O]."""
    batch, fmaps = tf.shape(x)[0], w.shape[4].value
    x = tf.reshape(x, [1, -1, x.shape[2], x.shape[3]])
    ww = tf.reshape(w, [w.shape[0], w.shape[1], w.shape[2], -1])
    if mode == 'up':
        x = upsample_conv_2d(x, ww, k=[1, 3, 3, 1], data_format='NCHW')
    elif mode == 'down':
        x = conv_downsample_2d(x, ww, k=[1, 3, 3, 1], data_format='NCHW')
    elif mode == 'transpose':
        wt = tf.reshape(tf.transpose(w, [0, 1, 4, 3, 2]), [w.shape[0], w.shape[1], fmaps, -1])
        shape = [1, batch * fmaps, x.shape[2] * 2, x.shape[3] * 2]
        x = tf.nn.conv2d_transpose(x, wt, shape, [1, 1, 2, 2], padding='SAME', data_format='NCHW')
    else:
        x = tf.nn.conv2d(x, ww, data_format='NCHW', strides=[1, 1, 2, 2], padding='SAME')
    return tf.reshape(x, [-1, fmaps, x.shape[2], x.shape[3]])
'''

# Old names in NumPy and TensorFlow, and the ways to import them.
NAMES = '''\
import numpy
import numpy.linalg
import numpy.linalg as la
import tensorflow
import tensorflow.compat.v1 as v1
import tensorflow.python.ops.nn_ops
from tensorflow import nn
from numpy import product, sometrue as any_of
from dnnlib.tflib import ops, tfutil
import dnnlib.tflib.ops.upfirdn_2d as resampling
import collections

class Holder:
    @staticmethod
    def method(x_in, **_kwargs):
        return x_in

def values():
    import numpy as np
    import tensorflow as tf
    return dict(
        types=[np.float, np.int, np.bool, np.object, np.str],
        numbers=[np.product([2, 3]), product([4, 5]), np.asscalar(np.array([7])), la.norm([3, 4]), np.Inf],
        same=[tf is tensorflow, v1 is tf, tf.nn is nn, np is numpy, ops.upfirdn_2d is resampling],
        real=[tf.Graph, np.ndarray, collections.OrderedDict, tensorflow.python.ops.nn_ops, tfutil])

not_a_function = 1
'''
