"""Networks of StyleGAN (Karras et al. 2019, "A Style-Based Generator Architecture for GANs"); config A."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib.layers.growth import choose_structure, grow_features, grow_image, level_of_detail
from dnnlib.tflib.layers.minibatch_stddev import minibatch_stddev_layer
from dnnlib.tflib.layers.normalization import instance_norm, pixel_norm
from dnnlib.tflib.layers.stages import Fmaps, log2_of_resolution
from dnnlib.tflib.layers.stylegan import apply_bias, apply_noise, conv2d, dense, leaky_relu, style_mod
from dnnlib.tflib.layers.stylegan_resampling import conv2d_downscale2d, get_weight, upscale2d_conv2d
from dnnlib.tflib.layers.styles import map_latents, plain_number, styled_dlatents, synthesize
from dnnlib.tflib.layers.synthesis_inputs import const_input, noise_inputs
from dnnlib.tflib.ops.conv2d import change_layout, device_layout
from dnnlib.tflib.ops.stylegan_resampling import blur2d, downscale2d, upscale2d

__all__ = [
    'D_basic', 'G_mapping', 'G_style', 'G_synthesis', 'apply_bias', 'apply_noise', 'blur2d', 'conv2d',
    'conv2d_downscale2d', 'dense', 'downscale2d', 'get_weight', 'instance_norm', 'leaky_relu',
    'minibatch_stddev_layer', 'pixel_norm', 'style_mod', 'upscale2d', 'upscale2d_conv2d',
]

_ACTIVATIONS = {'relu': tf.nn.relu, 'lrelu': leaky_relu}  # their gain, sqrt(2), is in the weights


def G_style(
    latents_in,                             # First input: latent vectors (Z) [minibatch, latent_size].
    labels_in,                              # Second input: conditioning labels [minibatch, label_size].
    truncation_psi = 0.7,                   # Strength of the truncation trick. None = off.
    truncation_cutoff = 8,                  # Number of layers to which it applies. None = off.
    truncation_psi_val = None,              # Value of truncation_psi during validation.
    truncation_cutoff_val = None,           # Value of truncation_cutoff during validation.
    dlatent_avg_beta = 0.995,               # Decay of the running mean of W in training. None = not tracked.
    style_mixing_prob = 0.9,                # Probability of mixing styles during training. None = off.
    is_training = False,                    # Track W and mix styles?
    is_validation = False,                  # Use the truncation values for validation?
    is_template_graph = False,              # Set by Network: the graph that creates the variables.
    components = dnnlib.EasyDict(),         # Sub-networks, kept between calls.
    **kwargs):                              # Passed to both sub-networks.
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
    latents_in,                             # First input: latent vectors (Z) [minibatch, latent_size].
    labels_in,                              # Second input: conditioning labels [minibatch, label_size].
    latent_size = 512,                      # Z dimensionality.
    label_size = 0,                         # Label dimensionality, 0 = no labels.
    dlatent_size = 512,                     # W dimensionality.
    dlatent_broadcast = None,               # Repeat W for this many layers. None = one W without that axis.
    mapping_layers = 8,                     # Number of layers.
    mapping_fmaps = 512,                    # Width of the layers in between.
    mapping_lrmul = 0.01,                   # Learning rate multiplier of the layers.
    mapping_nonlinearity = 'lrelu',         # Activation: 'relu' or 'lrelu'.
    use_wscale = True,                      # Equalized learning rate?
    normalize_latents = True,               # Normalize the latents before the first layer?
    dtype = 'float32',                      # Data type of activations and output.
    **_kwargs):                             # Ignored: keywords for the other sub-network.
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
    dlatents_in,                            # Input: dlatents (W) [minibatch, num_layers, dlatent_size].
    dlatent_size = 512,                     # W dimensionality.
    num_channels = 3,                       # Number of output color channels.
    resolution = 1024,                      # Output resolution.
    fmap_base = 8192,                       # Overall multiplier for the number of feature maps.
    fmap_decay = 1.0,                       # log2 feature map reduction when doubling the resolution.
    fmap_max = 512,                         # Maximum number of feature maps in any layer.
    use_styles = True,                      # Styles in every layer? False = the input is a single dlatent.
    const_input_layer = True,               # Start from a learned constant? False = from the first dlatent.
    use_noise = True,                       # Noise in every layer?
    randomize_noise = True,                 # Fresh noise at every evaluation? False = the noise variables.
    nonlinearity = 'lrelu',                 # Activation: 'relu' or 'lrelu'.
    use_wscale = True,                      # Equalized learning rate?
    use_pixel_norm = False,                 # Normalize every pixel over its channels?
    use_instance_norm = True,               # Normalize every channel over its pixels?
    dtype = 'float32',                      # Data type of activations and output.
    fused_scale = 'auto',                   # Upscale and convolve as one? 'auto' = from 128 pixels on.
    blur_filter = [1, 2, 1],                # Low-pass filter after upscaling. None = no filter.
    structure = 'auto',                     # 'fixed', 'linear' or 'recursive' growing (layers.growth).
    is_template_graph = False,              # Set by Network: the graph that creates the variables.
    force_clean_graph = False,              # Build all layers, without random noise?
    **_kwargs):                             # Ignored: keywords for the other sub-network.
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
    images_in,                              # First input: images [minibatch, channels, height, width].
    labels_in,                              # Second input: labels [minibatch, label_size].
    num_channels = 1,                       # Number of input color channels.
    resolution = 32,                        # Input resolution.
    label_size = 0,                         # Label dimensionality, 0 = no labels.
    fmap_base = 8192,                       # Overall multiplier for the number of feature maps.
    fmap_decay = 1.0,                       # log2 feature map reduction when doubling the resolution.
    fmap_max = 512,                         # Maximum number of feature maps in any layer.
    nonlinearity = 'lrelu',                 # Activation: 'relu' or 'lrelu'.
    use_wscale = True,                      # Equalized learning rate?
    mbstd_group_size = 4,                   # Group size of the minibatch standard deviation, 1 = no layer.
    mbstd_num_features = 1,                 # Number of features of the minibatch standard deviation.
    dtype = 'float32',                      # Data type of activations and output.
    fused_scale = 'auto',                   # Convolve and downscale as one? 'auto' = from 128 pixels on.
    blur_filter = [1, 2, 1],                # Low-pass filter before downscaling. None = no filter.
    structure = 'auto',                     # 'fixed', 'linear' or 'recursive' growing (layers.growth).
    is_template_graph = False,              # Set by Network: the graph that creates the variables.
    **_kwargs):                             # Ignored.
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
