"""Images of several latents each, for the table of mixing regularization (StyleGAN, section 3.1, Table 2)."""

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from metrics import sampling
from training.layers.styles import synthesize


def check_generator(Gs, num_latents, metric_name, network_name):
    """Raise UserError unless each of `num_latents` latents can have a layer of its own."""
    num_layers = Gs.components.synthesis.input_shape[1]
    if num_layers < num_latents:
        raise UserError(f'{network_name}: {metric_name} needs a layer for each of {num_latents} latents, and '
                        f'this generator has {num_layers} with a style of its own; choose a larger one')


def random_crossovers(count, num_latents, num_layers):
    """For each of `count` images the layers where the next latent takes over: num_latents - 1 different ones
    of 1 ... num_layers - 1, each set as likely as any other. -> int32 [count,num_latents-1], sorted."""
    if num_latents == 1:
        return tf.zeros([count, 0], tf.int32)
    # The places of the largest of independent numbers are a sample without replacement.
    lots = tflib.random.uniform([count, num_layers - 1])
    return tf.sort(tf.nn.top_k(lots, num_latents - 1).indices + 1, axis=1)


def mix(dlatents, crossovers):
    """dlatents [K,N,L,C] and sorted crossovers [N,K-1] -> [N,L,C]: the layers of an image come from its first
    dlatents up to its first crossover, which is the first layer of its second dlatents, and so on."""
    layers = tf.range(dlatents.shape.as_list()[2])[tf.newaxis, :, tf.newaxis]  # [1,L,1]
    passed = crossovers[:, tf.newaxis] <= layers  # [N,L,K-1]
    segments = tf.reduce_sum(tf.cast(passed, tf.int32), axis=2)  # [N,L]
    by_layer = tf.transpose(dlatents, [1, 2, 0, 3])  # [N,L,K,C]
    return tf.gather(by_layer, segments, axis=2, batch_dims=2)


def random_images(Gs, labels, count, Gs_kwargs, num_latents):
    """Images [count,C,H,W] of `num_latents` random latents each, all mapped with the image's own label
    [count,label_size], without truncation."""
    components = Gs.components
    num_layers, dlatent_size = components.synthesis.input_shape[1:]
    latents = sampling.random_latents(Gs, num_latents * count)
    labels = tf.tile(labels, [num_latents, 1])
    dlatents = components.mapping.get_output_for(latents, labels, **Gs_kwargs)
    dlatents = tf.reshape(tf.cast(dlatents, tf.float32),
                          [num_latents, count, num_layers, dlatent_size])  # [K*N,L,C] -> [K,N,L,C]
    mixed = mix(dlatents, random_crossovers(count, num_latents, num_layers))
    return synthesize(components.synthesis, mixed, Gs.vars.get('lod'), **Gs_kwargs)
