"""Spectral normalization of weights (Miyato et al. 2018, "Spectral Normalization for GANs")."""

import tensorflow.compat.v1 as tf


def apply_spectral_norm(w, state_var='sn', iterations=1, eps=1e-8):
    """Weights w [...,O] divided by their spectral norm sigma, as power iteration estimates it (Algorithm 1).

    sigma is the largest singular value of w as a matrix [I,O]. The singular vector of the outputs, the
    paper's u, is kept in the variable `state_var` [1,O], which is not trained. Every evaluation, in training
    or not, refines it by so many `iterations`. `eps` keeps lengths away from 0.
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
    """x [1,C] -> unit vector [1,C], scalar."""
    inverse_length = tf.rsqrt(tf.reduce_sum(x * x) + eps)
    return x * inverse_length, inverse_length
