"""Networks of StyleGAN2 (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN")."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
from dnnlib.base_shapes import level_shape
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
from training.layers.normalization import pixel_norm
from training.layers.stages import Fmaps, block_dtype, log2_of_resolution
from training.layers.styles import (
    broadcast_dlatents,
    concat_label_embedding,
    make_components,
    styled_dlatents,
    synthesize,
)
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
    """Average blocks of pixels. x [N,C,H,W] -> [N,C,H/factor,W/factor]."""
    with tf.variable_scope('NaiveDownsample'):
        return downscale2d(x, factor, data_format=data_format)


def G_main(
    latents_in,                             # Latents z, [N, latent_size], standard normal.
    labels_in,                              # Labels, [N, label_size]; classes are one-hot.
    truncation_psi = 0.5,                   # psi in w <- mean + psi * (w - mean). None = no truncation.
    truncation_cutoff = None,               # How many of the first layers to truncate. None = all.
    truncation_psi_val = None,              # Replaces truncation_psi if is_validation.
    truncation_cutoff_val = None,           # Replaces truncation_cutoff if is_validation.
    dlatent_avg_beta = 0.995,               # Training: mean <- lerp(batch mean, mean, beta). None = keep it.
    style_mixing_prob = 0.9,                # Share of training minibatches that mix two w. None = 0.
    is_training = False,                    # Track the mean of w and mix styles instead of truncating?
    is_validation = False,                  # Truncate by truncation_psi_val and truncation_cutoff_val?
    return_dlatents = False,                # Return (images, w) instead of images?
    is_template_graph = False,              # Is this the call in which Network creates the variables?
    components = dnnlib.EasyDict(),         # Sub-networks. The first call creates them, later calls use them.
    mapping_func = 'G_mapping',             # Function of this module that builds the mapping network.
    synthesis_func = 'G_synthesis_stylegan2', # Function of this module that builds the synthesis.
    **kwargs):                              # Passed to both sub-networks.
    """Map latents to dlatents, and these to images [minibatch, num_channels, resolution, resolution].

    With `return_dlatents`, returns (images, dlatents), where style mixing or truncation has been applied to
    the dlatents.
    """
    assert not (is_training and is_validation)
    if is_validation:
        truncation_psi, truncation_cutoff = truncation_psi_val, truncation_cutoff_val
    make_components(components, globals()[mapping_func], globals()[synthesis_func], kwargs)
    lod = level_of_detail()
    dlatents = styled_dlatents(
        components, latents_in, labels_in, lod, is_training=is_training, tracking_beta=dlatent_avg_beta,
        mixing_prob=style_mixing_prob, psi=truncation_psi, cutoff=truncation_cutoff, kwargs=kwargs)
    images_out = synthesize(components.synthesis, dlatents, lod, is_training=is_training,
                            force_clean_graph=is_template_graph, **kwargs)
    return (images_out, dlatents) if return_dlatents else images_out


def G_mapping(
    latents_in,                             # Latents z, [N, latent_size], standard normal.
    labels_in,                              # Labels, [N, label_size]; classes are one-hot.
    latent_size = 512,                      # Length of z.
    label_size = 0,                         # Length of a label. 0 = no labels.
    dlatent_size = 512,                     # Length of w.
    dlatent_broadcast = None,               # Number of layers to repeat w for. None = [N, dlatent_size].
    mapping_layers = 8,                     # Fully connected layers between z and w.
    mapping_fmaps = 512,                    # Width of the hidden layers.
    mapping_lrmul = 0.01,                   # Learning rate of these layers relative to all others.
    mapping_nonlinearity = 'lrelu',         # Activation of these layers, a key of activation_funcs.
    normalize_latents = True,               # Scale z and its embedded label to a mean square of 1?
    dtype = 'float32',                      # Type of activations and output. Variables are float32.
    **_kwargs):                             # Ignored; meant for the other sub-network.
    """Map latents z to dlatents w, [minibatch, dlatent_size] or [minibatch, layers, dlatent_size]."""
    latents_in.set_shape([None, latent_size])
    labels_in.set_shape([None, label_size])
    x = tf.cast(latents_in, dtype)
    if label_size > 0:
        x = concat_label_embedding(x, labels_in)
    if normalize_latents:
        with tf.variable_scope('Normalize'):
            x = pixel_norm(x)
    for layer_idx in range(mapping_layers):
        fmaps = dlatent_size if layer_idx == mapping_layers - 1 else mapping_fmaps
        with tf.variable_scope(f'Dense{layer_idx}'):
            x = dense_bias_act(x, fmaps=fmaps, act=mapping_nonlinearity, lrmul=mapping_lrmul)
    return broadcast_dlatents(x, dlatent_broadcast)


@dataclass(frozen=True)
class _Style:
    """Inputs and settings that the layers of a synthesis network share."""
    dlatents: list  # [N,C] per layer
    noise: list  # one tensor per layer
    base_shape: list | None  # [H, W]
    randomize_noise: bool
    nonlinearity: str
    resample_kernel: list | None
    fused_modconv: bool
    dtype: str
    data_format: str
    conv_clamp: float | None = None


def _style_of(dlatents_in, dtype, base_shape, **settings):
    """Create the noise and take the dlatents [N,L,C] apart. settings: the other fields of `_Style`."""
    with tf.name_scope('_Styles'):  # the underscore hides the scope from list_layers()
        dlatents = tf.unstack(tf.cast(dlatents_in, dtype), axis=1)
    levels = [(layer_idx + 5) // 2 for layer_idx in range(len(dlatents) - 1)]
    noise = noise_inputs(levels, dtype, base_shape)
    return _Style(
        dlatents, noise, base_shape, dtype=dtype, data_format=device_layout(dlatents_in), **settings)


def _synthesis_layer(x, style, layer_idx, fmaps, up=False):
    """Apply modulated 3x3 convolution, bias, noise, activation and clamp (StyleGAN2, Figure 2).

    x [N,C,H,W] -> [N,fmaps,H,W], twice as large with `up`, in the dtype of x. Where the activation permits,
    its gain goes into the demodulation, the bias and the noise strength, which are all smaller than the
    feature maps.
    """
    before, after = gain_before_and_after(style.nonlinearity)
    x = modulated_conv2d_layer(
        x, style.dlatents[layer_idx], fmaps=fmaps, kernel=3, up=up, resample_kernel=style.resample_kernel,
        fused_modconv=style.fused_modconv, data_format=style.data_format, out_gain=before)
    noise = layer_noise(x, style.noise[layer_idx], style.randomize_noise, style.data_format)
    strength = tf.get_variable('noise_strength', shape=[], initializer=tf.initializers.zeros())
    x = apply_bias_act(x, bias_gain=before, data_format=style.data_format)  # directly after the convolution
    x += tf.cast(noise, x.dtype) * tf.cast(strength * before, x.dtype)
    return fused_bias_act(x, act=style.nonlinearity, gain=after, clamp=style.conv_clamp)


def _first_block(style, fmaps):
    """Repeat the learned constant and apply the first layer. -> [N,fmaps,H,W] of the base shape."""
    with tf.variable_scope('Const'):
        x = const_input(style.dlatents[0], fmaps, tf.initializers.random_normal(), style.data_format,
                        style.base_shape)
    with tf.variable_scope('Conv'):
        return _synthesis_layer(x, style, layer_idx=0, fmaps=fmaps)


def _synthesis_block(x, style, res_log2, fmaps, architecture):
    """Double the resolution to 2^res_log2 and apply two layers. x [N,C,H,W] -> [N,fmaps,2*H,2*W]."""
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


def _to_rgb(x, y, style, layer_idx, num_channels, scope='ToRGB'):
    """Return the image of the feature maps x [N,C,H,W], plus the image y of half the resolution, unless that
    is None. -> [N,num_channels,H,W]."""
    if y is not None:
        with tf.variable_scope('Upsample'):
            y = upsample_2d(y, k=style.resample_kernel, data_format=style.data_format)
    with tf.variable_scope(scope):
        t = modulated_conv2d_layer(
            x, style.dlatents[layer_idx], fmaps=num_channels, kernel=1, demodulate=False,
            fused_modconv=style.fused_modconv, data_format=style.data_format)
        t = apply_bias_act(t, clamp=style.conv_clamp, data_format=style.data_format)
        t = tf.cast(t, style.dtype)
        return t if y is None else t + y


def G_synthesis_stylegan2(
    dlatents_in,                            # Dlatents w of every layer, [N, num_layers, dlatent_size].
    dlatent_size = 512,                     # Length of w.
    num_channels = 3,                       # Image channels: 3 for RGB, 1 for grey.
    resolution = 1024,                      # Image side in pixels, a power of two.
    base_shape = None,                      # [height, width] at scope 4x4, doubled above. None = [4, 4].
    fmap_base = 16 << 10,                   # Feature maps that 2x2 pixels would have without limits.
    fmap_decay = 1.0,                       # Doubling the side divides them by 2^fmap_decay.
    fmap_min = 1,                           # Lower limit of feature maps per layer.
    fmap_max = 512,                         # Upper limit of feature maps per layer.
    randomize_noise = True,                 # Draw new noise at every evaluation? False = use variables.
    architecture = 'skip',                  # 'orig', 'skip' or 'resnet' (StyleGAN2, Figure 7).
    nonlinearity = 'lrelu',                 # Activation, a key of activation_funcs.
    dtype = 'float32',                      # Type of activations and output. See num_fp16_res.
    num_fp16_res = 0,                       # How many of the highest resolutions run in half_dtype.
    half_dtype = 'float16',                 # 'float16' or 'bfloat16'.
    conv_clamp = None,                      # Largest magnitude of convolution outputs. None = unlimited.
    resample_kernel = [1, 3, 3, 1],         # Filter taps of up- and downsampling. None = box filter.
    fused_modconv = True,                   # Modulate weights, not feature maps? Has no effect on CPUs.
    **_kwargs):                             # Ignored; meant for the other sub-network.
    """Turn dlatents into images [minibatch, num_channels, resolution, resolution] (configs E and F)."""
    assert architecture in ('orig', 'skip', 'resnet')
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    dlatents_in.set_shape([None, resolution_log2 * 2 - 2, dlatent_size])
    style = _style_of(
        dlatents_in, dtype, base_shape, randomize_noise=randomize_noise, nonlinearity=nonlinearity,
        resample_kernel=resample_kernel, fused_modconv=fused_modconv, conv_clamp=conv_clamp)

    y = None
    with tf.variable_scope('4x4'):
        x = _first_block(style, fmaps=nf(1))
        if architecture == 'skip':
            y = _to_rgb(x, y, style, layer_idx=1, num_channels=num_channels)
    for res_log2 in range(3, resolution_log2 + 1):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            x = tf.cast(x, block_dtype(res_log2, resolution_log2, num_fp16_res, dtype, half_dtype))
            x = _synthesis_block(x, style, res_log2, nf(res_log2 - 1), architecture)
            if architecture == 'skip' or res_log2 == resolution_log2:
                y = _to_rgb(x, y, style, layer_idx=res_log2 * 2 - 3, num_channels=num_channels)
    return tf.identity(change_layout(y, style.data_format, 'NCHW'), name='images_out')


def G_synthesis_stylegan_revised(
    dlatents_in,                            # Dlatents w of every layer, [N, num_layers, dlatent_size].
    dlatent_size = 512,                     # Length of w.
    num_channels = 3,                       # Image channels: 3 for RGB, 1 for grey.
    resolution = 1024,                      # Image side in pixels, a power of two.
    base_shape = None,                      # [height, width] at scope 4x4, doubled above. None = [4, 4].
    fmap_base = 16 << 10,                   # Feature maps that 2x2 pixels would have without limits.
    fmap_decay = 1.0,                       # Doubling the side divides them by 2^fmap_decay.
    fmap_min = 1,                           # Lower limit of feature maps per layer.
    fmap_max = 512,                         # Upper limit of feature maps per layer.
    randomize_noise = True,                 # Draw new noise at every evaluation? False = use variables.
    nonlinearity = 'lrelu',                 # Activation, a key of activation_funcs.
    dtype = 'float32',                      # Type of activations and output. Variables are float32.
    resample_kernel = [1, 3, 3, 1],         # Filter taps of up- and downsampling. None = box filter.
    fused_modconv = True,                   # Modulate weights, not feature maps? Has no effect on CPUs.
    structure = 'auto',                     # 'fixed', 'linear', 'recursive' or 'auto', see layers/growth.py.
    is_template_graph = False,              # Is this the call in which Network creates the variables?
    force_clean_graph = False,              # Build all layers with fixed noise, as in the template graph?
    **_kwargs):                             # Ignored; meant for the other sub-network.
    """Grow images [minibatch, num_channels, resolution, resolution] from dlatents (configs B to D)."""
    clean_graph = is_template_graph or force_clean_graph
    structure = choose_structure(structure, clean_graph)
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    dlatents_in.set_shape([None, resolution_log2 * 2 - 2, dlatent_size])
    lod = level_of_detail(dtype)
    style = _style_of(
        dlatents_in, dtype, base_shape, randomize_noise=randomize_noise and not clean_graph,
        nonlinearity=nonlinearity, resample_kernel=resample_kernel, fused_modconv=fused_modconv)

    with tf.variable_scope('4x4'):
        x = _first_block(style, fmaps=nf(1))

    def block(res_log2, x):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            return _synthesis_block(x, style, res_log2, nf(res_log2 - 1), architecture='orig')

    def to_rgb(res_log2, x):
        scope = f'ToRGB_lod{resolution_log2 - res_log2}'
        return _to_rgb(x, None, style, res_log2 * 2 - 3, num_channels, scope)

    y = grow_image(x, lod, structure, resolution_log2, block, to_rgb,
                   upscale=lambda y, factor: naive_upsample_2d(y, factor, style.data_format))
    return tf.identity(change_layout(y, style.data_format, 'NCHW'), name='images_out')


@dataclass(frozen=True)
class _Critic:
    """Settings that the layers of a discriminator share."""
    nonlinearity: str
    resample_kernel: list | None
    data_format: str
    conv_clamp: float | None = None


def _critic_layer(x, critic, fmaps, kernel, down=False):
    """Apply convolution, bias, activation and clamp. x [N,C,H,W] -> [N,fmaps,H,W], half as large with
    `down`."""
    return conv2d_bias_act(x, fmaps=fmaps, kernel=kernel, act=critic.nonlinearity, clamp=critic.conv_clamp,
                           down=down, resample_kernel=critic.resample_kernel, data_format=critic.data_format)


def _from_rgb(x, y, critic, fmaps, scope='FromRGB'):
    """Return feature maps of the image y [N,C,H,W], plus x unless that is None. -> [N,fmaps,H,W] in the dtype
    of y."""
    with tf.variable_scope(scope):
        t = _critic_layer(y, critic, fmaps=fmaps, kernel=1)
        return t if x is None else tf.cast(x, t.dtype) + t


def _critic_block(x, critic, fmaps, out_fmaps, architecture):
    """Apply two layers, the second of which halves the resolution. x [N,C,H,W] -> [N,out_fmaps,H/2,W/2]."""
    t = x
    with tf.variable_scope('Conv0'):
        x = _critic_layer(x, critic, fmaps=fmaps, kernel=3)
    with tf.variable_scope('Conv1_down'):
        x = _critic_layer(x, critic, fmaps=out_fmaps, kernel=3, down=True)
    if architecture == 'resnet':
        with tf.variable_scope('Skip'):
            t = conv2d_layer(t, fmaps=out_fmaps, kernel=1, down=True, resample_kernel=critic.resample_kernel,
                             data_format=critic.data_format)
            x = (x + t) * (1 / np.sqrt(2))
    return x


def _scores(x, labels, critic, nf, mbstd_group_size, mbstd_num_features):
    """Score feature maps x [N,C,H,W] -> [N,1]. labels [N,L]: with L > 0, weights of one score per class."""
    with tf.variable_scope('4x4'):
        if mbstd_group_size > 1:
            x = minibatch_stddev_layer(x, mbstd_group_size, mbstd_num_features, critic.data_format)
        with tf.variable_scope('Conv'):
            x = _critic_layer(x, critic, fmaps=nf(1), kernel=3)
        with tf.variable_scope('Dense0'):
            x = dense_bias_act(x, fmaps=nf(0), act=critic.nonlinearity, data_format=critic.data_format)
    with tf.variable_scope('Output'):
        label_size = labels.shape.as_list()[1]
        x = apply_bias_act(dense_layer(x, fmaps=max(label_size, 1)))
        if label_size > 0:
            x = tf.reduce_sum(x * tf.cast(labels, x.dtype), axis=1, keepdims=True)
    return tf.identity(x, name='scores_out')


def D_stylegan2(
    images_in,                              # Images, [N, num_channels, resolution, resolution].
    labels_in,                              # Labels of the images, [N, label_size].
    num_channels = 3,                       # Image channels: 3 for RGB, 1 for grey.
    resolution = 1024,                      # Image side in pixels, a power of two.
    base_shape = None,                      # [height, width] at scope 4x4, doubled above. None = [4, 4].
    label_size = 0,                         # Length of a label. 0 = no labels.
    fmap_base = 16 << 10,                   # Feature maps that 2x2 pixels would have without limits.
    fmap_decay = 1.0,                       # Doubling the side divides them by 2^fmap_decay.
    fmap_min = 1,                           # Lower limit of feature maps per layer.
    fmap_max = 512,                         # Upper limit of feature maps per layer.
    architecture = 'resnet',                # 'orig', 'skip' or 'resnet' (StyleGAN2, Figure 7).
    nonlinearity = 'lrelu',                 # Activation, a key of activation_funcs.
    mbstd_group_size = 4,                   # Samples per group of the minibatch stddev. 1 = no such layer.
    mbstd_num_features = 1,                 # Feature maps that the minibatch stddev appends.
    dtype = 'float32',                      # Type of activations and output. See num_fp16_res.
    num_fp16_res = 0,                       # How many of the highest resolutions run in half_dtype.
    half_dtype = 'float16',                 # 'float16' or 'bfloat16'.
    conv_clamp = None,                      # Largest magnitude of convolution outputs. None = unlimited.
    resample_kernel = [1, 3, 3, 1],         # Filter taps of up- and downsampling. None = box filter.
    **_kwargs):                             # Ignored.
    """Score images. -> [minibatch, 1] (configs E and F)."""
    assert architecture in ('orig', 'skip', 'resnet')
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    images_in.set_shape([None, num_channels, *level_shape(base_shape, resolution_log2)])
    labels_in.set_shape([None, label_size])
    critic = _Critic(nonlinearity, resample_kernel, device_layout(images_in), conv_clamp)

    def cast(x, res_log2):
        return tf.cast(x, block_dtype(res_log2, resolution_log2, num_fp16_res, dtype, half_dtype))

    x = None
    y = change_layout(tf.cast(images_in, dtype), 'NCHW', critic.data_format)
    for res_log2 in range(resolution_log2, 2, -1):
        scope = f'{2 ** res_log2}x{2 ** res_log2}'
        with tf.variable_scope(scope):
            if architecture == 'skip' or res_log2 == resolution_log2:
                x = _from_rgb(x, cast(y, res_log2), critic, fmaps=nf(res_log2 - 1))
            x = _critic_block(cast(x, res_log2), critic, nf(res_log2 - 1), nf(res_log2 - 2), architecture)
        if architecture == 'skip':
            with tf.variable_scope(f'{scope}/Downsample'):
                y = downsample_2d(y, k=resample_kernel, data_format=critic.data_format)
    if architecture == 'skip':
        with tf.variable_scope('4x4'):
            x = _from_rgb(x, cast(y, 2), critic, fmaps=nf(1))
    return _scores(tf.cast(x, dtype), labels_in, critic, nf, mbstd_group_size, mbstd_num_features)


def D_stylegan(
    images_in,                              # Images, [N, num_channels, resolution, resolution].
    labels_in,                              # Labels of the images, [N, label_size].
    num_channels = 3,                       # Image channels: 3 for RGB, 1 for grey.
    resolution = 1024,                      # Image side in pixels, a power of two.
    base_shape = None,                      # [height, width] at scope 4x4, doubled above. None = [4, 4].
    label_size = 0,                         # Length of a label. 0 = no labels.
    fmap_base = 16 << 10,                   # Feature maps that 2x2 pixels would have without limits.
    fmap_decay = 1.0,                       # Doubling the side divides them by 2^fmap_decay.
    fmap_min = 1,                           # Lower limit of feature maps per layer.
    fmap_max = 512,                         # Upper limit of feature maps per layer.
    nonlinearity = 'lrelu',                 # Activation, a key of activation_funcs.
    mbstd_group_size = 4,                   # Samples per group of the minibatch stddev. 1 = no such layer.
    mbstd_num_features = 1,                 # Feature maps that the minibatch stddev appends.
    dtype = 'float32',                      # Type of activations and output. Variables are float32.
    resample_kernel = [1, 3, 3, 1],         # Filter taps of up- and downsampling. None = box filter.
    structure = 'auto',                     # 'fixed', 'linear', 'recursive' or 'auto', see layers/growth.py.
    is_template_graph = False,              # Is this the call in which Network creates the variables?
    **_kwargs):                             # Ignored.
    """Score images in a network that grows. -> [minibatch, 1] (configs B to D)."""
    structure = choose_structure(structure, is_template_graph)
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    images_in.set_shape([None, num_channels, *level_shape(base_shape, resolution_log2)])
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

    x = grow_features(images, lod, structure, resolution_log2, block, from_rgb,
                      downscale=lambda y, factor: naive_downsample_2d(y, factor, critic.data_format))
    return _scores(x, labels_in, critic, nf, mbstd_group_size, mbstd_num_features)
