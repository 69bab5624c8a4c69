"""Spectral normalization of weights (Miyato et al. 2018, "Spectral Normalization for GANs")."""

import tensorflow.compat.v1 as tf


def apply_spectral_norm(w, state_var='sn', iterations=1, eps=1e-8):
    """w [...,fmaps], as a matrix [-1,fmaps], divided by its largest singular value. -> [...,fmaps].

    Power iteration finds that value: variable `state_var` [1,fmaps] keeps the singular vector and moves on at
    every evaluation, in use as in training.
    """
    fmaps = w.shape.as_list()[-1]
    matrix = tf.reshape(w, [-1, fmaps])  # [k,k,I,O] -> [k*k*I,O]
    state = tf.get_variable(state_var, shape=[1, fmaps], initializer=tf.initializers.random_normal(),
                            trainable=False)
    u = state
    for _ in range(iterations):
        v = tf.matmul(u, matrix, transpose_b=True)
        v *= _inverse_norm(v, eps)
        u = tf.matmul(v, matrix)
        inverse_sigma = _inverse_norm(u, eps)
        u *= inverse_sigma
    with tf.control_dependencies([tf.assign(state, u)]):
        return w * inverse_sigma


def _inverse_norm(x, eps):
    return tf.rsqrt(tf.reduce_sum(tf.square(x)) + eps)
