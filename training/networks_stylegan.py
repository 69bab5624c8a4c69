"""Networks of StyleGAN (Karras et al. 2019, "A Style-Based Generator Architecture for GANs"); config A."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib.ops.conv2d import change_layout, device_layout
from dnnlib.tflib.ops.stylegan_resampling import blur2d, downscale2d, upscale2d
from training.layers.growth import choose_structure, grow_features, grow_image, level_of_detail
from training.layers.minibatch_stddev import minibatch_stddev_layer
from training.layers.normalization import instance_norm, pixel_norm
from training.layers.stages import Fmaps, log2_of_resolution
from training.layers.stylegan import (
    apply_bias,
    apply_noise,
    conv2d,
    conv2d_downscale2d,
    dense,
    get_weight,
    leaky_relu,
    style_mod,
    upscale2d_conv2d,
)
from training.layers.styles import map_latents, plain_number, styled_dlatents, synthesize
from training.layers.synthesis_inputs import const_input, noise_inputs

__all__ = [
    'D_basic', 'G_mapping', 'G_style', 'G_synthesis', 'apply_bias', 'apply_noise', 'blur2d', 'conv2d',
    'conv2d_downscale2d', 'dense', 'downscale2d', 'get_weight', 'instance_norm', 'leaky_relu',
    'minibatch_stddev_layer', 'pixel_norm', 'style_mod', 'upscale2d', 'upscale2d_conv2d',
]

_ACTIVATIONS = {'relu': tf.nn.relu, 'lrelu': leaky_relu}  # their gain, sqrt(2), is in the weights


def G_style(
    latents_in,                             # z [N, latent_size], standard normal.
    labels_in,                              # Labels [N, label_size], one-hot for classes.
    truncation_psi = 0.7,                   # psi in w <- mean + psi * (w - mean). None = w as it is.
    truncation_cutoff = 8,                  # First layer whose w is not truncated. None = truncate none.
    truncation_psi_val = None,              # Takes the place of truncation_psi if is_validation.
    truncation_cutoff_val = None,           # Takes the place of truncation_cutoff if is_validation.
    dlatent_avg_beta = 0.995,               # In training, mean <- lerp(batch mean, mean, beta). None = keep.
    style_mixing_prob = 0.9,                # Training: share of minibatches that mix two w. None = 0.
    is_training = False,                    # Track the mean of w, mix styles, do not truncate?
    is_validation = False,                  # Truncate as the arguments *_val say?
    is_template_graph = False,              # True in the call by which Network creates the variables.
    components = dnnlib.EasyDict(),         # Sub-networks: made by the first call, used by all others.
    **kwargs):                              # For both sub-networks.
    """Generator: latents -> dlatents -> images [minibatch, num_channels, resolution, resolution]."""
    assert not is_training or not is_validation
    assert isinstance(components, dnnlib.EasyDict)
    if is_validation:
        truncation_psi, truncation_cutoff = truncation_psi_val, truncation_cutoff_val
    if is_training or (plain_number(truncation_psi) and truncation_psi == 1):
        truncation_psi = None
    if truncation_cutoff is None or (plain_number(truncation_cutoff) and truncation_cutoff <= 0):
        truncation_psi = None
    if not is_training or (plain_number(dlatent_avg_beta) and dlatent_avg_beta == 1):
        dlatent_avg_beta = None
    if not is_training or (plain_number(style_mixing_prob) and style_mixing_prob <= 0):
        style_mixing_prob = None

    if 'synthesis' not in components:
        components.synthesis = tflib.Network('G_synthesis', func_name=G_synthesis, **kwargs)
    num_layers, dlatent_size = components.synthesis.input_shape[1:]
    if 'mapping' not in components:
        components.mapping = tflib.Network('G_mapping', func_name=G_mapping, dlatent_broadcast=num_layers,
                                           **kwargs)
    lod = level_of_detail()
    dlatent_avg = tf.get_variable('dlatent_avg', shape=[dlatent_size], initializer=tf.initializers.zeros(),
                                  trainable=False)

    def mapping(latents, labels):
        return tf.cast(components.mapping.get_output_for(latents, labels, **kwargs), tf.float32)

    dlatents = styled_dlatents(
        mapping, latents_in, labels_in, dlatent_avg, lod, tracking_beta=dlatent_avg_beta,
        mixing_prob=style_mixing_prob, psi=truncation_psi, cutoff=truncation_cutoff)
    return synthesize(components.synthesis, dlatents, lod, force_clean_graph=is_template_graph, **kwargs)


def G_mapping(
    latents_in,                             # z [N, latent_size], standard normal.
    labels_in,                              # Labels [N, label_size], one-hot for classes.
    latent_size = 512,                      # Components of z.
    label_size = 0,                         # Components of a label, 0 = no labels.
    dlatent_size = 512,                     # Components of w.
    dlatent_broadcast = None,               # Return w so many times, one per layer. None = once, [N, C].
    mapping_layers = 8,                     # Fully connected layers from z to w.
    mapping_fmaps = 512,                    # Outputs of each but the last.
    mapping_lrmul = 0.01,                   # Their learning rate relative to that of other layers.
    mapping_nonlinearity = 'lrelu',         # Their activation: 'lrelu' or 'relu'.
    use_wscale = True,                      # Scale weights when they are used (equalized learning rate)?
    normalize_latents = True,               # Scale z, with its embedded label, to a mean square of 1?
    dtype = 'float32',                      # Of activations and output. Variables are float32.
    **_kwargs):                             # For the other sub-network, without effect here.
    """Mapping network: Z -> W, [minibatch, dlatent_size] or, broadcast, [minibatch, layers, dlatent_size]."""
    latents_in.set_shape([None, latent_size])
    labels_in.set_shape([None, label_size])

    def layer(x, layer_idx):
        fmaps = dlatent_size if layer_idx == mapping_layers - 1 else mapping_fmaps
        x = dense(x, fmaps=fmaps, use_wscale=use_wscale, lrmul=mapping_lrmul)
        return _ACTIVATIONS[mapping_nonlinearity](apply_bias(x, lrmul=mapping_lrmul))

    dlatents_out = map_latents(tf.cast(latents_in, dtype), labels_in, layer, mapping_layers,
                               normalize=normalize_latents, broadcast=dlatent_broadcast)
    assert dlatents_out.dtype == tf.as_dtype(dtype)
    return dlatents_out


@dataclass(frozen=True)
class _Style:
    """What the layers of the synthesis network share. `dlatents` [N,L,C], `noise`: one tensor a layer."""
    dlatents: tf.Tensor
    noise: list | None
    nonlinearity: str
    use_wscale: bool
    use_styles: bool
    use_pixel_norm: bool
    use_instance_norm: bool
    randomize_noise: bool
    fused_scale: bool | str
    blur_filter: list | None
    data_format: str


def _epilogue(x, style, layer_idx):
    """What follows a convolution: noise, bias, activation, normalization, style (StyleGAN, Figure 1b)."""
    data_format = style.data_format
    if style.noise is not None:
        x = apply_noise(x, style.noise[layer_idx], style.randomize_noise, data_format=data_format)
    x = _bias_act(x, style)
    if style.use_pixel_norm:
        x = pixel_norm(x, data_format=data_format)
    if style.use_instance_norm:
        x = instance_norm(x, data_format=data_format)
    if style.use_styles:
        x = style_mod(x, style.dlatents[:, layer_idx], use_wscale=style.use_wscale, data_format=data_format)
    return x


def _bias_act(x, settings):
    """`settings`: a `_Style` or `_Critic`."""
    return _ACTIVATIONS[settings.nonlinearity](apply_bias(x, data_format=settings.data_format))


def _blur(x, settings):
    f = settings.blur_filter
    return blur2d(x, f, data_format=settings.data_format) if f else x


def _const_layer(style, fmaps):
    """Learned constant, repeated over the minibatch. -> [N,fmaps,4,4]."""
    with tf.variable_scope('Const'):
        x = const_input(style.dlatents, fmaps, tf.initializers.ones(), style.data_format)
        return _epilogue(x, style, layer_idx=0)


def _dense_layer(style, fmaps):
    """Feature maps made of the first dlatent. -> [N,fmaps,4,4]."""
    with tf.variable_scope('Dense'):
        # A quarter of the gain elsewhere, as in Progressive GAN.
        x = dense(style.dlatents[:, 0], fmaps=fmaps * 16, gain=np.sqrt(2) / 4, use_wscale=style.use_wscale)
        x = tf.reshape(x, [-1, fmaps, 4, 4])  # [N,C*16] -> [N,C,4,4]
        return _epilogue(change_layout(x, 'NCHW', style.data_format), style, layer_idx=0)


def _conv_layer(x, style, layer_idx, fmaps):
    """3x3 convolution with all that follows it. x [N,C,H,W] -> [N,fmaps,H,W]."""
    x = conv2d(x, fmaps=fmaps, kernel=3, use_wscale=style.use_wscale, data_format=style.data_format)
    return _epilogue(x, style, layer_idx)


def _up_layer(x, style, layer_idx, fmaps):
    """Like `_conv_layer`, at twice the resolution and with a blur. x [N,C,H,W] -> [N,fmaps,2*H,2*W]."""
    x = upscale2d_conv2d(x, fmaps=fmaps, kernel=3, fused_scale=style.fused_scale, use_wscale=style.use_wscale,
                         data_format=style.data_format)
    return _epilogue(_blur(x, style), style, layer_idx)


def G_synthesis(
    dlatents_in,                            # w of every layer, [N, num_layers, dlatent_size].
    dlatent_size = 512,                     # Components of w.
    num_channels = 3,                       # Channels of an image, 3 = RGB, 1 = grey.
    resolution = 1024,                      # Side of an image in pixels, a power of two.
    fmap_base = 8192,                       # Feature maps that 2x2 pixels would have if nothing limited them.
    fmap_decay = 1.0,                       # Feature maps shrink by 2^fmap_decay where the side doubles.
    fmap_max = 512,                         # Every layer has this many feature maps at most.
    use_styles = True,                      # Style each layer by its own w (AdaIN)? False = num_layers is 1.
    const_input_layer = True,               # Start at a learned constant? False = at a dense layer of w.
    use_noise = True,                       # Add noise to every layer?
    randomize_noise = True,                 # Draw noise at every evaluation? False = variables noise<layer>.
    nonlinearity = 'lrelu',                 # Activation of the layers: 'lrelu' or 'relu'.
    use_wscale = True,                      # Scale weights when they are used (equalized learning rate)?
    use_pixel_norm = False,                 # Scale the features of a pixel to a mean square of 1?
    use_instance_norm = True,               # Scale each feature map to mean 0, variance 1 (AdaIN)?
    dtype = 'float32',                      # Of activations and output. Variables are float32.
    fused_scale = 'auto',                   # Upscale inside the convolution? 'auto' = sides from 128 on.
    blur_filter = [1, 2, 1],                # Taps of the blur after upscaling, normalized. None = no blur.
    structure = 'auto',                     # How it grows: 'fixed', 'linear', 'recursive', see layers.growth.
    is_template_graph = False,              # True in the call by which Network creates the variables.
    force_clean_graph = False,              # Build what the template graph has: all layers, fixed noise?
    **_kwargs):                             # For the other sub-network, without effect here.
    """Growing synthesis network: W -> images [minibatch, num_channels, resolution, resolution]."""
    clean_graph = is_template_graph or force_clean_graph
    structure = choose_structure(structure, clean_graph)
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, fmap_max)
    num_layers = resolution_log2 * 2 - 2
    dlatents_in.set_shape([None, num_layers if use_styles else 1, dlatent_size])
    data_format = device_layout(dlatents_in)
    lod = level_of_detail(dtype)
    noise_sizes = [2 ** (layer_idx // 2 + 2) for layer_idx in range(num_layers)]
    style = _Style(
        tf.cast(dlatents_in, dtype), noise_inputs(noise_sizes, dtype) if use_noise else None,
        nonlinearity, use_wscale, use_styles, use_pixel_norm, use_instance_norm,
        randomize_noise and not clean_graph, fused_scale, blur_filter, data_format)

    def block(res_log2, x):
        fmaps = nf(res_log2 - 1)
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            with tf.variable_scope('Conv0_up'):
                x = _up_layer(x, style, layer_idx=res_log2 * 2 - 4, fmaps=fmaps)
            with tf.variable_scope('Conv1'):
                return _conv_layer(x, style, layer_idx=res_log2 * 2 - 3, fmaps=fmaps)

    def to_rgb(res_log2, x):
        with tf.variable_scope(f'ToRGB_lod{resolution_log2 - res_log2}'):
            x = conv2d(x, fmaps=num_channels, kernel=1, gain=1, use_wscale=use_wscale,
                       data_format=data_format)
            return apply_bias(x, data_format=data_format)

    def upscale(y, factor):
        return upscale2d(y, factor, data_format=data_format)

    with tf.variable_scope('4x4'):
        x = _const_layer(style, nf(1)) if const_input_layer else _dense_layer(style, nf(1))
        with tf.variable_scope('Conv'):
            x = _conv_layer(x, style, layer_idx=1, fmaps=nf(1))
    images_out = grow_image(x, lod, structure, resolution_log2, block, to_rgb, upscale)
    images_out = change_layout(images_out, data_format, 'NCHW')
    assert images_out.dtype == tf.as_dtype(dtype)
    return tf.identity(images_out, name='images_out')


@dataclass(frozen=True)
class _Critic:
    """What the layers of the discriminator share."""
    nonlinearity: str
    use_wscale: bool
    fused_scale: bool | str
    blur_filter: list | None
    data_format: str


def _critic_conv(x, critic, fmaps, kernel):
    """Convolution, bias, activation. x [N,C,H,W] -> [N,fmaps,H,W]."""
    x = conv2d(x, fmaps=fmaps, kernel=kernel, use_wscale=critic.use_wscale, data_format=critic.data_format)
    return _bias_act(x, critic)


def _critic_down(x, critic, fmaps):
    """Blur, convolution at half the resolution, bias, activation. x [N,C,H,W] -> [N,fmaps,H/2,W/2]."""
    x = conv2d_downscale2d(_blur(x, critic), fmaps=fmaps, kernel=3, fused_scale=critic.fused_scale,
                           use_wscale=critic.use_wscale, data_format=critic.data_format)
    return _bias_act(x, critic)


def _critic_tail(x, labels, critic, nf, mbstd_group_size, mbstd_num_features):
    """From 4x4 feature maps to scores [N,1]; with labels the output of each class counts by its label."""
    label_size = labels.shape.as_list()[1]
    with tf.variable_scope('4x4'):
        if mbstd_group_size > 1:
            with tf.variable_scope('MinibatchStddev'):
                x = minibatch_stddev_layer(x, mbstd_group_size, mbstd_num_features,
                                           data_format=critic.data_format)
        with tf.variable_scope('Conv'):
            x = _critic_conv(x, critic, fmaps=nf(1), kernel=3)
        with tf.variable_scope('Dense0'):
            x = dense(x, fmaps=nf(0), use_wscale=critic.use_wscale, data_format=critic.data_format)
            x = _bias_act(x, critic)
        with tf.variable_scope('Dense1'):
            x = apply_bias(dense(x, fmaps=max(label_size, 1), gain=1, use_wscale=critic.use_wscale))
    return tf.reduce_sum(x * labels, axis=1, keepdims=True) if label_size else x


def D_basic(
    images_in,                              # Images [N, num_channels, resolution, resolution].
    labels_in,                              # Labels of the images, [N, label_size].
    num_channels = 1,                       # Channels of an image, 3 = RGB, 1 = grey.
    resolution = 32,                        # Side of an image in pixels, a power of two.
    label_size = 0,                         # Components of a label, 0 = no labels.
    fmap_base = 8192,                       # Feature maps that 2x2 pixels would have if nothing limited them.
    fmap_decay = 1.0,                       # Feature maps shrink by 2^fmap_decay where the side doubles.
    fmap_max = 512,                         # Every layer has this many feature maps at most.
    nonlinearity = 'lrelu',                 # Activation of the layers: 'lrelu' or 'relu'.
    use_wscale = True,                      # Scale weights when they are used (equalized learning rate)?
    mbstd_group_size = 4,                   # Minibatch stddev: samples in a group, 1 = no such layer.
    mbstd_num_features = 1,                 # Minibatch stddev: feature maps that it adds.
    dtype = 'float32',                      # Of activations and output. Variables are float32.
    fused_scale = 'auto',                   # Downscale inside the convolution? 'auto' = sides from 128 on.
    blur_filter = [1, 2, 1],                # Taps of the blur before downscaling, normalized. None = no blur.
    structure = 'auto',                     # How it grows: 'fixed', 'linear', 'recursive', see layers.growth.
    is_template_graph = False,              # True in the call by which Network creates the variables.
    **_kwargs):                             # Without effect.
    """Growing discriminator: images -> scores [minibatch, 1]."""
    structure = choose_structure(structure, is_template_graph)
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, fmap_max)
    images_in.set_shape([None, num_channels, resolution, resolution])
    labels_in.set_shape([None, label_size])
    data_format = device_layout(images_in)
    critic = _Critic(nonlinearity, use_wscale, fused_scale, blur_filter, data_format)
    lod = level_of_detail(dtype)
    images = change_layout(tf.cast(images_in, dtype), 'NCHW', data_format)

    def block(res_log2, x):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            with tf.variable_scope('Conv0'):
                x = _critic_conv(x, critic, fmaps=nf(res_log2 - 1), kernel=3)
            with tf.variable_scope('Conv1_down'):
                return _critic_down(x, critic, fmaps=nf(res_log2 - 2))

    def from_rgb(res_log2, y):
        with tf.variable_scope(f'FromRGB_lod{resolution_log2 - res_log2}'):
            return _critic_conv(y, critic, fmaps=nf(res_log2 - 1), kernel=1)

    def downscale(y, factor):
        return downscale2d(y, factor, data_format=data_format)

    x = grow_features(images, lod, structure, resolution_log2, block, from_rgb, downscale)
    scores_out = _critic_tail(x, tf.cast(labels_in, dtype), critic, nf, mbstd_group_size, mbstd_num_features)
    assert scores_out.dtype == tf.as_dtype(dtype)
    return tf.identity(scores_out, name='scores_out')
