"""Terms that losses of StyleGAN (`loss_stylegan`), StyleGAN2 (`loss`) and StyleGAN2-ADA (`loss_ada`) share.

Scores are [N,1]; sums over images and lengths are [N].
"""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib.autosummary import autosummary


def random_inputs(G, training_set, minibatch_size):
    """Draw random inputs of G. -> latents [N,latent_size], labels [N,label_size]."""
    latents = tflib.random.normal([minibatch_size, *G.input_shapes[0][1:]])
    return latents, training_set.get_random_labels_tf(minibatch_size)


def score_random_fakes(G, D, training_set, minibatch_size, **kwargs):
    """Return the list of outputs of G for random inputs, and the scores of its images."""
    latents, labels = random_inputs(G, training_set, minibatch_size)
    outputs = G.get_output_for(latents, labels, is_training=True, return_as_list=True, **kwargs)
    return outputs, D.get_output_for(outputs[0], labels, is_training=True)


def score_reals_and_fakes(G, D, minibatch_size, reals, labels):
    """Return fakes with the labels of the reals, and the scores of reals and fakes."""
    latents = tflib.random.normal([minibatch_size, *G.input_shapes[0][1:]])
    fakes = G.get_output_for(latents, labels, is_training=True)
    real_scores = autosummary('Loss/scores/real', D.get_output_for(reals, labels, is_training=True))
    fake_scores = autosummary('Loss/scores/fake', D.get_output_for(fakes, labels, is_training=True))
    return fakes, real_scores, fake_scores


def score_mixed_images(D, minibatch_size, reals, fakes, labels):
    """Return random mixtures of each real and fake image, and their scores (Gulrajani et al. 2017)."""
    mixed = mixed_images(minibatch_size, reals, fakes)
    return mixed, autosummary('Loss/scores/mixed', D.get_output_for(mixed, labels, is_training=True))


def mixed_images(minibatch_size, reals, fakes):
    """Return random mixtures of each real and fake image (Gulrajani et al. 2017). [N,C,H,W] -> [N,C,H,W]."""
    factors = tflib.random.uniform([minibatch_size, 1, 1, 1], 0, 1, dtype=fakes.dtype)
    return tflib.lerp(tf.cast(reals, fakes.dtype), fakes, factors)


def squared_length(grads):
    """Return the squared length of each image's gradient. [N,C,H,W] -> [N]."""
    return tf.reduce_sum(tf.square(grads), axis=[1, 2, 3])


def norm_penalty(grads, wgan_lambda, wgan_target):
    """Penalize gradients of other than the target length (Gulrajani et al. 2017, Eq. 3). -> [N]."""
    norms = autosummary('Loss/mixed_norms', tf.sqrt(squared_length(grads)))
    return distance_from_norm(norms, wgan_lambda, wgan_target)


def distance_from_norm(norms, wgan_lambda, wgan_target):
    """Return the weighted squared distance of norms from their target. [N] -> [N]."""
    return tf.square(norms - wgan_target) * (wgan_lambda / wgan_target ** 2)


def logistic(real_scores, fake_scores):
    """Return -log(1 - sigmoid(fake)) - log(sigmoid(real)) (Goodfellow et al. 2014)."""
    return tf.nn.softplus(fake_scores) + tf.nn.softplus(-real_scores)


def wasserstein(real_scores, fake_scores, wgan_epsilon):
    """Return fake - real (Arjovsky et al. 2017) with a drift penalty (Progressive GAN, Appendix A.1)."""
    epsilon_penalty = autosummary('Loss/epsilon_penalty', tf.square(real_scores))
    return fake_scores - real_scores + epsilon_penalty * wgan_epsilon


def path_lengths(G, images, dlatents):
    """Return |J^T y| for random y on the scale of an image (StyleGAN2, Eq. 4), root mean square over layers.

    images and dlatents [N,L,C] of one evaluation of G. -> [N].
    """
    noise = tflib.random.normal(tf.shape(images)) / np.sqrt(np.prod(G.output_shape[2:]))
    grads = tf.gradients(tf.reduce_sum(images * noise), [dlatents])[0]  # [N,L,C]
    return tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(grads), axis=2), axis=1))


def deviation_from_running_mean(lengths, decay):
    """Return the squared distance of each length from a running mean, variable `pl_mean` (StyleGAN2, Eq. 4).

    lengths [N]; decay: their share in the mean, which every evaluation updates first. -> [N].
    """
    with tf.control_dependencies(None):
        mean_var = tf.Variable(name='pl_mean', trainable=False, initial_value=0.0, dtype=tf.float32)
    # The mean follows the lengths, and gradients flow through it.
    mean = mean_var + decay * (tf.reduce_mean(lengths) - mean_var)
    # A length that is not finite spoils this step only, not all later ones.
    kept = tf.where(tf.is_finite(mean), mean, mean_var)
    with tf.control_dependencies([tf.assign(mean_var, kept)]):
        return tf.square(lengths - mean)
