"""Minibatch standard deviation (Progressive GAN, Section 3)."""

import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.conv2d import channel_axis
from dnnlib.tflib.ops.shapes import dims


def minibatch_stddev_layer(x, group_size=4, num_new_features=1, data_format='NCHW'):
    """Append the standard deviation over groups of samples, averaged over pixels, as constant channels.

    x [N,C,H,W] -> [N,C+num_new_features,H,W]. Group m of M = N/G holds the samples m, m+M, m+2M, ..., where
    G = min(group_size, N), or N if group_size is None. N must be a multiple of G, C of num_new_features.
    """
    with tf.variable_scope('MinibatchStddev'):
        shape = dims(x)
        axis = channel_axis(data_format)
        group = shape[0]
        if group_size is not None:
            group = min(group_size, group) if isinstance(group, int) else tf.minimum(group_size, group)
        split = shape[1:axis] + [num_new_features, shape[axis] // num_new_features] + shape[axis + 1:]
        y = tf.cast(tf.reshape(x, [group, -1, *split]), tf.float32)  # [G,M,F,C/F,H,W]
        y -= tf.reduce_mean(y, axis=0, keepdims=True)
        y = tf.sqrt(tf.reduce_mean(tf.square(y), axis=0) + 1e-8)  # [M,F,C/F,H,W]
        y = tf.reduce_mean(y, axis=[a for a in range(1, 5) if a != axis])  # [M,F]
        new_shape = [num_new_features if a == axis else shape[a] for a in range(1, 4)]
        channels = [num_new_features if a == axis else 1 for a in range(1, 4)]
        y = tf.reshape(tf.cast(y, x.dtype), [1, -1, *channels])  # [1,M,F,1,1]
        y = tf.broadcast_to(y, [group, dims(y)[1], *new_shape])  # [G,M,F,H,W]
        y = tf.reshape(y, [-1, *new_shape])  # sample g*M+m gets the value of group m
        return tf.concat([x, y], axis=axis)
