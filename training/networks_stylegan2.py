"""Networks of StyleGAN2 (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN")."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib.layers.equalized import (
    apply_bias_act,
    conv2d_bias_act,
    conv2d_layer,
    dense_bias_act,
    dense_layer,
    get_weight,
)
from dnnlib.tflib.layers.growth import choose_structure, grow_features, grow_image, level_of_detail
from dnnlib.tflib.layers.minibatch_stddev import minibatch_stddev_layer
from dnnlib.tflib.layers.modulated import modulated_conv2d_layer
from dnnlib.tflib.layers.stages import Fmaps, log2_of_resolution
from dnnlib.tflib.layers.styles import map_latents, plain_number, styled_dlatents, synthesize
from dnnlib.tflib.layers.synthesis_inputs import const_input, layer_noise, noise_inputs
from dnnlib.tflib.ops.conv2d import change_layout, device_layout
from dnnlib.tflib.ops.fused_bias_act import fused_bias_act, gain_before_and_after
from dnnlib.tflib.ops.stylegan_resampling import downscale2d, upscale2d
from dnnlib.tflib.ops.upfirdn_2d import downsample_2d, upsample_2d

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
    latents_in,                             # First input: latent vectors (Z) [minibatch, latent_size].
    labels_in,                              # Second input: conditioning labels [minibatch, label_size].
    truncation_psi = 0.5,                   # Strength of the truncation trick. None = off.
    truncation_cutoff = None,               # Number of layers to which it applies. None = all.
    truncation_psi_val = None,              # Value of truncation_psi during validation.
    truncation_cutoff_val = None,           # Value of truncation_cutoff during validation.
    dlatent_avg_beta = 0.995,               # Decay of the running mean of W in training. None = not tracked.
    style_mixing_prob = 0.9,                # Probability of mixing styles during training. None = off.
    is_training = False,                    # Track W and mix styles?
    is_validation = False,                  # Use the truncation values for validation?
    return_dlatents = False,                # Return the dlatents as well as the images?
    is_template_graph = False,              # Set by Network: the graph that creates the variables.
    components = dnnlib.EasyDict(),         # Sub-networks, kept between calls.
    mapping_func = 'G_mapping',             # Build function of the mapping network: a name in this module.
    synthesis_func = 'G_synthesis_stylegan2', # Build function of the synthesis network, likewise.
    **kwargs):                              # Passed to both sub-networks.
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
    latents_in,                             # First input: latent vectors (Z) [minibatch, latent_size].
    labels_in,                              # Second input: conditioning labels [minibatch, label_size].
    latent_size = 512,                      # Z dimensionality.
    label_size = 0,                         # Label dimensionality, 0 = no labels.
    dlatent_size = 512,                     # W dimensionality.
    dlatent_broadcast = None,               # Repeat W for this many layers. None = one W without that axis.
    mapping_layers = 8,                     # Number of layers.
    mapping_fmaps = 512,                    # Width of the layers in between.
    mapping_lrmul = 0.01,                   # Learning rate multiplier of the layers.
    mapping_nonlinearity = 'lrelu',         # Activation: 'relu', 'lrelu', etc.
    normalize_latents = True,               # Normalize the latents before the first layer?
    dtype = 'float32',                      # Data type of activations and output.
    **_kwargs):                             # Ignored: keywords for the other sub-network.
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
    """Modulated 3x3 convolution, noise, bias, activation (StyleGAN2, Figure 2c).

    x [N,C,H,W] -> [N,fmaps,H,W], twice as large with `up`.
    """
    before, after = gain_before_and_after(style.nonlinearity)  # of the activation
    x = modulated_conv2d_layer(
        x, style.dlatents[layer_idx], fmaps=fmaps, kernel=3, up=up, resample_kernel=style.resample_kernel,
        fused_modconv=style.fused_modconv, data_format=style.data_format, out_gain=before)
    noise = layer_noise(x, style.noise[layer_idx], style.randomize_noise, style.data_format)
    strength = tf.get_variable('noise_strength', shape=[], initializer=tf.initializers.zeros())
    x = apply_bias_act(x, lrmul=before, data_format=style.data_format)  # next to the convolution
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
    dlatents_in,                            # Input: dlatents (W) [minibatch, num_layers, dlatent_size].
    dlatent_size = 512,                     # W dimensionality.
    num_channels = 3,                       # Number of output color channels.
    resolution = 1024,                      # Output resolution.
    fmap_base = 16 << 10,                   # Overall multiplier for the number of feature maps.
    fmap_decay = 1.0,                       # log2 feature map reduction when doubling the resolution.
    fmap_min = 1,                           # Minimum number of feature maps in any layer.
    fmap_max = 512,                         # Maximum number of feature maps in any layer.
    randomize_noise = True,                 # Fresh noise at every evaluation? False = the noise variables.
    architecture = 'skip',                  # 'orig', 'skip' or 'resnet'.
    nonlinearity = 'lrelu',                 # Activation: 'relu', 'lrelu', etc.
    dtype = 'float32',                      # Data type of activations and output.
    resample_kernel = [1, 3, 3, 1],         # Low-pass filter of the resampling. None = box.
    fused_modconv = True,                   # Modulate weights per sample, where the device can train so?
    **_kwargs):                             # Ignored: keywords for the other sub-network.
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
                with tf.variable_scope('Upsample'):
                    y = upsample_2d(y, k=resample_kernel, data_format=style.data_format)
            if architecture == 'skip' or res_log2 == resolution_log2:
                y = _to_rgb(x, y, style, layer_idx=res_log2 * 2 - 3, num_channels=num_channels)

    images_out = change_layout(y, style.data_format, 'NCHW')
    assert images_out.dtype == tf.as_dtype(dtype)
    return tf.identity(images_out, name='images_out')


def G_synthesis_stylegan_revised(
    dlatents_in,                            # Input: dlatents (W) [minibatch, num_layers, dlatent_size].
    dlatent_size = 512,                     # W dimensionality.
    num_channels = 3,                       # Number of output color channels.
    resolution = 1024,                      # Output resolution.
    fmap_base = 16 << 10,                   # Overall multiplier for the number of feature maps.
    fmap_decay = 1.0,                       # log2 feature map reduction when doubling the resolution.
    fmap_min = 1,                           # Minimum number of feature maps in any layer.
    fmap_max = 512,                         # Maximum number of feature maps in any layer.
    randomize_noise = True,                 # Fresh noise at every evaluation? False = the noise variables.
    nonlinearity = 'lrelu',                 # Activation: 'relu', 'lrelu', etc.
    dtype = 'float32',                      # Data type of activations and output.
    resample_kernel = [1, 3, 3, 1],         # Low-pass filter of the resampling. None = box.
    fused_modconv = True,                   # Modulate weights per sample, where the device can train so?
    structure = 'auto',                     # 'fixed', 'linear' or 'recursive' growing (layers.growth).
    is_template_graph = False,              # Set by Network: the graph that creates the variables.
    force_clean_graph = False,              # Build all layers, without random noise?
    **_kwargs):                             # Ignored: keywords for the other sub-network.
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
    images_in,                              # First input: images [minibatch, channels, height, width].
    labels_in,                              # Second input: labels [minibatch, label_size].
    num_channels = 3,                       # Number of input color channels.
    resolution = 1024,                      # Input resolution.
    label_size = 0,                         # Label dimensionality, 0 = no labels.
    fmap_base = 16 << 10,                   # Overall multiplier for the number of feature maps.
    fmap_decay = 1.0,                       # log2 feature map reduction when doubling the resolution.
    fmap_min = 1,                           # Minimum number of feature maps in any layer.
    fmap_max = 512,                         # Maximum number of feature maps in any layer.
    architecture = 'resnet',                # 'orig', 'skip' or 'resnet'.
    nonlinearity = 'lrelu',                 # Activation: 'relu', 'lrelu', etc.
    mbstd_group_size = 4,                   # Group size of the minibatch standard deviation, 1 = no layer.
    mbstd_num_features = 1,                 # Number of features of the minibatch standard deviation.
    dtype = 'float32',                      # Data type of activations and output.
    resample_kernel = [1, 3, 3, 1],         # Low-pass filter of the resampling. None = box.
    **_kwargs):                             # Ignored.
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
                with tf.variable_scope('Downsample'):
                    y = downsample_2d(y, k=resample_kernel, data_format=critic.data_format)
    if architecture == 'skip':
        with tf.variable_scope('4x4'):
            x = _from_rgb(x, y, critic, fmaps=nf(1))

    scores_out = _critic_tail(x, tf.cast(labels_in, dtype), critic, nf, mbstd_group_size, mbstd_num_features)
    assert scores_out.dtype == tf.as_dtype(dtype)
    return tf.identity(scores_out, name='scores_out')


def D_stylegan(
    images_in,                              # First input: images [minibatch, channels, height, width].
    labels_in,                              # Second input: labels [minibatch, label_size].
    num_channels = 3,                       # Number of input color channels.
    resolution = 1024,                      # Input resolution.
    label_size = 0,                         # Label dimensionality, 0 = no labels.
    fmap_base = 16 << 10,                   # Overall multiplier for the number of feature maps.
    fmap_decay = 1.0,                       # log2 feature map reduction when doubling the resolution.
    fmap_min = 1,                           # Minimum number of feature maps in any layer.
    fmap_max = 512,                         # Maximum number of feature maps in any layer.
    nonlinearity = 'lrelu',                 # Activation: 'relu', 'lrelu', etc.
    mbstd_group_size = 4,                   # Group size of the minibatch stddev layer. 1 = no such layer.
    mbstd_num_features = 1,                 # Number of features of the minibatch stddev layer.
    dtype = 'float32',                      # Data type of activations and output.
    resample_kernel = [1, 3, 3, 1],         # Low-pass filter of the resampling. None = box.
    structure = 'auto',                     # 'fixed', 'linear' or 'recursive' growing (layers.growth).
    is_template_graph = False,              # Set by Network: the graph that creates the variables.
    **_kwargs):                             # Ignored.
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
