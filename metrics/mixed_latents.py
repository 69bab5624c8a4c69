"""Images of several latents each, for the table of mixing regularization (StyleGAN, section 3.1, Table 2)."""

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from metrics import sampling
from training.layers.styles import synthesize


def check_generator(Gs, num_latents, metric_name, network_name):
    """Raise UserError unless a generator has a layer for each of `num_latents` latents."""
    num_layers = Gs.components.synthesis.input_shape[1]
    if num_layers < num_latents:
        raise UserError(f'{network_name}: {metric_name} needs at least {num_latents} layers with a '
                        f'style, and this generator has {num_layers}; choose a larger one')


def random_crossovers(count, num_latents, num_layers):
    """Draw the layers where the next latent takes over, sorted: num_latents - 1 of the layers from the second
    on, all combinations being equally likely. -> int32 [count,num_latents-1]"""
    if num_latents == 1:
        return tf.zeros([count, 0], tf.int32)
    # The indices of the largest of independent numbers are a sample without replacement.
    numbers = tflib.random.uniform([count, num_layers - 1])
    return tf.sort(tf.nn.top_k(numbers, num_latents - 1).indices + 1, axis=1)


def mix(dlatents, crossovers):
    """Mix dlatents [K,N,L,C] at sorted crossovers [N,K-1] -> [N,L,C]: an image takes the layers before its
    first crossover from its first dlatents, those from there to its second crossover from its second, etc."""
    layers = tf.range(dlatents.shape.as_list()[2])[tf.newaxis, :, tf.newaxis]  # [1,L,1]
    passed = crossovers[:, tf.newaxis] <= layers  # [N,L,K-1]
    segments = tf.reduce_sum(tf.cast(passed, tf.int32), axis=2)  # [N,L]
    by_layer = tf.transpose(dlatents, [1, 2, 0, 3])  # [N,L,K,C]
    return tf.gather(by_layer, segments, axis=2, batch_dims=2)


def random_images(Gs, labels, count, Gs_kwargs, num_latents):
    """Return a tensor of images [count,C,H,W] of `num_latents` random latents each, all mapped with the
    image's label [count,label_size], without truncation."""
    components = Gs.components
    num_layers, dlatent_size = components.synthesis.input_shape[1:]
    latents = sampling.random_latents(Gs, num_latents * count)
    labels = tf.tile(labels, [num_latents, 1])
    dlatents = components.mapping.get_output_for(latents, labels, **Gs_kwargs)
    dlatents = tf.reshape(tf.cast(dlatents, tf.float32),
                          [num_latents, count, num_layers, dlatent_size])  # [K*N,L,C] -> [K,N,L,C]
    mixed = mix(dlatents, random_crossovers(count, num_latents, num_layers))
    return synthesize(components.synthesis, mixed, Gs.vars.get('lod'), **Gs_kwargs)
