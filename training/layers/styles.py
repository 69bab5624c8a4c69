"""The head that all style-based generators share, from latents to dlatents to images."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib import random, xla
from dnnlib.tflib.inference import is_inference
from dnnlib.tflib.ops.conv2d import device_layout
from dnnlib.tflib.ops.shapes import dims
from dnnlib.tflib.tfutil import is_tf_expression, lerp

_LARGE = 128  # From 128x128 pixels on, the feature maps of one sample outweigh the weights.


def make_components(components, mapping_func, synthesis_func, kwargs):
    """Create the sub-networks of a generator, `synthesis` and `mapping`, unless they exist already."""
    assert isinstance(components, dnnlib.EasyDict)
    if 'synthesis' not in components:
        components.synthesis = tflib.Network('G_synthesis', func_name=synthesis_func, **kwargs)
    if 'mapping' not in components:
        components.mapping = tflib.Network('G_mapping', func_name=mapping_func,
                                           dlatent_broadcast=components.synthesis.input_shape[1], **kwargs)


def concat_label_embedding(x, labels):
    """Append a learned embedding as wide as x. x [N,C], labels [N,L] -> [N,2*C]."""
    with tf.variable_scope('LabelConcat'):
        shape = [labels.shape.as_list()[1], x.shape.as_list()[1]]
        w = tf.get_variable('weight', shape=shape, initializer=tf.initializers.random_normal())
        return tf.concat([x, tf.matmul(tf.cast(labels, x.dtype), tf.cast(w, x.dtype))], axis=1)


def broadcast_dlatents(x, num_layers):
    """Repeat w [N,C] for every layer, unless `num_layers` is None. -> `dlatents_out` [N,L,C] or [N,C]."""
    if num_layers is not None:
        with tf.variable_scope('Broadcast'):
            x = tf.broadcast_to(x[:, tf.newaxis], [dims(x)[0], num_layers, x.shape[1]])  # [N,L,C]
    return tf.identity(x, name='dlatents_out')


def styled_dlatents(components, latents, labels, lod, *, is_training, tracking_beta, mixing_prob, psi, cutoff,
                    kwargs):
    """Map latents to dlatents, which are tracked and mixed in training and truncated otherwise.

    Creates the variable `dlatent_avg` [C], the running mean of W. lod: scalar; inactive layers do not take
    part in mixing. kwargs: for the mapping network. -> float32 [N,L,C].
    """
    dlatent_avg = tf.get_variable('dlatent_avg', shape=components.synthesis.input_shape[2:],
                                  initializer=tf.initializers.zeros(), trainable=False)

    def mapping(latents, labels):
        dlatents = components.mapping.get_output_for(latents, labels, is_training=is_training, **kwargs)
        return tf.cast(dlatents, tf.float32)

    if not is_training:
        return truncate(mapping(latents, labels), dlatent_avg, psi, cutoff)
    if mixing_prob is None or (not is_tf_expression(mixing_prob) and mixing_prob <= 0):
        return track_dlatent_avg(dlatent_avg, mapping(latents, labels), tracking_beta)
    both = tf.concat([latents, random.normal(tf.shape(latents))], axis=0)  # faster than two evaluations
    dlatents, other_dlatents = tf.split(mapping(both, tf.concat([labels, labels], axis=0)), 2)
    dlatents = track_dlatent_avg(dlatent_avg, dlatents, tracking_beta)
    return mix_styles(dlatents, other_dlatents, mixing_prob, lod)


def track_dlatent_avg(dlatent_avg, dlatents, beta):
    """Return the dlatents [N,L,C] unchanged and update dlatent_avg [C] whenever they are evaluated:
    dlatent_avg <- lerp(batch mean, dlatent_avg, beta). A beta of None or 1 means no update."""
    if beta is None or (not is_tf_expression(beta) and beta == 1):
        return dlatents
    with tf.variable_scope('DlatentAvg'):
        batch_avg = tf.reduce_mean(dlatents[:, 0], axis=0)
        update = tf.assign(dlatent_avg, lerp(batch_avg, dlatent_avg, beta))
        with tf.control_dependencies([update]):
            return tf.identity(dlatents)


def mix_styles(dlatents, other_dlatents, probability, lod):
    """Replace all layers from a random cutoff on by those of other dlatents (StyleGAN, Section 3.1).

    dlatents, other_dlatents [N,L,C] -> [N,L,C]. All samples share the cutoff. With this probability, it is
    uniform in 1..A-1; otherwise it is A = L - 2 * int(lod), the number of active layers.
    """
    with tf.variable_scope('StyleMix'):
        num_layers = dlatents.shape.as_list()[1]
        num_active_layers = num_layers - 2 * tf.cast(lod, tf.int32)
        layers = tf.range(num_layers)[tf.newaxis, :, tf.newaxis]  # [1,L,1]
        cutoff = tf.cond(
            random.uniform([], 0.0, 1.0) < probability,
            lambda: random.uniform([], 1, num_active_layers, dtype=tf.int32),
            lambda: num_active_layers)
        keep = tf.broadcast_to(layers < cutoff, tf.shape(dlatents))
        return tf.where(keep, dlatents, other_dlatents)


def truncate(dlatents, dlatent_avg, psi, cutoff):
    """Truncation trick (StyleGAN, Section 4.1): dlatent_avg + psi * (dlatents - dlatent_avg).

    dlatents [N,L,C], dlatent_avg [C] -> [N,L,C]. Only the first `cutoff` layers change, all if it is None. A
    psi of None or 1 means no truncation. psi and cutoff may be tensors.
    """
    if psi is None or (not is_tf_expression(psi) and psi == 1):
        return dlatents
    with tf.variable_scope('Truncation'):
        layers = np.arange(dlatents.shape.as_list()[1])[np.newaxis, :, np.newaxis]  # [1,L,1]
        ones = np.ones(layers.shape, np.float32)
        psi = ones * psi
        if cutoff is not None:
            psi = tf.where(layers < cutoff, psi, ones)
        return lerp(dlatent_avg, dlatents, psi)


def synthesize(synthesis, dlatents, lod, **kwargs):
    """Return `images_out` of a synthesis network, with its level of detail set to `lod` if it grows.

    kwargs: for the synthesis network.
    """
    def images_of(dlatents):
        return synthesis.get_output_for(dlatents, **kwargs)

    updates = [tf.assign(synthesis.vars['lod'], lod)] if 'lod' in synthesis.vars else []
    with tf.control_dependencies(updates):
        is_template = kwargs.get('force_clean_graph', False)
        on_cpu = device_layout(dlatents) == 'NHWC'
        is_large = np.prod(synthesis.output_shape[2:]) >= _LARGE ** 2
        if is_inference() and on_cpu and not is_template and is_large and not xla.is_enabled():
            images = _one_by_one(images_of, dlatents)
        else:
            images = images_of(dlatents)
    return tf.identity(images, name='images_out')


def _one_by_one(images_of, dlatents):
    """Evaluate images_of(dlatents) one sample at a time.

    This takes less memory and time on a CPU: a single style can modulate the weights, which are smaller than
    large feature maps.
    """
    def add_image(i, images):
        return i + 1, images.write(i, images_of(dlatents[i][tf.newaxis])[0])

    num_images = tf.shape(dlatents)[0]
    images = tf.TensorArray(dlatents.dtype, size=num_images)
    _, images = tf.while_loop(lambda i, _: i < num_images, add_image, [0, images], parallel_iterations=1)
    return images.stack()
