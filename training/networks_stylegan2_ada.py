"""Networks of StyleGAN2-ADA (Karras et al. 2020, "Training GANs with Limited Data").

They extend the networks of StyleGAN2's configs E and F with mixed precision, embedded labels and, in the
discriminator, the methods that the paper compares with.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
from dnnlib.base_shapes import level_shape
from dnnlib.tflib.ops.conv2d import change_layout, device_layout, per_channel
from dnnlib.tflib.ops.upfirdn_2d import downsample_2d, upsample_2d
from training.layers.equalized import apply_bias_act
from training.layers.equalized import resampled_conv2d as conv2d
from training.layers.normalization import apply_spectral_norm, normalize_2nd_moment
from training.layers.stages import Fmaps, block_dtype, log2_of_resolution
from training.layers.stylegan2_ada import (
    conv2d_layer,
    dense_layer,
    get_weight,
    minibatch_stddev_layer,
    modulated_conv2d_layer,
    multiplicative_dropout,
    pagan_bits,
    pagan_sign,
)
from training.layers.styles import broadcast_dlatents, make_components, styled_dlatents, synthesize
from training.layers.synthesis_inputs import const_input, layer_noise, noise_inputs

__all__ = [
    'D_main', 'G_main', 'G_mapping', 'G_synthesis', 'apply_bias_act', 'apply_spectral_norm', 'conv2d',
    'conv2d_layer', 'dense_layer', 'get_weight', 'minibatch_stddev_layer', 'modulated_conv2d_layer',
    'normalize_2nd_moment',
]


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
    synthesis_func = 'G_synthesis',         # Function of this module that builds the synthesis.
    **kwargs):                              # Passed to both sub-networks.
    """Map latents to dlatents, and these to images [minibatch, num_channels, resolution, resolution].

    With `return_dlatents`, returns (images, dlatents), where style mixing or truncation has been applied to
    the dlatents.
    """
    assert not (is_training and is_validation)
    if is_validation:
        truncation_psi, truncation_cutoff = truncation_psi_val, truncation_cutoff_val
    make_components(components, globals()[mapping_func], globals()[synthesis_func], kwargs)
    dlatents = styled_dlatents(
        components, latents_in, labels_in, lod=0, is_training=is_training, tracking_beta=dlatent_avg_beta,
        mixing_prob=style_mixing_prob, psi=truncation_psi, cutoff=truncation_cutoff, kwargs=kwargs)
    images_out = synthesize(components.synthesis, dlatents, lod=0, is_training=is_training,
                            force_clean_graph=is_template_graph, **kwargs)
    return (images_out, dlatents) if return_dlatents else images_out


def _embed_labels(labels, fmaps):
    """Map labels [N,L] to learned vectors [N,fmaps] of mean square 1."""
    with tf.variable_scope('LabelEmbed'):
        return normalize_2nd_moment(apply_bias_act(dense_layer(labels, fmaps=fmaps)))


def G_mapping(
    latents_in,                             # Latents z, [N, latent_size], standard normal.
    labels_in,                              # Labels, [N, label_size]; classes are one-hot.
    latent_size = 512,                      # Length of z.
    label_size = 0,                         # Length of a label. 0 = no labels.
    dlatent_size = 512,                     # Length of w.
    dlatent_broadcast = None,               # Number of layers to repeat w for. None = [N, dlatent_size].
    mapping_layers = 8,                     # Fully connected layers between z and w.
    mapping_fmaps = None,                   # Width of the hidden layers. None = dlatent_size.
    mapping_lrmul = 0.01,                   # Learning rate of these layers relative to all others.
    mapping_nonlinearity = 'lrelu',         # Activation of these layers, a key of activation_funcs.
    normalize_latents = True,               # Scale z to a mean square of 1?
    label_fmaps = None,                     # Length of an embedded label. None = latent_size.
    dtype = 'float32',                      # Type of activations and output. Variables are float32.
    **_kwargs):                             # Ignored; meant for the other sub-network.
    """Map latents z to dlatents w, [minibatch, dlatent_size] or [minibatch, layers, dlatent_size]."""
    latents_in.set_shape([None, latent_size])
    labels_in.set_shape([None, label_size])
    hidden_fmaps = dlatent_size if mapping_fmaps is None else mapping_fmaps
    x = tf.cast(latents_in, dtype)
    if normalize_latents:
        with tf.variable_scope('Normalize'):
            x = normalize_2nd_moment(x)
    if label_size > 0:
        y = _embed_labels(tf.cast(labels_in, dtype), latent_size if label_fmaps is None else label_fmaps)
        x = tf.concat([x, y], axis=1)
    for layer_idx in range(mapping_layers):
        fmaps = dlatent_size if layer_idx == mapping_layers - 1 else hidden_fmaps
        with tf.variable_scope(f'Dense{layer_idx}'):
            x = dense_layer(x, fmaps=fmaps, lrmul=mapping_lrmul)
            x = apply_bias_act(x, act=mapping_nonlinearity, lrmul=mapping_lrmul)
    return broadcast_dlatents(x, dlatent_broadcast)


@dataclass(frozen=True)
class _Style:
    """Inputs and settings that the layers of a synthesis network share."""
    dlatents: tf.Tensor  # [N,L,C]
    noise: list  # one tensor per layer, or empty
    randomize_noise: bool
    nonlinearity: str
    conv_clamp: float | None
    resample_kernel: list | None
    fused_modconv: bool
    dtype: str
    data_format: str


def _synthesis_layer(x, style, layer_idx, fmaps, up=False):
    """Apply modulated 3x3 convolution, noise, bias, activation and clamp.

    x [N,C,H,W] -> [N,fmaps,H,W], twice as large with `up`, in the dtype of x.
    """
    x = modulated_conv2d_layer(
        x, style.dlatents[:, layer_idx], fmaps=fmaps, kernel=3, up=up, resample_kernel=style.resample_kernel,
        fused_modconv=style.fused_modconv, data_format=style.data_format)
    if style.noise:
        noise = layer_noise(x, style.noise[layer_idx], style.randomize_noise, style.data_format)
        strength = tf.get_variable('noise_strength', shape=[], initializer=tf.initializers.zeros())
        x += tf.cast(noise, x.dtype) * tf.cast(strength, x.dtype)
    return apply_bias_act(x, act=style.nonlinearity, clamp=style.conv_clamp, data_format=style.data_format)


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


def _to_rgb(x, y, style, layer_idx, num_channels):
    """Return the image of the feature maps x [N,C,H,W], plus the image y of half the resolution, unless that
    is None. -> [N,num_channels,H,W]."""
    if y is not None:
        with tf.variable_scope('Upsample'):
            y = upsample_2d(y, k=style.resample_kernel, data_format=style.data_format)
    with tf.variable_scope('ToRGB'):
        t = modulated_conv2d_layer(
            x, style.dlatents[:, layer_idx], fmaps=num_channels, kernel=1, demodulate=False,
            fused_modconv=style.fused_modconv, data_format=style.data_format)
        t = apply_bias_act(t, clamp=style.conv_clamp, data_format=style.data_format)
        t = tf.cast(t, style.dtype)
        return t if y is None else t + y


def G_synthesis(
    dlatents_in,                            # Dlatents w of every layer, [N, num_layers, dlatent_size].
    dlatent_size = 512,                     # Length of w.
    num_channels = 3,                       # Image channels: 3 for RGB, 1 for grey.
    resolution = 1024,                      # Image side in pixels, a power of two.
    base_shape = None,                      # [height, width] at scope 4x4, doubled above. None = [4, 4].
    fmap_base = 16384,                      # Feature maps that 2x2 pixels would have without limits.
    fmap_decay = 1,                         # Doubling the side divides them by 2^fmap_decay.
    fmap_min = 1,                           # Lower limit of feature maps per layer.
    fmap_max = 512,                         # Upper limit of feature maps per layer.
    fmap_const = None,                      # Feature maps of the learned constant. None = as at 4x4.
    use_noise = True,                       # Add noise after every convolution?
    randomize_noise = True,                 # Draw new noise at every evaluation? False = use variables.
    architecture = 'skip',                  # 'orig', 'skip' or 'resnet' (StyleGAN2, Figure 7).
    nonlinearity = 'lrelu',                 # Activation, a key of activation_funcs.
    dtype = 'float32',                      # Type of activations and output. See num_fp16_res.
    num_fp16_res = 0,                       # How many of the highest resolutions run in half_dtype.
    half_dtype = 'float16',                 # 'float16' or 'bfloat16'.
    conv_clamp = None,                      # Largest magnitude of convolution outputs. None = unlimited.
    resample_kernel = [1, 3, 3, 1],         # Filter taps of up- and downsampling. None = box filter.
    fused_modconv = False,                  # Modulate weights, not feature maps? Has no effect on CPUs.
    **_kwargs):                             # Ignored; meant for the other sub-network.
    """Turn dlatents into images [minibatch, num_channels, resolution, resolution]."""
    assert architecture in ('orig', 'skip', 'resnet')
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    num_layers = resolution_log2 * 2 - 2
    dlatents_in.set_shape([None, num_layers, dlatent_size])
    levels = [(layer_idx + 5) // 2 for layer_idx in range(num_layers - 1)] if use_noise else []
    style = _Style(
        tf.cast(dlatents_in, dtype), noise_inputs(levels, dtype, base_shape), randomize_noise, nonlinearity,
        conv_clamp, resample_kernel, fused_modconv, dtype, data_format=device_layout(dlatents_in))

    y = None
    with tf.variable_scope('4x4'):
        with tf.variable_scope('Const'):
            x = const_input(style.dlatents, nf(1) if fmap_const is None else fmap_const,
                            tf.initializers.random_normal(), style.data_format, base_shape)
        with tf.variable_scope('Conv'):
            x = _synthesis_layer(x, style, layer_idx=0, fmaps=nf(1))
        if architecture == 'skip':
            y = _to_rgb(x, y, style, layer_idx=1, num_channels=num_channels)
    for res_log2 in range(3, resolution_log2 + 1):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            x = tf.cast(x, block_dtype(res_log2, resolution_log2, num_fp16_res, dtype, half_dtype))
            x = _synthesis_block(x, style, res_log2, nf(res_log2 - 1), architecture)
            if architecture == 'skip' or res_log2 == resolution_log2:
                y = _to_rgb(x, y, style, layer_idx=res_log2 * 2 - 3, num_channels=num_channels)
    return tf.identity(change_layout(y, style.data_format, 'NCHW'), name='images_out')


@dataclass
class _Critic:
    """Settings that the layers of a discriminator share, and their number so far."""
    nonlinearity: str
    resample_kernel: list | None
    conv_clamp: float | None
    use_spectral_norm: bool
    dropout_std: float | tf.Tensor | None
    pagan_bits: tf.Tensor | None  # [N,num_bits]
    freeze_layers: int
    data_format: str
    num_layers: int = 0

    def count_layer(self):
        """Count one more layer and return whether it is trained."""
        self.num_layers += 1
        return self.num_layers > self.freeze_layers


def _critic_conv(x, critic, fmaps, kernel, trainable, down=False, use_spectral_norm=False):
    """Apply convolution and dropout. x [N,C,H,W] -> [N,fmaps,H,W], half as large with `down`."""
    x = conv2d_layer(x, fmaps=fmaps, kernel=kernel, down=down, resample_kernel=critic.resample_kernel,
                     trainable=trainable, use_spectral_norm=use_spectral_norm, data_format=critic.data_format)
    return multiplicative_dropout(x, critic.dropout_std, critic.data_format)


def _critic_layer(x, critic, fmaps, down=False):
    """Apply 3x3 convolution, dropout, bias, activation and clamp. x [N,C,H,W] -> [N,fmaps,H,W], half as large
    with `down`."""
    trainable = critic.count_layer()
    x = _critic_conv(x, critic, fmaps=fmaps, kernel=3, trainable=trainable, down=down,
                     use_spectral_norm=critic.use_spectral_norm)
    return apply_bias_act(x, act=critic.nonlinearity, clamp=critic.conv_clamp, trainable=trainable,
                          data_format=critic.data_format)


def _from_rgb(x, y, critic, fmaps):
    """Return feature maps of the image y [N,C,H,W], plus x unless that is None. -> [N,fmaps,H,W] in the dtype
    of y."""
    trainable = critic.count_layer()
    with tf.variable_scope('FromRGB'):
        t = _critic_conv(y, critic, fmaps=fmaps, kernel=1, trainable=trainable)
        if critic.pagan_bits is not None:
            with tf.variable_scope('PAGAN'):
                bias = dense_layer(critic.pagan_bits, fmaps=fmaps, trainable=trainable)
                t += per_channel(bias, t, critic.data_format)
        t = apply_bias_act(t, act=critic.nonlinearity, clamp=critic.conv_clamp, trainable=trainable,
                           data_format=critic.data_format)
        return t if x is None else tf.cast(x, t.dtype) + t


def _critic_block(x, critic, fmaps, out_fmaps, architecture):
    """Apply two layers, the second of which halves the resolution. x [N,C,H,W] -> [N,out_fmaps,H/2,W/2]."""
    t = x
    with tf.variable_scope('Conv0'):
        x = _critic_layer(x, critic, fmaps=fmaps)
    with tf.variable_scope('Conv1_down'):
        x = _critic_layer(x, critic, fmaps=out_fmaps, down=True)
    if architecture == 'resnet':
        with tf.variable_scope('Skip'):
            t = _critic_conv(t, critic, fmaps=out_fmaps, kernel=1, trainable=critic.count_layer(), down=True)
            x = (x + t) * (1 / np.sqrt(2))
    return x


def D_main(
    images_in,                              # Images, [N, num_channels, resolution, resolution].
    labels_in,                              # Labels of the images, [N, label_size].
    num_channels = 3,                       # Image channels: 3 for RGB, 1 for grey.
    resolution = 1024,                      # Image side in pixels, a power of two.
    base_shape = None,                      # [height, width] at scope 4x4, doubled above. None = [4, 4].
    label_size = 0,                         # Length of a label. 0 = no labels.
    fmap_base = 16384,                      # Feature maps that 2x2 pixels would have without limits.
    fmap_decay = 1,                         # Doubling the side divides them by 2^fmap_decay.
    fmap_min = 1,                           # Lower limit of feature maps per layer.
    fmap_max = 512,                         # Upper limit of feature maps per layer.
    mapping_layers = 0,                     # Fully connected layers after the label embedding.
    mapping_fmaps = None,                   # Width of the embedding and these layers. None = that of Dense0.
    mapping_lrmul = 0.1,                    # Learning rate of these layers relative to all others.
    architecture = 'resnet',                # 'orig', 'skip' or 'resnet' (StyleGAN2, Figure 7).
    nonlinearity = 'lrelu',                 # Activation, a key of activation_funcs.
    mbstd_group_size = None,                # Samples per group of the minibatch stddev. None = all.
    mbstd_num_features = 1,                 # Feature maps that it appends. 0 = no such layer.
    dtype = 'float32',                      # Type of activations and output. See num_fp16_res.
    num_fp16_res = 0,                       # How many of the highest resolutions run in half_dtype.
    half_dtype = 'float16',                 # 'float16' or 'bfloat16'.
    conv_clamp = None,                      # Largest magnitude of convolution outputs. None = unlimited.
    resample_kernel = [1, 3, 3, 1],         # Filter taps of up- and downsampling. None = box filter.
    augment_strength = 0,                   # Strength of PA-GAN and dropout in [0, 1], number or variable.
    use_pagan = False,                      # Input random bits that may flip the score (PA-GAN)?
    pagan_num = 16,                         # Number of these bits at strength 1.
    pagan_fade = 0.5,                       # A bit fades in while strength * pagan_num grows by this.
    score_size = 1,                         # Scores per image to return.
    score_max = 1,                          # Scores per image that the last layer computes.
    use_spectral_norm = False,              # Divide 3x3 weights by their spectral norm?
    adaptive_dropout = 0,                   # Dropout by factors exp(N(0, s^2)), s = this * strength.
    freeze_layers = 0,                      # How many layers, counted from the image, are not trained.
    **_kwargs):                             # Ignored.
    """Score images. -> [minibatch, score_size]."""
    assert architecture in ('orig', 'skip', 'resnet')
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    images_in.set_shape([None, num_channels, *level_shape(base_shape, resolution_log2)])
    labels_in.set_shape([None, label_size])
    assert label_size == 0 or score_max == 1
    bits = pagan_bits(tf.shape(images_in)[0], pagan_num, augment_strength, pagan_fade) if use_pagan else None
    critic = _Critic(
        nonlinearity, resample_kernel, conv_clamp, use_spectral_norm,
        augment_strength * adaptive_dropout if adaptive_dropout != 0 else None, bits, freeze_layers,
        data_format=device_layout(images_in))
    if label_size > 0:
        label_fmaps = nf(0) if mapping_fmaps is None else mapping_fmaps
        labels = _embed_labels(tf.cast(labels_in, dtype), label_fmaps)
        for layer_idx in range(mapping_layers):
            with tf.variable_scope(f'Mapping{layer_idx}'):
                labels = dense_layer(labels, fmaps=label_fmaps, lrmul=mapping_lrmul)
                labels = apply_bias_act(labels, act=nonlinearity, lrmul=mapping_lrmul)

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
    x = tf.cast(x, dtype)
    with tf.variable_scope('4x4'):
        if mbstd_num_features > 0:
            x = minibatch_stddev_layer(x, mbstd_group_size, mbstd_num_features, critic.data_format)
        with tf.variable_scope('Conv'):
            x = _critic_layer(x, critic, fmaps=nf(1))
        with tf.variable_scope('Dense0'):
            trainable = critic.count_layer()
            x = dense_layer(x, fmaps=nf(0), trainable=trainable, data_format=critic.data_format)
            x = multiplicative_dropout(x, critic.dropout_std)
            x = apply_bias_act(x, act=nonlinearity, trainable=trainable)

    with tf.variable_scope('Output'):
        scores_out = apply_bias_act(dense_layer(x, fmaps=label_fmaps if label_size > 0 else score_max))
        if label_size > 0:  # Projection discriminator (Miyato and Koyama 2018).
            scores_out = tf.reduce_sum(scores_out * labels, axis=1, keepdims=True) / np.sqrt(label_fmaps)
    scores_out = scores_out[:, :score_size]
    if use_pagan:
        scores_out *= tf.cast(pagan_sign(bits), dtype)
    return tf.identity(scores_out, name='scores_out')
