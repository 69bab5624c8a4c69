"""What the losses of StyleGAN (`loss_stylegan`) and of StyleGAN2 (`loss`) have in common.

Scores are [N,1]; whatever is summed or measured over images is [N].
"""

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.autosummary import autosummary


def random_inputs(G, training_set, minibatch_size):
    """-> latents [N,latent_size], labels [N,label_size] drawn at random."""
    latents = tflib.random.normal([minibatch_size, *G.input_shapes[0][1:]])
    return latents, training_set.get_random_labels_tf(minibatch_size)


def score_random_fakes(G, D, training_set, minibatch_size, **kwargs):
    """-> what G returns for random inputs, and the scores of its images."""
    latents, labels = random_inputs(G, training_set, minibatch_size)
    outputs = G.get_output_for(latents, labels, is_training=True, return_as_list=True, **kwargs)
    return outputs, D.get_output_for(outputs[0], labels, is_training=True)


def score_reals_and_fakes(G, D, minibatch_size, reals, labels):
    """-> fakes and the scores of both; the fakes have the labels of the reals."""
    latents = tflib.random.normal([minibatch_size, *G.input_shapes[0][1:]])
    fakes = G.get_output_for(latents, labels, is_training=True)
    real_scores = autosummary('Loss/scores/real', D.get_output_for(reals, labels, is_training=True))
    fake_scores = autosummary('Loss/scores/fake', D.get_output_for(fakes, labels, is_training=True))
    return fakes, real_scores, fake_scores


def score_mixed_images(D, minibatch_size, reals, fakes, labels):
    """-> images between each real one and a fake one, and their scores (Gulrajani et al. 2017)."""
    factors = tflib.random.uniform([minibatch_size, 1, 1, 1], 0, 1, dtype=fakes.dtype)
    mixed = tflib.lerp(tf.cast(reals, fakes.dtype), fakes, factors)
    return mixed, autosummary('Loss/scores/mixed', D.get_output_for(mixed, labels, is_training=True))


def squared_length(grads):
    """Squared length of the gradient of each image. [N,C,H,W] -> [N]."""
    return tf.reduce_sum(tf.square(grads), axis=[1, 2, 3])


def norm_penalty(grads, wgan_lambda, wgan_target):
    """Penalty on gradients that do not have the target length (Gulrajani et al. 2017, Eq. 3). -> [N]."""
    norms = autosummary('Loss/mixed_norms', tf.sqrt(squared_length(grads)))
    return tf.square(norms - wgan_target) * (wgan_lambda / wgan_target ** 2)


def logistic(real_scores, fake_scores):
    """-log(1 - sigmoid(fake)) - log(sigmoid(real)) (Goodfellow et al. 2014)."""
    return tf.nn.softplus(fake_scores) + tf.nn.softplus(-real_scores)


def wasserstein(real_scores, fake_scores, wgan_epsilon):
    """Wasserstein critic (Arjovsky et al. 2017), kept from drifting (Progressive GAN, Appendix A.1)."""
    epsilon_penalty = autosummary('Loss/epsilon_penalty', tf.square(real_scores))
    return fake_scores - real_scores + epsilon_penalty * wgan_epsilon
