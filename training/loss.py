"""Losses and regularizers of StyleGAN2. Each returns (loss, reg); reg is None if there is no regularizer.

loss is [minibatch, 1], reg is [minibatch]. The caller takes means over all elements, so that adding them
broadcasts without changing the result. Scores and penalties are recorded for TensorBoard.

Losses that only StyleGAN has can be imported from here, too; they return one tensor. Where both have a loss
of the same name, the one here is StyleGAN2's. StyleGAN2-ADA's, which compute the losses of both networks at
once, can also be imported from here; their names are their own.
"""

import tensorflow.compat.v1 as tf

from dnnlib.tflib.autosummary import autosummary
from training import loss_terms as terms
from training.loss_ada import (  # noqa: F401  (published names)
    cmethods,
    eval_D,
    eval_G,
    report_loss,
    report_stat,
    stylegan2,
    wgangp,
)
from training.loss_stylegan import (  # noqa: F401  (published names)
    D_hinge,
    D_hinge_gp,
    D_logistic_simplegp,
    G_logistic_nonsaturating,
    G_logistic_saturating,
    fp32,
)


def G_logistic(G, D, opt, training_set, minibatch_size):
    """Return the saturating logistic loss, log(1 - sigmoid(fake)) (Goodfellow et al. 2014)."""
    _, scores = terms.score_random_fakes(G, D, training_set, minibatch_size)
    return -tf.nn.softplus(scores), None


def G_logistic_ns(G, D, opt, training_set, minibatch_size):
    """Return the non-saturating logistic loss, -log(sigmoid(fake)) (Goodfellow et al. 2014)."""
    _, scores = terms.score_random_fakes(G, D, training_set, minibatch_size)
    return tf.nn.softplus(-scores), None


def G_wgan(G, D, opt, training_set, minibatch_size):
    """Return the Wasserstein loss, -fake (Arjovsky et al. 2017)."""
    _, scores = terms.score_random_fakes(G, D, training_set, minibatch_size)
    return -scores, None


def G_logistic_ns_pathreg(G, D, opt, training_set, minibatch_size,
    pl_minibatch_shrink = 2,                # Divisor of the minibatch size for the penalty. 1 = same images.
    pl_decay = 0.01,                        # Share of a minibatch's mean length in the running mean a.
    pl_weight = 2.0):                       # Weight of the penalty (|J^T y| - a)^2.
    """Return the non-saturating logistic loss and the path length penalty (StyleGAN2, Section 3.2, Eq. 4)."""
    (images, dlatents), scores = terms.score_random_fakes(
        G, D, training_set, minibatch_size, return_dlatents=True)
    loss = tf.nn.softplus(-scores)
    with tf.name_scope('PathReg'):
        if pl_minibatch_shrink > 1:
            latents, labels = terms.random_inputs(G, training_set, minibatch_size // pl_minibatch_shrink)
            images, dlatents = G.get_output_for(latents, labels, is_training=True, return_dlatents=True)
        pl_lengths = autosummary('Loss/pl_lengths', terms.path_lengths(G, images, dlatents))
        pl_penalty = autosummary('Loss/pl_penalty', terms.deviation_from_running_mean(pl_lengths, pl_decay))
    return loss, pl_penalty * pl_weight


def _gradient_penalty(scores, images, gamma):
    """Return gamma / 2 times the squared length of each score's gradient by its image. -> [N]."""
    with tf.name_scope('GradientPenalty'):
        grads = tf.gradients(tf.reduce_sum(scores), [images])[0]
        penalty = autosummary('Loss/gradient_penalty', terms.squared_length(grads))
    return penalty * (gamma * 0.5)


def D_logistic(G, D, opt, training_set, minibatch_size, reals, labels):
    """Return the logistic loss (Goodfellow et al. 2014)."""
    _, real_scores, fake_scores = terms.score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    return terms.logistic(real_scores, fake_scores), None


def D_logistic_r1(G, D, opt, training_set, minibatch_size, reals, labels, gamma=10.0):
    """Return the logistic loss and R1, the gradient penalty on real images (Mescheder et al. 2018, Eq. 9)."""
    _, real_scores, fake_scores = terms.score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    return terms.logistic(real_scores, fake_scores), _gradient_penalty(real_scores, reals, gamma)


def D_logistic_r2(G, D, opt, training_set, minibatch_size, reals, labels, gamma=10.0):
    """Return the logistic loss and R2, the gradient penalty on fakes (Mescheder et al. 2018, Eq. 10)."""
    fakes, real_scores, fake_scores = terms.score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    return terms.logistic(real_scores, fake_scores), _gradient_penalty(fake_scores, fakes, gamma)


def D_wgan(G, D, opt, training_set, minibatch_size, reals, labels,
    wgan_epsilon = 0.001):                  # Weight of the squared real scores, which prevents drift.
    """Return the Wasserstein loss (Arjovsky et al. 2017)."""
    _, real_scores, fake_scores = terms.score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    return terms.wasserstein(real_scores, fake_scores, wgan_epsilon), None


def D_wgan_gp(G, D, opt, training_set, minibatch_size, reals, labels,
    wgan_lambda = 10.0,                     # Weight of the gradient penalty, the paper's lambda.
    wgan_epsilon = 0.001,                   # Weight of the squared real scores, which prevents drift.
    wgan_target = 1.0):                     # Target length of the gradients.
    """Return the Wasserstein loss and a gradient penalty on mixed images (Gulrajani et al. 2017, Eq. 3)."""
    fakes, real_scores, fake_scores = terms.score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    with tf.name_scope('GradientPenalty'):
        mixed, mixed_scores = terms.score_mixed_images(D, minibatch_size, reals, fakes, labels)
        grads = tf.gradients(tf.reduce_sum(mixed_scores), [mixed])[0]
        reg = terms.norm_penalty(grads, wgan_lambda, wgan_target)
    return terms.wasserstein(real_scores, fake_scores, wgan_epsilon), reg
