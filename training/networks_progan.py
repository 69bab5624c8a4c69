"""Networks of Progressive GAN (Karras et al. 2018, "Progressive Growing of GANs"), as StyleGAN ships them."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.conv2d import change_layout, device_layout
from dnnlib.tflib.ops.stylegan_resampling import downscale2d, upscale2d
from training.layers.growth import choose_structure, grow_features, grow_image, level_of_detail
from training.layers.minibatch_stddev import minibatch_stddev_layer
from training.layers.normalization import pixel_norm
from training.layers.stages import Fmaps, log2_of_resolution
from training.layers.stylegan import (
    apply_bias,
    conv2d,
    conv2d_downscale2d,
    dense,
    leaky_relu,
    upscale2d_conv2d,
)

__all__ = ['D_paper', 'G_paper']


@dataclass(frozen=True)
class _Layers:
    """What the layers of the generator share."""
    use_wscale: bool
    use_pixelnorm: bool
    pixelnorm_epsilon: float
    use_leakyrelu: bool
    fused_scale: bool
    data_format: str


def _bias_act_norm(x, layers):
    """Bias, activation, pixel norm. Same shape as x."""
    x = apply_bias(x, data_format=layers.data_format)
    x = leaky_relu(x) if layers.use_leakyrelu else tf.nn.relu(x)
    if layers.use_pixelnorm:
        x = pixel_norm(x, layers.pixelnorm_epsilon, data_format=layers.data_format)
    return x


def _conv_layer(x, layers, fmaps):
    """3x3 convolution with all that follows it. x [N,C,H,W] -> [N,fmaps,H,W]."""
    x = conv2d(x, fmaps=fmaps, kernel=3, use_wscale=layers.use_wscale, data_format=layers.data_format)
    return _bias_act_norm(x, layers)


def _first_block(combo, layers, fmaps, normalize_latents):
    """From latents with labels [N,C] to [N,fmaps,4,4]."""
    with tf.variable_scope('4x4'):
        x = combo
        if normalize_latents:
            with tf.variable_scope('PixelNorm'):
                x = pixel_norm(x, layers.pixelnorm_epsilon)
        with tf.variable_scope('Dense'):
            # A quarter of the gain elsewhere, as published.
            x = dense(x, fmaps=fmaps * 16, gain=np.sqrt(2) / 4, use_wscale=layers.use_wscale)
            x = tf.reshape(x, [-1, fmaps, 4, 4])  # [N,C*16] -> [N,C,4,4]
            x = _bias_act_norm(change_layout(x, 'NCHW', layers.data_format), layers)
        with tf.variable_scope('Conv'):
            return _conv_layer(x, layers, fmaps)


def _up_block(x, layers, fmaps):
    """Two layers at twice the resolution. x [N,C,H,W] -> [N,fmaps,2*H,2*W]."""
    if layers.fused_scale:
        with tf.variable_scope('Conv0_up'):
            x = upscale2d_conv2d(x, fmaps=fmaps, kernel=3, fused_scale=True, use_wscale=layers.use_wscale,
                                 data_format=layers.data_format)
            x = _bias_act_norm(x, layers)
    else:
        x = upscale2d(x, data_format=layers.data_format)
        with tf.variable_scope('Conv0'):
            x = _conv_layer(x, layers, fmaps)
    with tf.variable_scope('Conv1'):
        return _conv_layer(x, layers, fmaps)


def G_paper(
    latents_in,                             # z [N, latent_size], standard normal.
    labels_in,                              # Labels of the images, [N, label_size].
    num_channels = 1,                       # Channels of an image, 3 = RGB, 1 = grey.
    resolution = 32,                        # Side of an image in pixels, a power of two.
    label_size = 0,                         # Components of a label, 0 = no labels.
    fmap_base = 8192,                       # Feature maps that 2x2 pixels would have if nothing limited them.
    fmap_decay = 1.0,                       # Feature maps shrink by 2^fmap_decay where the side doubles.
    fmap_max = 512,                         # Every layer has this many feature maps at most.
    latent_size = None,                     # Components of z. None = nf(0).
    normalize_latents = True,               # Scale z, with its label, to a mean square of 1?
    use_wscale = True,                      # Scale weights when they are used (equalized learning rate)?
    use_pixelnorm = True,                   # Scale the features of a pixel to a mean square of 1?
    pixelnorm_epsilon = 1e-8,               # Added to the mean square there.
    use_leakyrelu = True,                   # Leaky ReLU with slope 0.2? False = ReLU.
    dtype = 'float32',                      # Of activations and output. Variables are float32.
    fused_scale = True,                     # Upscale inside the convolution? Weights go with one way only.
    structure = None,                       # How it grows: 'linear', 'recursive' or None = 'auto'.
    is_template_graph = False,              # True in the call by which Network creates the variables.
    **_kwargs):                             # Without effect.
    """Growing generator: latents -> images [minibatch, num_channels, resolution, resolution]."""
    structure = choose_structure(structure, is_template_graph)
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, fmap_max)
    latents_in.set_shape([None, nf(0) if latent_size is None else latent_size])
    labels_in.set_shape([None, label_size])
    data_format = device_layout(latents_in)
    layers = _Layers(use_wscale, use_pixelnorm, pixelnorm_epsilon, use_leakyrelu, fused_scale, data_format)
    combo = tf.cast(tf.concat([latents_in, labels_in], axis=1), dtype)
    lod = level_of_detail(dtype)

    def block(res_log2, x):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            return _up_block(x, layers, nf(res_log2 - 1))

    def to_rgb(res_log2, x):
        with tf.variable_scope(f'ToRGB_lod{resolution_log2 - res_log2}'):
            x = conv2d(x, fmaps=num_channels, kernel=1, gain=1, use_wscale=use_wscale,
                       data_format=data_format)
            return apply_bias(x, data_format=data_format)

    def upscale(y, factor):
        return upscale2d(y, factor, data_format=data_format)

    x = _first_block(combo, layers, nf(1), normalize_latents)
    images_out = grow_image(x, lod, structure, resolution_log2, block, to_rgb, upscale)
    images_out = change_layout(images_out, data_format, 'NCHW')
    assert images_out.dtype == tf.as_dtype(dtype)
    return tf.identity(images_out, name='images_out')


@dataclass(frozen=True)
class _Critic:
    """What the layers of the discriminator share."""
    use_wscale: bool
    fused_scale: bool
    data_format: str


def _critic_conv(x, critic, fmaps, kernel):
    """Convolution, bias, activation. x [N,C,H,W] -> [N,fmaps,H,W]."""
    x = conv2d(x, fmaps=fmaps, kernel=kernel, use_wscale=critic.use_wscale, data_format=critic.data_format)
    return leaky_relu(apply_bias(x, data_format=critic.data_format))


def _critic_block(x, critic, fmaps, out_fmaps):
    """Two layers, the second one to half the resolution. x [N,C,H,W] -> [N,out_fmaps,H/2,W/2].

    Fused, the images shrink before bias and activation, otherwise after them.
    """
    with tf.variable_scope('Conv0'):
        x = _critic_conv(x, critic, fmaps=fmaps, kernel=3)
    if critic.fused_scale:
        with tf.variable_scope('Conv1_down'):
            x = conv2d_downscale2d(x, fmaps=out_fmaps, kernel=3, fused_scale=True,
                                   use_wscale=critic.use_wscale, data_format=critic.data_format)
            return leaky_relu(apply_bias(x, data_format=critic.data_format))
    with tf.variable_scope('Conv1'):
        x = _critic_conv(x, critic, fmaps=out_fmaps, kernel=3)
    return downscale2d(x, data_format=critic.data_format)


def _critic_tail(x, critic, nf, mbstd_group_size):
    """From 4x4 feature maps to scores [N,1]."""
    with tf.variable_scope('4x4'):
        if mbstd_group_size > 1:
            with tf.variable_scope('MinibatchStddev'):
                x = minibatch_stddev_layer(x, mbstd_group_size, data_format=critic.data_format)
        with tf.variable_scope('Conv'):
            x = _critic_conv(x, critic, fmaps=nf(1), kernel=3)
        with tf.variable_scope('Dense0'):
            x = dense(x, fmaps=nf(0), use_wscale=critic.use_wscale, data_format=critic.data_format)
            x = leaky_relu(apply_bias(x))
        with tf.variable_scope('Dense1'):
            return apply_bias(dense(x, fmaps=1, gain=1, use_wscale=critic.use_wscale))


def D_paper(
    images_in,                              # Images [N, num_channels, resolution, resolution].
    labels_in,                              # Labels [N, label_size], which the scores do not depend on.
    num_channels = 1,                       # Channels of an image, 3 = RGB, 1 = grey.
    resolution = 32,                        # Side of an image in pixels, a power of two.
    label_size = 0,                         # Components of a label, 0 = no labels.
    fmap_base = 8192,                       # Feature maps that 2x2 pixels would have if nothing limited them.
    fmap_decay = 1.0,                       # Feature maps shrink by 2^fmap_decay where the side doubles.
    fmap_max = 512,                         # Every layer has this many feature maps at most.
    use_wscale = True,                      # Scale weights when they are used (equalized learning rate)?
    mbstd_group_size = 4,                   # Minibatch stddev: samples in a group, 1 = no such layer.
    dtype = 'float32',                      # Of activations and output. Variables are float32.
    fused_scale = True,                     # Downscale inside the convolution? Weights go with one way only.
    structure = None,                       # How it grows: 'linear', 'recursive' or None = 'auto'.
    is_template_graph = False,              # True in the call by which Network creates the variables.
    **_kwargs):                             # Without effect.
    """Growing discriminator: images -> scores [minibatch, 1]."""
    structure = choose_structure(structure, is_template_graph)
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, fmap_max)
    images_in.set_shape([None, num_channels, resolution, resolution])
    labels_in.set_shape([None, label_size])
    data_format = device_layout(images_in)
    critic = _Critic(use_wscale, fused_scale, data_format)
    lod = level_of_detail(dtype)
    images = change_layout(tf.cast(images_in, dtype), 'NCHW', data_format)

    def block(res_log2, x):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            return _critic_block(x, critic, nf(res_log2 - 1), nf(res_log2 - 2))

    def from_rgb(res_log2, y):
        with tf.variable_scope(f'FromRGB_lod{resolution_log2 - res_log2}'):
            return _critic_conv(y, critic, fmaps=nf(res_log2 - 1), kernel=1)

    def downscale(y, factor):
        return downscale2d(y, factor, data_format=data_format)

    x = grow_features(images, lod, structure, resolution_log2, block, from_rgb, downscale)
    scores_out = _critic_tail(x, critic, nf, mbstd_group_size)
    assert scores_out.dtype == tf.as_dtype(dtype)
    return tf.identity(scores_out, name='scores_out')
