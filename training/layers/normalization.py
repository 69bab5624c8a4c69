"""Normalization of feature maps, vectors and weights."""

import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.conv2d import channel_axis, spatial_axes


def normalize_2nd_moment(x, axis=1, eps=1e-8):
    """Return x / sqrt(mean(x^2) + eps), with the mean along one axis. Same shape and dtype as x."""
    return x * tf.rsqrt(tf.reduce_mean(tf.square(x), axis=axis, keepdims=True) + eps)


def pixel_norm(x, epsilon=1e-8, data_format='NCHW'):
    """Scale every pixel to a mean square of 1 over its channels (Progressive GAN, Section 4.2).

    x [N,C] or [N,C,H,W] -> x / sqrt(mean(x^2) + epsilon), in the same shape and dtype.
    """
    return normalize_2nd_moment(x, channel_axis(data_format) if x.shape.rank == 4 else 1, epsilon)


def instance_norm(x, epsilon=1e-8, data_format='NCHW'):
    """Give every feature map of every sample zero mean and unit variance (StyleGAN, Eq. 1).

    x [N,C,H,W] -> the same shape and dtype, computed in float32.
    """
    assert x.shape.rank == 4
    axes = spatial_axes(data_format)
    y = tf.cast(x, tf.float32)
    y -= tf.reduce_mean(y, axis=axes, keepdims=True)
    y *= tf.rsqrt(tf.reduce_mean(tf.square(y), axis=axes, keepdims=True) + epsilon)
    return tf.cast(y, x.dtype)


def apply_spectral_norm(w, state_var='sn', iterations=1, eps=1e-8):
    """Divide weights w [...,O] by their spectral norm, estimated by power iteration (Miyato et al. 2018,
    "Spectral Normalization for GANs", Algorithm 1).

    The spectral norm is the largest singular value of w as a matrix [I,O]. The estimated singular vector of
    the outputs, the paper's u, is kept in the variable `state_var` [1,O], which is not trained. Every
    evaluation, in training or not, refines it by `iterations`. `eps` keeps lengths away from 0.
    """
    num_outputs = w.shape.as_list()[-1]
    state = tf.get_variable(state_var, shape=[1, num_outputs], initializer=tf.initializers.random_normal(),
                            trainable=False)
    matrix = tf.reshape(w, [-1, num_outputs])  # [k,k,I,O] -> [k*k*I,O], the transpose of the paper's W
    u = state
    for _ in range(iterations):
        v, _ = _direction_and_inverse_length(tf.matmul(u, matrix, transpose_b=True), eps)  # [1,k*k*I]
        u, inverse_sigma = _direction_and_inverse_length(tf.matmul(v, matrix), eps)  # [1,O]
    with tf.control_dependencies([tf.assign(state, u)]):
        return w * inverse_sigma


def _direction_and_inverse_length(x, eps):
    """Return x [1,C] as a unit vector, and 1 / length as a scalar."""
    inverse_length = tf.rsqrt(tf.reduce_sum(x * x) + eps)
    return x * inverse_length, inverse_length
