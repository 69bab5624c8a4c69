"""Define build functions of tiny networks, and arrays to test them on."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib

SMALL_G = dict(func_name='training.networks_stylegan2.G_main', resolution=8, fmap_max=4, latent_size=4,
               dlatent_size=4, mapping_fmaps=4, mapping_layers=2)
X = np.arange(10, dtype=np.float32).reshape(5, 2)
Y = np.arange(15, dtype=np.float32).reshape(5, 1, 3)
AFFINE_X = np.repeat(X.sum(axis=1, keepdims=True), 3, axis=1)  # initial output of `affine` for X


def affine(x_in, y_in, width=3, scale=1.0, is_template_graph=False, components=None, **_kwargs):
    """Apply an affine map and a scale. x [N,2], y [N,1,width] -> x @ weight + bias [N,width], y * scale."""
    x_in.set_shape([None, 2])
    y_in.set_shape([None, 1, width])
    with tf.variable_scope('Dense'):
        weight = tf.get_variable('weight', shape=[2, width], initializer=tf.initializers.ones())
        bias = tf.get_variable('bias', shape=[width], initializer=tf.initializers.zeros())
        out = tf.matmul(x_in, weight) + bias
    count = tf.get_variable('count', initializer=np.float32(0), trainable=False)
    return tf.identity(out + count, name='affine_out'), tf.identity(y_in * scale, name='scaled_out')


def double(x_in, components=None, **_kwargs):
    """Double x [N,2] with a sub-network that the first call creates."""
    x_in.set_shape([None, 2])
    if 'inner' not in components:
        components.inner = tflib.Network('double_inner', func_name=twice)
    gain = tf.get_variable('gain', initializer=np.float32(1))
    return tf.identity(components.inner.get_output_for(x_in) * gain, name='double_out')


def twice(x_in, **_kwargs):
    """Double x [N,2]."""
    x_in.set_shape([None, 2])
    weight = tf.get_variable('weight', initializer=np.float32(2))
    return tf.identity(x_in * weight, name='twice_out')


def graph_ops():
    """Return the names of all operations in the graph."""
    return {op.name for op in tf.get_default_graph().get_operations()}
