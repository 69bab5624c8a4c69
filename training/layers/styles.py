"""What is done to latents and dlatents: labels, mapping, tracking, style mixing, truncation."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib import random
from dnnlib.tflib.inference import is_inference
from dnnlib.tflib.ops.conv2d import device_layout, dims
from dnnlib.tflib.tfutil import is_tf_expression, lerp
from training.layers.normalization import pixel_norm


def concat_label_embedding(x, labels):
    """Append a learned embedding as wide as x itself. x [N,C], labels [N,L] -> [N,2*C]."""
    with tf.variable_scope('LabelConcat'):
        shape = [labels.shape.as_list()[1], x.shape.as_list()[1]]
        w = tf.get_variable('weight', shape=shape, initializer=tf.initializers.random_normal())
        return tf.concat([x, tf.matmul(labels, tf.cast(w, x.dtype))], axis=1)


def map_latents(latents, labels, layer, num_layers, normalize=True, broadcast=None):
    """Mapping network (StyleGAN, Figure 1b), of layers layer(x, layer_idx).

    latents [N,C], labels [N,L], L may be 0 -> dlatents [N,W] or [N,broadcast,W], in the dtype of the latents.
    """
    x = latents
    if labels.shape.as_list()[1] > 0:
        x = concat_label_embedding(x, tf.cast(labels, x.dtype))
    if normalize:
        with tf.variable_scope('Normalize'):
            x = pixel_norm(x)
    return map_vectors(x, layer, num_layers, broadcast)


def map_vectors(x, layer, num_layers, broadcast=None):
    """The layers of `map_latents` after labels and normalization. x [N,C] -> [N,W] or [N,broadcast,W]."""
    for layer_idx in range(num_layers):
        with tf.variable_scope(f'Dense{layer_idx}'):
            x = layer(x, layer_idx)
    if broadcast is not None:
        with tf.variable_scope('Broadcast'):
            x = tf.broadcast_to(x[:, tf.newaxis], [dims(x)[0], broadcast, x.shape[1]])  # [N,L,W]
    return tf.identity(x, name='dlatents_out')


def plain_number(x) -> bool:
    """Is this neither None nor a TensorFlow expression?"""
    return x is not None and not is_tf_expression(x)


def track_dlatent_avg(dlatent_avg, dlatents, beta):
    """The dlatents [N,L,C] unchanged, moving the running mean of W towards this minibatch when evaluated:
    dlatent_avg <- lerp(batch mean, dlatent_avg, beta). dlatent_avg: variable [C]."""
    with tf.variable_scope('DlatentAvg'):
        batch_avg = tf.reduce_mean(dlatents[:, 0], axis=0)
        update = tf.assign(dlatent_avg, lerp(batch_avg, dlatent_avg, beta))
        with tf.control_dependencies([update]):
            return tf.identity(dlatents)


def mix_styles(dlatents, other_dlatents, probability, num_active_layers):
    """Style mixing (StyleGAN, Section 3.1): the layers from a random cutoff on take the other dlatents.

    dlatents, other_dlatents [N,L,C] -> [N,L,C]; `num_active_layers`: how many layers are in use, scalar int.
    One cutoff for the whole minibatch: with this probability uniform in 1..num_active_layers-1, else
    num_active_layers.
    """
    layers = tf.range(dlatents.shape.as_list()[1])[tf.newaxis, :, tf.newaxis]  # [1,L,1]
    cutoff = tf.cond(
        random.uniform([], 0.0, 1.0) < probability,
        lambda: random.uniform([], 1, num_active_layers, dtype=tf.int32),
        lambda: num_active_layers)
    keep = tf.broadcast_to(layers < cutoff, tf.shape(dlatents))
    return tf.where(keep, dlatents, other_dlatents)


def truncate(dlatents, dlatent_avg, psi, cutoff=None):
    """Truncation trick (StyleGAN, Section 4.1): dlatent_avg + psi * (dlatents - dlatent_avg).

    dlatents [N,L,C], dlatent_avg [C] -> [N,L,C]. Only the first `cutoff` layers change, None = all. psi and
    cutoff may be tensors.
    """
    layers = np.arange(dlatents.shape.as_list()[1])[np.newaxis, :, np.newaxis]  # [1,L,1]
    ones = np.ones(layers.shape, np.float32)
    psi = ones * psi
    if cutoff is not None:
        psi = tf.where(layers < cutoff, psi, ones)
    return lerp(dlatent_avg, dlatents, psi)


def styled_dlatents(mapping, latents, labels, dlatent_avg, lod, *, tracking_beta, mixing_prob, psi, cutoff):
    """mapping(latents, labels), tracked, mixed and truncated, each unless its number is None.

    -> float32 [N,L,C]. lod: scalar; mixing leaves out the layers that are not in use. The others: as in the
    functions above.
    """
    if mixing_prob is None:
        dlatents = mapping(latents, labels)
    else:  # one evaluation for both is faster than two
        both = tf.concat([latents, random.normal(tf.shape(latents))], axis=0)
        dlatents, other_dlatents = tf.split(mapping(both, tf.concat([labels, labels], axis=0)), 2)
    if tracking_beta is not None:
        dlatents = track_dlatent_avg(dlatent_avg, dlatents, tracking_beta)
    if mixing_prob is not None:
        with tf.variable_scope('StyleMix'):
            num_active_layers = dlatents.shape.as_list()[1] - 2 * tf.cast(lod, tf.int32)
            dlatents = mix_styles(dlatents, other_dlatents, mixing_prob, num_active_layers)
    if psi is not None:
        with tf.variable_scope('Truncation'):
            dlatents = truncate(dlatents, dlatent_avg, psi, cutoff)
    return dlatents


def synthesize(synthesis, dlatents, lod, **kwargs):
    """`images_out` of a synthesis network, which takes the lod over first if it grows. `kwargs`: of its build
    function."""
    def images_of(dlatents):
        return synthesis.get_output_for(dlatents, **kwargs)

    handover = [tf.assign(synthesis.vars['lod'], lod)] if 'lod' in synthesis.vars else []
    with tf.control_dependencies(handover):
        is_template = kwargs.get('force_clean_graph', False)
        on_cpu = device_layout(dlatents) == 'NHWC'
        if is_inference() and on_cpu and not is_template and synthesis.output_shape[2] >= _LARGE:
            images = _one_by_one(images_of, dlatents)
        else:
            images = images_of(dlatents)
    return tf.identity(images, name='images_out')


_LARGE = 128  # Resolution from which on the feature maps of a sample take more memory than the weights.


def _one_by_one(images_of, dlatents):
    """images_of(dlatents), one sample after the other.

    A CPU takes less memory and less time for that: with only one style the weights can be modulated, and they
    are smaller than large feature maps.
    """
    def add_image(i, images):
        return i + 1, images.write(i, images_of(dlatents[i][tf.newaxis])[0])

    num_images = tf.shape(dlatents)[0]
    images = tf.TensorArray(dlatents.dtype, size=num_images)
    _, images = tf.while_loop(lambda i, _: i < num_images, add_image, [0, images], parallel_iterations=1)
    return images.stack()
