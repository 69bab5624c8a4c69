"""Losses of StyleGAN, also used for Progressive GAN. Each returns one tensor that includes all penalties.

A loss is [minibatch, 1]. Adding a gradient penalty [minibatch] makes it [minibatch, minibatch], whose mean is
mean(loss) + mean(penalty). Losses are float32 whatever the networks compute in. Scores and penalties are
recorded for TensorBoard.
"""

import tensorflow.compat.v1 as tf

from dnnlib.tflib.autosummary import autosummary
from training import loss_terms as terms


def fp32(*values):
    """Cast values to float32. One value -> a tensor; several, or one tuple of them -> a tuple."""
    if len(values) == 1 and isinstance(values[0], tuple):
        values = values[0]
    values = tuple(tf.cast(value, tf.float32) for value in values)
    return values if len(values) >= 2 else values[0]


def _score_random_fakes(G, D, training_set, minibatch_size):
    """Return the float32 scores of generated images. -> [N,1]."""
    return fp32(terms.score_random_fakes(G, D, training_set, minibatch_size)[1])


def _score_reals_and_fakes(G, D, minibatch_size, reals, labels):
    """Return fakes, and float32 scores of reals and fakes."""
    fakes, *scores = terms.score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    return fakes, *fp32(*scores)


def _gradient(opt, scores, images):
    """Return the float32 gradient of each float32 score with respect to its image.

    Loss scaling by `opt` keeps small gradients from vanishing in half precision; the result is not scaled.
    """
    total = opt.apply_loss_scaling(tf.reduce_sum(scores))
    return opt.undo_loss_scaling(fp32(tf.gradients(total, [images])[0]))


def _mixed_penalty(D, opt, minibatch_size, reals, fakes, labels, wgan_lambda, wgan_target):
    """Return the gradient penalty on mixed images (Gulrajani et al. 2017, Eq. 3). -> [N]."""
    with tf.name_scope('GradientPenalty'):
        mixed, scores = terms.score_mixed_images(D, minibatch_size, reals, fakes, labels)
        return terms.norm_penalty(_gradient(opt, fp32(scores), mixed), wgan_lambda, wgan_target)


def _simple_penalty(name, opt, scores, images, gamma):
    """Return gamma / 2 times the squared length of each score's gradient, recorded by this name. -> [N]."""
    with tf.name_scope('GradientPenalty'):
        penalty = autosummary(name, terms.squared_length(_gradient(opt, scores, images)))
    return penalty * (gamma * 0.5)


def _hinge(real_scores, fake_scores):
    """Return the hinge loss, 0 for reals above 1 and fakes below -1 (Lim and Ye 2017)."""
    return tf.maximum(0.0, 1.0 + fake_scores) + tf.maximum(0.0, 1.0 - real_scores)


def G_wgan(G, D, opt, training_set, minibatch_size):
    """Return the Wasserstein loss, -fake (Arjovsky et al. 2017)."""
    return -_score_random_fakes(G, D, training_set, minibatch_size)


def G_logistic_saturating(G, D, opt, training_set, minibatch_size):
    """Return the saturating logistic loss, log(1 - sigmoid(fake)) (Goodfellow et al. 2014)."""
    return -tf.nn.softplus(_score_random_fakes(G, D, training_set, minibatch_size))


def G_logistic_nonsaturating(G, D, opt, training_set, minibatch_size):
    """Return the non-saturating logistic loss, -log(sigmoid(fake)) (Goodfellow et al. 2014)."""
    return tf.nn.softplus(-_score_random_fakes(G, D, training_set, minibatch_size))


def D_wgan(G, D, opt, training_set, minibatch_size, reals, labels,
    wgan_epsilon = 0.001):                  # Weight of the squared real scores, which prevents drift.
    """Return the Wasserstein loss (Arjovsky et al. 2017)."""
    _, real_scores, fake_scores = _score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    return terms.wasserstein(real_scores, fake_scores, wgan_epsilon)


def D_wgan_gp(G, D, opt, training_set, minibatch_size, reals, labels,
    wgan_lambda = 10.0,                     # Weight of the gradient penalty, the paper's lambda.
    wgan_epsilon = 0.001,                   # Weight of the squared real scores, which prevents drift.
    wgan_target = 1.0):                     # Target length of the gradients.
    """Return the Wasserstein loss plus a gradient penalty on mixed images (Gulrajani et al. 2017, Eq. 3)."""
    fakes, real_scores, fake_scores = _score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    penalty = _mixed_penalty(D, opt, minibatch_size, reals, fakes, labels, wgan_lambda, wgan_target)
    return terms.wasserstein(real_scores, fake_scores, wgan_epsilon) + penalty


def D_hinge(G, D, opt, training_set, minibatch_size, reals, labels):
    """Return the hinge loss (Lim and Ye 2017)."""
    _, real_scores, fake_scores = _score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    return _hinge(real_scores, fake_scores)


def D_hinge_gp(G, D, opt, training_set, minibatch_size, reals, labels,
    wgan_lambda = 10.0,                     # Weight of the gradient penalty, the paper's lambda.
    wgan_target = 1.0):                     # Target length of the gradients.
    """Return the hinge loss plus a gradient penalty on mixed images (Gulrajani et al. 2017, Eq. 3)."""
    fakes, real_scores, fake_scores = _score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    penalty = _mixed_penalty(D, opt, minibatch_size, reals, fakes, labels, wgan_lambda, wgan_target)
    return _hinge(real_scores, fake_scores) + penalty


def D_logistic(G, D, opt, training_set, minibatch_size, reals, labels):
    """Return the logistic loss (Goodfellow et al. 2014)."""
    _, real_scores, fake_scores = _score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    return terms.logistic(real_scores, fake_scores)


def D_logistic_simplegp(G, D, opt, training_set, minibatch_size, reals, labels,
    r1_gamma = 10.0,                        # Weight of R1, on reals. 0 = off.
    r2_gamma = 0.0):                        # Weight of R2, on fakes. 0 = off.
    """Return the logistic loss plus the gradient penalties R1 and R2 (Mescheder et al. 2018, Eq. 9, 10)."""
    fakes, real_scores, fake_scores = _score_reals_and_fakes(G, D, minibatch_size, reals, labels)
    loss = terms.logistic(real_scores, fake_scores)
    if r1_gamma != 0.0:
        loss += _simple_penalty('Loss/r1_penalty', opt, real_scores, reals, r1_gamma)
    if r2_gamma != 0.0:
        loss += _simple_penalty('Loss/r2_penalty', opt, fake_scores, fakes, r2_gamma)
    return loss
