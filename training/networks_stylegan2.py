"""Networks of StyleGAN2 (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN")."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib.ops.conv2d import change_layout, device_layout
from dnnlib.tflib.ops.fused_bias_act import fused_bias_act, gain_before_and_after
from dnnlib.tflib.ops.stylegan_resampling import downscale2d, upscale2d
from dnnlib.tflib.ops.upfirdn_2d import downsample_2d, upsample_2d
from training.layers.equalized import (
    apply_bias_act,
    conv2d_bias_act,
    conv2d_layer,
    dense_bias_act,
    dense_layer,
    get_weight,
)
from training.layers.growth import choose_structure, grow_features, grow_image, level_of_detail
from training.layers.minibatch_stddev import minibatch_stddev_layer
from training.layers.modulated import modulated_conv2d_layer
from training.layers.stages import Fmaps, log2_of_resolution
from training.layers.styles import map_latents, plain_number, styled_dlatents, synthesize
from training.layers.synthesis_inputs import const_input, layer_noise, noise_inputs

__all__ = [
    'D_stylegan', 'D_stylegan2', 'G_main', 'G_mapping', 'G_synthesis_stylegan2',
    'G_synthesis_stylegan_revised', 'apply_bias_act', 'conv2d_layer', 'dense_layer', 'get_weight',
    'minibatch_stddev_layer', 'modulated_conv2d_layer', 'naive_downsample_2d', 'naive_upsample_2d',
]


def naive_upsample_2d(x, factor=2, data_format='NCHW'):
    """Repeat every pixel. x [N,C,H,W] -> [N,C,H*factor,W*factor]."""
    with tf.variable_scope('NaiveUpsample'):
        return upscale2d(x, factor, data_format=data_format)


def naive_downsample_2d(x, factor=2, data_format='NCHW'):
    """Mean over blocks of pixels. x [N,C,H,W] -> [N,C,H/factor,W/factor]."""
    with tf.variable_scope('NaiveDownsample'):
        return downscale2d(x, factor, data_format=data_format)


def G_main(
    latents_in,                             # z [N, latent_size], standard normal.
    labels_in,                              # Labels [N, label_size], one-hot for classes.
    truncation_psi = 0.5,                   # psi in w <- mean + psi * (w - mean). None = w as it is.
    truncation_cutoff = None,               # First layer whose w is not truncated. None = truncate all.
    truncation_psi_val = None,              # Takes the place of truncation_psi if is_validation.
    truncation_cutoff_val = None,           # Takes the place of truncation_cutoff if is_validation.
    dlatent_avg_beta = 0.995,               # In training, mean <- lerp(batch mean, mean, beta). None = keep.
    style_mixing_prob = 0.9,                # Training: share of minibatches that mix two w. None = 0.
    is_training = False,                    # Track the mean of w, mix styles, do not truncate?
    is_validation = False,                  # Truncate as the arguments *_val say?
    return_dlatents = False,                # Return (images, w) instead of images?
    is_template_graph = False,              # True in the call by which Network creates the variables.
    components = dnnlib.EasyDict(),         # Sub-networks: made by the first call, used by all others.
    mapping_func = 'G_mapping',             # Name of the function here that builds the mapping network.
    synthesis_func = 'G_synthesis_stylegan2', # Name of the function here that builds the synthesis network.
    **kwargs):                              # For both sub-networks.
    """Generator: latents -> dlatents -> images [minibatch, num_channels, resolution, resolution].

    Returns `images_out`, or (images_out, dlatents) with `return_dlatents`; these are the dlatents after style
    mixing and truncation, from which the images are made.
    """
    assert not is_training or not is_validation
    assert isinstance(components, dnnlib.EasyDict)
    if is_validation:
        truncation_psi, truncation_cutoff = truncation_psi_val, truncation_cutoff_val
    if is_training:
        truncation_cutoff = None
    if is_training or (plain_number(truncation_psi) and truncation_psi == 1):
        truncation_psi = None
    if not is_training or (plain_number(dlatent_avg_beta) and dlatent_avg_beta == 1):
        dlatent_avg_beta = None
    if not is_training or (plain_number(style_mixing_prob) and style_mixing_prob <= 0):
        style_mixing_prob = None

    if 'synthesis' not in components:
        components.synthesis = tflib.Network('G_synthesis', func_name=globals()[synthesis_func], **kwargs)
    num_layers, dlatent_size = components.synthesis.input_shape[1:]
    if 'mapping' not in components:
        components.mapping = tflib.Network('G_mapping', func_name=globals()[mapping_func],
                                           dlatent_broadcast=num_layers, **kwargs)
    lod = level_of_detail()
    dlatent_avg = tf.get_variable('dlatent_avg', shape=[dlatent_size], initializer=tf.initializers.zeros(),
                                  trainable=False)

    def mapping(latents, labels):
        dlatents = components.mapping.get_output_for(latents, labels, is_training=is_training, **kwargs)
        return tf.cast(dlatents, tf.float32)

    dlatents = styled_dlatents(
        mapping, latents_in, labels_in, dlatent_avg, lod, tracking_beta=dlatent_avg_beta,
        mixing_prob=style_mixing_prob, psi=truncation_psi, cutoff=truncation_cutoff)
    images_out = synthesize(components.synthesis, dlatents, lod, is_training=is_training,
                            force_clean_graph=is_template_graph, **kwargs)
    return (images_out, dlatents) if return_dlatents else images_out


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
    mapping_nonlinearity = 'lrelu',         # Their activation, a key of activation_funcs.
    normalize_latents = True,               # Scale z, with its embedded label, to a mean square of 1?
    dtype = 'float32',                      # Of activations and output. Variables are float32.
    **_kwargs):                             # For the other sub-network, without effect here.
    """Mapping network: Z -> W, [minibatch, dlatent_size] or, broadcast, [minibatch, layers, dlatent_size]."""
    latents_in.set_shape([None, latent_size])
    labels_in.set_shape([None, label_size])

    def layer(x, layer_idx):
        fmaps = dlatent_size if layer_idx == mapping_layers - 1 else mapping_fmaps
        return dense_bias_act(x, fmaps=fmaps, act=mapping_nonlinearity, lrmul=mapping_lrmul)

    dlatents_out = map_latents(tf.cast(latents_in, dtype), labels_in, layer, mapping_layers,
                               normalize=normalize_latents, broadcast=dlatent_broadcast)
    assert dlatents_out.dtype == tf.as_dtype(dtype)
    return dlatents_out


@dataclass(frozen=True)
class _Style:
    """What the layers of a synthesis network share. `dlatents` [N,C] and `noise`: one tensor a layer."""
    dlatents: list
    noise: list
    nonlinearity: str
    resample_kernel: list | None
    fused_modconv: bool
    randomize_noise: bool
    data_format: str


def _styles_of_layers(dlatents, dtype):
    """[N,L,C] -> one tensor [N,C] a layer."""
    with tf.name_scope('_Styles'):  # the underscore hides the scope from list_layers()
        return tf.unstack(tf.cast(dlatents, dtype), axis=1)


def _noise_of_layers(num_layers, dtype):
    """Fixed noise of the layers: one at 4x4, two at each other resolution."""
    return noise_inputs([2 ** ((layer_idx + 5) // 2) for layer_idx in range(num_layers)], dtype)


def _const_layer(style, fmaps):
    """Learned constant, repeated over the minibatch. -> [N,fmaps,4,4]."""
    with tf.variable_scope('Const'):
        return const_input(style.dlatents[0], fmaps, tf.initializers.random_normal(), style.data_format)


def _synthesis_layer(x, style, layer_idx, fmaps, up=False):
    """Modulated 3x3 convolution, bias, noise, activation (StyleGAN2, Figure 2).

    x [N,C,H,W] -> [N,fmaps,H,W], twice as large with `up`. As far as the activation allows it, its gain is in
    what it is applied to: in the demodulation, the bias and the strength of the noise, which are all smaller.
    """
    before, after = gain_before_and_after(style.nonlinearity)
    x = modulated_conv2d_layer(
        x, style.dlatents[layer_idx], fmaps=fmaps, kernel=3, up=up, resample_kernel=style.resample_kernel,
        fused_modconv=style.fused_modconv, data_format=style.data_format, out_gain=before)
    noise = layer_noise(x, style.noise[layer_idx], style.randomize_noise, style.data_format)
    strength = tf.get_variable('noise_strength', shape=[], initializer=tf.initializers.zeros())
    x = apply_bias_act(x, bias_gain=before, data_format=style.data_format)  # next to the convolution
    x += noise * tf.cast(strength * before, x.dtype)
    return fused_bias_act(x, act=style.nonlinearity, gain=after)


def _to_rgb(x, y, style, layer_idx, num_channels, scope='ToRGB'):
    """Image of the feature maps x, plus the image y if there is one. x [N,C,H,W] -> [N,num_channels,H,W]."""
    with tf.variable_scope(scope):
        t = modulated_conv2d_layer(
            x, style.dlatents[layer_idx], fmaps=num_channels, kernel=1, demodulate=False,
            fused_modconv=style.fused_modconv, data_format=style.data_format)
        t = apply_bias_act(t, data_format=style.data_format)
        return t if y is None else t + y


def _upsample(y, style):
    """Image at twice the resolution. y [N,C,H,W] -> [N,C,2*H,2*W]."""
    with tf.variable_scope('Upsample'):
        return upsample_2d(y, k=style.resample_kernel, data_format=style.data_format)


def _synthesis_block(x, style, res_log2, fmaps, architecture):
    """Two layers at resolution 2^res_log2; the first one doubles it. x [N,C,H,W] -> [N,fmaps,2*H,2*W]."""
    t = x
    with tf.variable_scope('Conv0_up'):
        x = _synthesis_layer(x, style, layer_idx=res_log2 * 2 - 5, fmaps=fmaps, up=True)
    with tf.variable_scope('Conv1'):
        x = _synthesis_layer(x, style, layer_idx=res_log2 * 2 - 4, fmaps=fmaps)
    if architecture == 'resnet':
        with tf.variable_scope('Skip'):
            t = conv2d_layer(t, fmaps=fmaps, kernel=1, up=True, resample_kernel=style.resample_kernel,
                             data_format=style.data_format)
            x = (x + t) * (1 / np.sqrt(2))
    return x


def G_synthesis_stylegan2(
    dlatents_in,                            # w of every layer, [N, num_layers, dlatent_size].
    dlatent_size = 512,                     # Components of w.
    num_channels = 3,                       # Channels of an image, 3 = RGB, 1 = grey.
    resolution = 1024,                      # Side of an image in pixels, a power of two.
    fmap_base = 16 << 10,                   # Feature maps that 2x2 pixels would have if nothing limited them.
    fmap_decay = 1.0,                       # Feature maps shrink by 2^fmap_decay where the side doubles.
    fmap_min = 1,                           # Every layer has this many feature maps at least.
    fmap_max = 512,                         # Every layer has this many feature maps at most.
    randomize_noise = True,                 # Draw noise at every evaluation? False = variables noise<layer>.
    architecture = 'skip',                  # 'orig', 'skip' or 'resnet' (StyleGAN2, Figure 7).
    nonlinearity = 'lrelu',                 # Activation of the layers, a key of activation_funcs.
    dtype = 'float32',                      # Of activations and output. Variables are float32.
    resample_kernel = [1, 3, 3, 1],         # Taps of the resampling filter, normalized. None = box.
    fused_modconv = True,                   # Modulate weights, not feature maps, if the device can train it?
    **_kwargs):                             # For the other sub-network, without effect here.
    """Synthesis network: W -> images [minibatch, num_channels, resolution, resolution] (configs E and F)."""
    assert architecture in ('orig', 'skip', 'resnet')
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    num_layers = resolution_log2 * 2 - 2
    dlatents_in.set_shape([None, num_layers, dlatent_size])
    style = _Style(
        _styles_of_layers(dlatents_in, dtype), _noise_of_layers(num_layers - 1, dtype),
        nonlinearity, resample_kernel, fused_modconv, randomize_noise, data_format=device_layout(dlatents_in))

    y = None
    with tf.variable_scope('4x4'):
        x = _const_layer(style, fmaps=nf(1))
        with tf.variable_scope('Conv'):
            x = _synthesis_layer(x, style, layer_idx=0, fmaps=nf(1))
        if architecture == 'skip':
            y = _to_rgb(x, y, style, layer_idx=1, num_channels=num_channels)

    for res_log2 in range(3, resolution_log2 + 1):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            x = _synthesis_block(x, style, res_log2, nf(res_log2 - 1), architecture)
            if architecture == 'skip':
                y = _upsample(y, style)
            if architecture == 'skip' or res_log2 == resolution_log2:
                y = _to_rgb(x, y, style, layer_idx=res_log2 * 2 - 3, num_channels=num_channels)

    images_out = change_layout(y, style.data_format, 'NCHW')
    assert images_out.dtype == tf.as_dtype(dtype)
    return tf.identity(images_out, name='images_out')


def G_synthesis_stylegan_revised(
    dlatents_in,                            # w of every layer, [N, num_layers, dlatent_size].
    dlatent_size = 512,                     # Components of w.
    num_channels = 3,                       # Channels of an image, 3 = RGB, 1 = grey.
    resolution = 1024,                      # Side of an image in pixels, a power of two.
    fmap_base = 16 << 10,                   # Feature maps that 2x2 pixels would have if nothing limited them.
    fmap_decay = 1.0,                       # Feature maps shrink by 2^fmap_decay where the side doubles.
    fmap_min = 1,                           # Every layer has this many feature maps at least.
    fmap_max = 512,                         # Every layer has this many feature maps at most.
    randomize_noise = True,                 # Draw noise at every evaluation? False = variables noise<layer>.
    nonlinearity = 'lrelu',                 # Activation of the layers, a key of activation_funcs.
    dtype = 'float32',                      # Of activations and output. Variables are float32.
    resample_kernel = [1, 3, 3, 1],         # Taps of the resampling filter, normalized. None = box.
    fused_modconv = True,                   # Modulate weights, not feature maps, if the device can train it?
    structure = 'auto',                     # How it grows: 'fixed', 'linear', 'recursive', see layers.growth.
    is_template_graph = False,              # True in the call by which Network creates the variables.
    force_clean_graph = False,              # Build what the template graph has: all layers, fixed noise?
    **_kwargs):                             # For the other sub-network, without effect here.
    """Growing synthesis network: W -> images [minibatch, num_channels, resolution, resolution] (B, C, D)."""
    clean_graph = is_template_graph or force_clean_graph
    structure = choose_structure(structure, clean_graph)
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    num_layers = resolution_log2 * 2 - 2
    dlatents_in.set_shape([None, num_layers, dlatent_size])
    lod = level_of_detail(dtype)
    style = _Style(
        _styles_of_layers(dlatents_in, dtype), _noise_of_layers(num_layers - 1, dtype),
        nonlinearity, resample_kernel, fused_modconv, randomize_noise and not clean_graph,
        data_format=device_layout(dlatents_in))

    def block(res_log2, x):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            return _synthesis_block(x, style, res_log2, nf(res_log2 - 1), architecture='orig')

    def to_rgb(res_log2, x):
        scope = f'ToRGB_lod{resolution_log2 - res_log2}'
        return _to_rgb(x, None, style, res_log2 * 2 - 3, num_channels, scope)

    def upscale(y, factor):
        return naive_upsample_2d(y, factor, data_format=style.data_format)

    with tf.variable_scope('4x4'):
        x = _const_layer(style, fmaps=nf(1))
        with tf.variable_scope('Conv'):
            x = _synthesis_layer(x, style, layer_idx=0, fmaps=nf(1))
    y = grow_image(x, lod, structure, resolution_log2, block, to_rgb, upscale)
    images_out = change_layout(y, style.data_format, 'NCHW')
    assert images_out.dtype == tf.as_dtype(dtype)
    return tf.identity(images_out, name='images_out')


@dataclass(frozen=True)
class _Critic:
    """What the layers of a discriminator have in common."""
    nonlinearity: str
    resample_kernel: list | None
    data_format: str


def _critic_conv(x, critic, fmaps, kernel, down=False):
    """Convolution, bias, activation. x [N,C,H,W] -> [N,fmaps,H',W']."""
    return conv2d_bias_act(x, fmaps=fmaps, kernel=kernel, act=critic.nonlinearity, down=down,
                           resample_kernel=critic.resample_kernel, data_format=critic.data_format)


def _from_rgb(x, y, critic, fmaps, scope='FromRGB'):
    """Feature maps of the image y, added to x if there is any. y [N,C,H,W] -> [N,fmaps,H,W]."""
    with tf.variable_scope(scope):
        t = _critic_conv(y, critic, fmaps=fmaps, kernel=1)
        return t if x is None else x + t


def _downsample(y, critic):
    """Image at half the resolution. y [N,C,H,W] -> [N,C,H/2,W/2]."""
    with tf.variable_scope('Downsample'):
        return downsample_2d(y, k=critic.resample_kernel, data_format=critic.data_format)


def _critic_block(x, critic, fmaps, out_fmaps, architecture):
    """Two layers; the second one halves the resolution. x [N,C,H,W] -> [N,out_fmaps,H/2,W/2]."""
    t = x
    with tf.variable_scope('Conv0'):
        x = _critic_conv(x, critic, fmaps=fmaps, kernel=3)
    with tf.variable_scope('Conv1_down'):
        x = _critic_conv(x, critic, fmaps=out_fmaps, kernel=3, down=True)
    if architecture == 'resnet':
        with tf.variable_scope('Skip'):
            t = conv2d_layer(t, fmaps=out_fmaps, kernel=1, down=True, resample_kernel=critic.resample_kernel,
                             data_format=critic.data_format)
            x = (x + t) * (1 / np.sqrt(2))
    return x


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
            x = dense_bias_act(x, fmaps=nf(0), act=critic.nonlinearity, data_format=critic.data_format)
    with tf.variable_scope('Output'):
        x = apply_bias_act(dense_layer(x, fmaps=max(label_size, 1)))
        return tf.reduce_sum(x * labels, axis=1, keepdims=True) if label_size else x


def D_stylegan2(
    images_in,                              # Images [N, num_channels, resolution, resolution].
    labels_in,                              # Labels of the images, [N, label_size].
    num_channels = 3,                       # Channels of an image, 3 = RGB, 1 = grey.
    resolution = 1024,                      # Side of an image in pixels, a power of two.
    label_size = 0,                         # Components of a label, 0 = no labels.
    fmap_base = 16 << 10,                   # Feature maps that 2x2 pixels would have if nothing limited them.
    fmap_decay = 1.0,                       # Feature maps shrink by 2^fmap_decay where the side doubles.
    fmap_min = 1,                           # Every layer has this many feature maps at least.
    fmap_max = 512,                         # Every layer has this many feature maps at most.
    architecture = 'resnet',                # 'orig', 'skip' or 'resnet' (StyleGAN2, Figure 7).
    nonlinearity = 'lrelu',                 # Activation of the layers, a key of activation_funcs.
    mbstd_group_size = 4,                   # Minibatch stddev: samples in a group, 1 = no such layer.
    mbstd_num_features = 1,                 # Minibatch stddev: feature maps that it adds.
    dtype = 'float32',                      # Of activations and output. Variables are float32.
    resample_kernel = [1, 3, 3, 1],         # Taps of the resampling filter, normalized. None = box.
    **_kwargs):                             # Without effect.
    """Discriminator: images -> scores [minibatch, 1] (configs E and F)."""
    assert architecture in ('orig', 'skip', 'resnet')
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    images_in.set_shape([None, num_channels, resolution, resolution])
    labels_in.set_shape([None, label_size])
    critic = _Critic(nonlinearity, resample_kernel, data_format=device_layout(images_in))
    y = change_layout(tf.cast(images_in, dtype), 'NCHW', critic.data_format)

    x = None
    for res_log2 in range(resolution_log2, 2, -1):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            if architecture == 'skip' or res_log2 == resolution_log2:
                x = _from_rgb(x, y, critic, fmaps=nf(res_log2 - 1))
            x = _critic_block(x, critic, nf(res_log2 - 1), nf(res_log2 - 2), architecture)
            if architecture == 'skip':
                y = _downsample(y, critic)
    if architecture == 'skip':
        with tf.variable_scope('4x4'):
            x = _from_rgb(x, y, critic, fmaps=nf(1))

    scores_out = _critic_tail(x, tf.cast(labels_in, dtype), critic, nf, mbstd_group_size, mbstd_num_features)
    assert scores_out.dtype == tf.as_dtype(dtype)
    return tf.identity(scores_out, name='scores_out')


def D_stylegan(
    images_in,                              # Images [N, num_channels, resolution, resolution].
    labels_in,                              # Labels of the images, [N, label_size].
    num_channels = 3,                       # Channels of an image, 3 = RGB, 1 = grey.
    resolution = 1024,                      # Side of an image in pixels, a power of two.
    label_size = 0,                         # Components of a label, 0 = no labels.
    fmap_base = 16 << 10,                   # Feature maps that 2x2 pixels would have if nothing limited them.
    fmap_decay = 1.0,                       # Feature maps shrink by 2^fmap_decay where the side doubles.
    fmap_min = 1,                           # Every layer has this many feature maps at least.
    fmap_max = 512,                         # Every layer has this many feature maps at most.
    nonlinearity = 'lrelu',                 # Activation of the layers, a key of activation_funcs.
    mbstd_group_size = 4,                   # Minibatch stddev: samples in a group, 1 = no such layer.
    mbstd_num_features = 1,                 # Minibatch stddev: feature maps that it adds.
    dtype = 'float32',                      # Of activations and output. Variables are float32.
    resample_kernel = [1, 3, 3, 1],         # Taps of the resampling filter, normalized. None = box.
    structure = 'auto',                     # How it grows: 'fixed', 'linear', 'recursive', see layers.growth.
    is_template_graph = False,              # True in the call by which Network creates the variables.
    **_kwargs):                             # Without effect.
    """Discriminator that grows: images -> scores [minibatch, 1] (configs B-D)."""
    structure = choose_structure(structure, is_template_graph)
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    images_in.set_shape([None, num_channels, resolution, resolution])
    labels_in.set_shape([None, label_size])
    critic = _Critic(nonlinearity, resample_kernel, data_format=device_layout(images_in))
    lod = level_of_detail(dtype)
    images = change_layout(tf.cast(images_in, dtype), 'NCHW', critic.data_format)

    def block(res_log2, x):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            return _critic_block(x, critic, nf(res_log2 - 1), nf(res_log2 - 2), architecture='orig')

    def from_rgb(res_log2, y):
        scope = f'FromRGB_lod{resolution_log2 - res_log2}'
        return _from_rgb(None, y, critic, nf(res_log2 - 1), scope)

    def downscale(y, factor):
        return naive_downsample_2d(y, factor, data_format=critic.data_format)

    x = grow_features(images, lod, structure, resolution_log2, block, from_rgb, downscale)
    scores_out = _critic_tail(x, tf.cast(labels_in, dtype), critic, nf, mbstd_group_size, mbstd_num_features)
    assert scores_out.dtype == tf.as_dtype(dtype)
    return tf.identity(scores_out, name='scores_out')
