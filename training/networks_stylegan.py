"""Networks of StyleGAN (Karras et al. 2019, "A Style-Based Generator Architecture for GANs"); config A."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
from dnnlib.base_shapes import level_shape
from dnnlib.tflib.ops.conv2d import change_layout, device_layout
from dnnlib.tflib.ops.stylegan_resampling import blur2d, downscale2d, upscale2d
from dnnlib.tflib.tfutil import is_tf_expression
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
from training.layers.styles import (
    broadcast_dlatents,
    concat_label_embedding,
    make_components,
    styled_dlatents,
    synthesize,
)
from training.layers.synthesis_inputs import const_input, noise_inputs

__all__ = [
    'D_basic', 'G_mapping', 'G_style', 'G_synthesis', 'apply_bias', 'apply_noise', 'blur2d', 'conv2d',
    'conv2d_downscale2d', 'dense', 'downscale2d', 'get_weight', 'instance_norm', 'leaky_relu',
    'minibatch_stddev_layer', 'pixel_norm', 'style_mod', 'upscale2d', 'upscale2d_conv2d',
]

_ACTIVATIONS = {'relu': tf.nn.relu, 'lrelu': leaky_relu}  # The weights include their gain, sqrt(2).


def G_style(
    latents_in,                             # Latents z, [N, latent_size], standard normal.
    labels_in,                              # Labels, [N, label_size]; classes are one-hot.
    truncation_psi = 0.7,                   # psi in w <- mean + psi * (w - mean). None = no truncation.
    truncation_cutoff = 8,                  # How many of the first layers to truncate. None = 0.
    truncation_psi_val = None,              # Replaces truncation_psi if is_validation.
    truncation_cutoff_val = None,           # Replaces truncation_cutoff if is_validation.
    dlatent_avg_beta = 0.995,               # Training: mean <- lerp(batch mean, mean, beta). None = keep it.
    style_mixing_prob = 0.9,                # Share of training minibatches that mix two w. None = 0.
    is_training = False,                    # Track the mean of w and mix styles instead of truncating?
    is_validation = False,                  # Truncate by truncation_psi_val and truncation_cutoff_val?
    is_template_graph = False,              # Is this the call in which Network creates the variables?
    components = dnnlib.EasyDict(),         # Sub-networks. The first call creates them, later calls use them.
    **kwargs):                              # Passed to both sub-networks.
    """Map latents to dlatents, and these to images [minibatch, num_channels, resolution, resolution]."""
    assert not (is_training and is_validation)
    if is_validation:
        truncation_psi, truncation_cutoff = truncation_psi_val, truncation_cutoff_val
    if truncation_cutoff is None or (not is_tf_expression(truncation_cutoff) and truncation_cutoff <= 0):
        truncation_psi = None
    make_components(components, G_mapping, G_synthesis, kwargs)
    lod = level_of_detail()
    dlatents = styled_dlatents(
        components, latents_in, labels_in, lod, is_training=is_training, tracking_beta=dlatent_avg_beta,
        mixing_prob=style_mixing_prob, psi=truncation_psi, cutoff=truncation_cutoff, kwargs=kwargs)
    return synthesize(components.synthesis, dlatents, lod, force_clean_graph=is_template_graph, **kwargs)


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
    mapping_nonlinearity = 'lrelu',         # Activation of these layers, 'lrelu' or 'relu'.
    use_wscale = True,                      # Equalize the learning rate by scaling weights at run time?
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
            x = dense(x, fmaps=fmaps, use_wscale=use_wscale, lrmul=mapping_lrmul)
            x = _ACTIVATIONS[mapping_nonlinearity](apply_bias(x, lrmul=mapping_lrmul))
    return broadcast_dlatents(x, dlatent_broadcast)


@dataclass(frozen=True)
class _Style:
    """Inputs and settings that the layers of the synthesis network share."""
    dlatents: tf.Tensor  # [N,L,C]
    noise: list | None  # one tensor per layer
    randomize_noise: bool
    nonlinearity: str
    use_wscale: bool
    use_styles: bool
    use_pixel_norm: bool
    use_instance_norm: bool
    data_format: str


def _epilogue(x, style, layer_idx):
    """Apply noise, bias, activation, normalization and style (StyleGAN, Figure 1b). Same shape as x."""
    data_format = style.data_format
    if style.noise is not None:
        x = apply_noise(x, style.noise[layer_idx], style.randomize_noise, data_format=data_format)
    x = _ACTIVATIONS[style.nonlinearity](apply_bias(x, data_format=data_format))
    if style.use_pixel_norm:
        x = pixel_norm(x, data_format=data_format)
    if style.use_instance_norm:
        x = instance_norm(x, data_format=data_format)
    if style.use_styles:
        x = style_mod(x, style.dlatents[:, layer_idx], use_wscale=style.use_wscale, data_format=data_format)
    return x


def G_synthesis(
    dlatents_in,                            # Dlatents w of every layer, [N, num_layers, dlatent_size].
    dlatent_size = 512,                     # Length of w.
    num_channels = 3,                       # Image channels: 3 for RGB, 1 for grey.
    resolution = 1024,                      # Image side in pixels, a power of two.
    base_shape = None,                      # [height, width] at scope 4x4, doubled above. None = [4, 4].
    fmap_base = 8192,                       # Feature maps that 2x2 pixels would have without limits.
    fmap_decay = 1.0,                       # Doubling the side divides them by 2^fmap_decay.
    fmap_max = 512,                         # Upper limit of feature maps per layer.
    use_styles = True,                      # Style every layer by its own w (AdaIN)? False = num_layers is 1.
    const_input_layer = True,               # Start from a learned constant? False = from a dense layer of w.
    use_noise = True,                       # Add noise after every convolution?
    randomize_noise = True,                 # Draw new noise at every evaluation? False = use variables.
    nonlinearity = 'lrelu',                 # Activation, 'lrelu' or 'relu'.
    use_wscale = True,                      # Equalize the learning rate by scaling weights at run time?
    use_pixel_norm = False,                 # Scale the channels of every pixel to a mean square of 1?
    use_instance_norm = True,               # Give every feature map mean 0 and variance 1 (AdaIN)?
    dtype = 'float32',                      # Type of activations and output. Variables are float32.
    fused_scale = 'auto',                   # Fuse upscaling with convolution? 'auto' = at >= 128 pixels.
    blur_filter = [1, 2, 1],                # Filter taps of the blur after upscaling. None = no blur.
    structure = 'auto',                     # 'fixed', 'linear', 'recursive' or 'auto', see layers/growth.py.
    is_template_graph = False,              # Is this the call in which Network creates the variables?
    force_clean_graph = False,              # Build all layers with fixed noise, as in the template graph?
    **_kwargs):                             # Ignored; meant for the other sub-network.
    """Grow images [minibatch, num_channels, resolution, resolution] from dlatents."""
    clean_graph = is_template_graph or force_clean_graph
    structure = choose_structure(structure, clean_graph)
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, fmap_max)
    num_layers = resolution_log2 * 2 - 2
    dlatents_in.set_shape([None, num_layers if use_styles else 1, dlatent_size])
    data_format = device_layout(dlatents_in)
    lod = level_of_detail(dtype)
    levels = [layer_idx // 2 + 2 for layer_idx in range(num_layers)]
    style = _Style(
        tf.cast(dlatents_in, dtype), noise_inputs(levels, dtype, base_shape) if use_noise else None,
        randomize_noise and not clean_graph, nonlinearity, use_wscale, use_styles, use_pixel_norm,
        use_instance_norm, data_format)
    options = dict(use_wscale=use_wscale, data_format=data_format)

    with tf.variable_scope('4x4'):
        if const_input_layer:
            with tf.variable_scope('Const'):
                x = const_input(style.dlatents, nf(1), tf.initializers.ones(), data_format, base_shape)
                x = _epilogue(x, style, layer_idx=0)
        else:
            with tf.variable_scope('Dense'):
                # A quarter of the gain elsewhere, as in Progressive GAN.
                shape = [nf(1), *level_shape(base_shape, 2)]  # [C,H,W]
                x = dense(style.dlatents[:, 0], np.prod(shape), gain=np.sqrt(2) / 4, use_wscale=use_wscale)
                x = tf.reshape(x, [-1, *shape])  # [N,C*H*W] -> [N,C,H,W]
                x = _epilogue(change_layout(x, 'NCHW', data_format), style, layer_idx=0)
        with tf.variable_scope('Conv'):
            x = _epilogue(conv2d(x, fmaps=nf(1), kernel=3, **options), style, layer_idx=1)

    def block(res_log2, x):
        fmaps = nf(res_log2 - 1)
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            with tf.variable_scope('Conv0_up'):
                x = upscale2d_conv2d(x, fmaps=fmaps, kernel=3, fused_scale=fused_scale, **options)
                if blur_filter:
                    x = blur2d(x, blur_filter, data_format=data_format)
                x = _epilogue(x, style, layer_idx=res_log2 * 2 - 4)
            with tf.variable_scope('Conv1'):
                x = conv2d(x, fmaps=fmaps, kernel=3, **options)
                return _epilogue(x, style, layer_idx=res_log2 * 2 - 3)

    def to_rgb(res_log2, x):
        with tf.variable_scope(f'ToRGB_lod{resolution_log2 - res_log2}'):
            x = conv2d(x, fmaps=num_channels, kernel=1, gain=1, **options)
            return apply_bias(x, data_format=data_format)

    images_out = grow_image(x, lod, structure, resolution_log2, block, to_rgb,
                            upscale=lambda y, factor: upscale2d(y, factor, data_format=data_format))
    return tf.identity(change_layout(images_out, data_format, 'NCHW'), name='images_out')


def D_basic(
    images_in,                              # Images, [N, num_channels, resolution, resolution].
    labels_in,                              # Labels of the images, [N, label_size].
    num_channels = 1,                       # Image channels: 3 for RGB, 1 for grey.
    resolution = 32,                        # Image side in pixels, a power of two.
    base_shape = None,                      # [height, width] at scope 4x4, doubled above. None = [4, 4].
    label_size = 0,                         # Length of a label. 0 = no labels.
    fmap_base = 8192,                       # Feature maps that 2x2 pixels would have without limits.
    fmap_decay = 1.0,                       # Doubling the side divides them by 2^fmap_decay.
    fmap_max = 512,                         # Upper limit of feature maps per layer.
    nonlinearity = 'lrelu',                 # Activation, 'lrelu' or 'relu'.
    use_wscale = True,                      # Equalize the learning rate by scaling weights at run time?
    mbstd_group_size = 4,                   # Samples per group of the minibatch stddev. 1 = no such layer.
    mbstd_num_features = 1,                 # Feature maps that the minibatch stddev appends.
    dtype = 'float32',                      # Type of activations and output. Variables are float32.
    fused_scale = 'auto',                   # Fuse downscaling with convolution? 'auto' = at >= 128 pixels.
    blur_filter = [1, 2, 1],                # Filter taps of the blur before downscaling. None = no blur.
    structure = 'auto',                     # 'fixed', 'linear', 'recursive' or 'auto', see layers/growth.py.
    is_template_graph = False,              # Is this the call in which Network creates the variables?
    **_kwargs):                             # Ignored.
    """Score images in a network that grows. -> [minibatch, 1]."""
    structure = choose_structure(structure, is_template_graph)
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, fmap_max)
    images_in.set_shape([None, num_channels, *level_shape(base_shape, resolution_log2)])
    labels_in.set_shape([None, label_size])
    data_format = device_layout(images_in)
    options = dict(use_wscale=use_wscale, data_format=data_format)
    lod = level_of_detail(dtype)
    images = change_layout(tf.cast(images_in, dtype), 'NCHW', data_format)

    def bias_act(x):
        return _ACTIVATIONS[nonlinearity](apply_bias(x, data_format=data_format))

    def from_rgb(res_log2, y):
        with tf.variable_scope(f'FromRGB_lod{resolution_log2 - res_log2}'):
            return bias_act(conv2d(y, fmaps=nf(res_log2 - 1), kernel=1, **options))

    def block(res_log2, x):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            with tf.variable_scope('Conv0'):
                x = bias_act(conv2d(x, fmaps=nf(res_log2 - 1), kernel=3, **options))
            with tf.variable_scope('Conv1_down'):
                if blur_filter:
                    x = blur2d(x, blur_filter, data_format=data_format)
                x = conv2d_downscale2d(x, nf(res_log2 - 2), kernel=3, fused_scale=fused_scale, **options)
                return bias_act(x)

    x = grow_features(images, lod, structure, resolution_log2, block, from_rgb,
                      downscale=lambda y, factor: downscale2d(y, factor, data_format=data_format))
    with tf.variable_scope('4x4'):
        if mbstd_group_size > 1:
            x = minibatch_stddev_layer(x, mbstd_group_size, mbstd_num_features, data_format=data_format)
        with tf.variable_scope('Conv'):
            x = bias_act(conv2d(x, fmaps=nf(1), kernel=3, **options))
        with tf.variable_scope('Dense0'):
            x = bias_act(dense(x, fmaps=nf(0), **options))
        with tf.variable_scope('Dense1'):
            x = apply_bias(dense(x, fmaps=max(label_size, 1), gain=1, use_wscale=use_wscale))
    if label_size > 0:  # one score per class
        x = tf.reduce_sum(x * tf.cast(labels_in, dtype), axis=1, keepdims=True)
    return tf.identity(x, name='scores_out')
