"""Losses and regularizers of StyleGAN2: each returns (loss, reg), reg being None where there is none.

loss is [minibatch, 1], reg is [minibatch]. The caller takes means over all elements, so that adding them
broadcasts without changing the result. Scores and penalties are recorded for TensorBoard.

Losses that only StyleGAN has are reachable here, too, and return one tensor. Of those that both have under
one name, StyleGAN2's are here and StyleGAN's in `loss_stylegan`.
"""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.autosummary import autosummary
from training import loss_terms as terms
from training.loss_stylegan import (  # noqa: F401  (published names)
    D_hinge,
    D_hinge_gp,
    D_logistic_simplegp,
    G_logistic_nonsaturating,
    G_logistic_saturating,
    fp32,
)


def _squared_gradient(scores, images):
    """Squared length of the gradient of each score with respect to its image. -> [N]."""
    return terms.squared_length(tf.gradients(tf.reduce_sum(scores), [images])[0])


def G_logistic(G, D, opt, training_set, minibatch_size):
    """Saturating logistic loss: log(1 - sigmoid(fake)) (Goodfellow et al. 2014)."""
    _, scores = terms.score_random_fakes(G, D, training_set, minibatch_size)
    return -tf.nn.softplus(scores), None


def G_logistic_ns(G, D, opt, training_set, minibatch_size):
    """Non-saturating logistic loss: -log(sigmoid(fake)) (Goodfellow et al. 2014)."""
    _, scores = terms.score_random_fakes(G, D, training_set, minibatch_size)
    return tf.nn.softplus(-scores), None


def G_wgan(G, D, opt, training_set, minibatch_size):
    """Wasserstein loss: -fake (Arjovsky et al. 2017)."""
    _, scores = terms.score_random_fakes(G, D, training_set, minibatch_size)
    return -scores, None


def G_logistic_ns_pathreg(G, D, opt, training_set, minibatch_size,
    pl_minibatch_shrink = 2,                # Regularize with fresh latents, so many times fewer. 1 = same.
    pl_decay = 0.01,                        # How far a, the mean length, moves towards that of a minibatch.
    pl_weight = 2.0):                       # Factor of (|J^T y| - a)^2.
    """Non-saturating logistic loss with path length regularization (StyleGAN2, Section 3.2, Eq. 4)."""
    (images, dlatents), scores = terms.score_random_fakes(
        G, D, training_set, minibatch_size, return_dlatents=True)
    loss = tf.nn.softplus(-scores)
    with tf.name_scope('PathReg'):
        if pl_minibatch_shrink > 1:
            latents, labels = terms.random_inputs(G, training_set, minibatch_size // pl_minibatch_shrink)
            images, dlatents = G.get_output_for(latents, labels, is_training=True, return_dlatents=True)
        pl_lengths = _path_lengths(G, images, dlatents)
        with tf.control_dependencies(None):
            pl_mean_var = tf.Variable(name='pl_mean', trainable=False, initial_value=0.0, dtype=tf.float32)
        # The target moves with the lengths, and the gradient through it counts.
        pl_mean = pl_mean_var + pl_decay * (tf.reduce_mean(pl_lengths) - pl_mean_var)
        # A length that is not finite costs this step alone, and not all that follow.
        kept = tf.where(tf.is_finite(pl_mean), pl_mean, pl_mean_var)
        with tf.control_dependencies([tf.assign(pl_mean_var, kept)]):
            pl_penalty = autosummary('Loss/pl_penalty', tf.square(pl_lengths - pl_mean))
    return loss, pl_penalty * pl_weight


def _path_lengths(G, images, dlatents):
    """|J^T y|, root mean square over layers, for random y of the scale of an image (Eq. 4). -> [N]."""
    noise = tflib.random.normal(tf.shape(images)) / np.sqrt(np.prod(G.output_shape[2:]))
    grads = tf.gradients(tf.reduce_sum(images * noise), [dlatents])[0]  # [N,L,C]
    lengths = tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(grads), axis=2), axis=1))
    return autosummary('Loss/pl_lengths', lengths)


def D_logistic(G, D, opt, training_set, minibatch_size, reals, labels):
    """Logistic loss (Goodfellow et al. 2014)."""
    _, real_scores, fake_scores = terms.score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    return terms.logistic(real_scores, fake_scores), None


def D_logistic_r1(G, D, opt, training_set, minibatch_size, reals, labels, gamma=10.0):
    """Logistic loss with R1, the gradient penalty on real images (Mescheder et al. 2018, Eq. 9)."""
    _, real_scores, fake_scores = terms.score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    with tf.name_scope('GradientPenalty'):
        penalty = autosummary('Loss/gradient_penalty', _squared_gradient(real_scores, reals))
    return terms.logistic(real_scores, fake_scores), penalty * (gamma * 0.5)


def D_logistic_r2(G, D, opt, training_set, minibatch_size, reals, labels, gamma=10.0):
    """Logistic loss with R2, the gradient penalty on generated images (Mescheder et al. 2018, Eq. 10)."""
    fakes, real_scores, fake_scores = terms.score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    with tf.name_scope('GradientPenalty'):
        penalty = autosummary('Loss/gradient_penalty', _squared_gradient(fake_scores, fakes))
    return terms.logistic(real_scores, fake_scores), penalty * (gamma * 0.5)


def D_wgan(G, D, opt, training_set, minibatch_size, reals, labels,
    wgan_epsilon = 0.001):                  # Factor of the reals' squared scores: keeps them from drifting.
    """Wasserstein loss (Arjovsky et al. 2017)."""
    _, real_scores, fake_scores = terms.score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    return terms.wasserstein(real_scores, fake_scores, wgan_epsilon), None


def D_wgan_gp(G, D, opt, training_set, minibatch_size, reals, labels,
    wgan_lambda = 10.0,                     # lambda, the factor of the gradient penalty.
    wgan_epsilon = 0.001,                   # Factor of the reals' squared scores: keeps them from drifting.
    wgan_target = 1.0):                     # Length that gradients should have.
    """Wasserstein loss with gradient penalty on mixed images (Gulrajani et al. 2017, Eq. 3)."""
    fakes, real_scores, fake_scores = terms.score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    with tf.name_scope('GradientPenalty'):
        mixed, mixed_scores = terms.score_mixed_images(D, minibatch_size, reals, fakes, labels)
        grads = tf.gradients(tf.reduce_sum(mixed_scores), [mixed])[0]
        reg = terms.norm_penalty(grads, wgan_lambda, wgan_target)
    return terms.wasserstein(real_scores, fake_scores, wgan_epsilon), reg
