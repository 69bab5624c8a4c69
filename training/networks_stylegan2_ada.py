"""Networks of StyleGAN2-ADA (Karras et al. 2020, "Training GANs with Limited Data").

They are StyleGAN2's networks of configs E and F with mixed precision, another treatment of labels and, in the
discriminator, methods that the paper compares with.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib.ops.conv2d import change_layout, device_layout, per_channel
from dnnlib.tflib.ops.upfirdn_2d import downsample_2d, upsample_2d
from training.layers.equalized import apply_bias_act
from training.layers.normalization import apply_spectral_norm, normalize_2nd_moment
from training.layers.stages import Fmaps, log2_of_resolution
from training.layers.stylegan2_ada import (
    conv2d,
    conv2d_layer,
    dense_layer,
    get_weight,
    minibatch_stddev_layer,
    modulated_conv2d_layer,
    multiplicative_dropout,
    pagan_bits,
    pagan_sign,
)
from training.layers.styles import map_vectors, plain_number, styled_dlatents, synthesize
from training.layers.synthesis_inputs import const_input, layer_noise, noise_inputs

__all__ = [
    'D_main', 'G_main', 'G_mapping', 'G_synthesis', 'apply_bias_act', 'apply_spectral_norm', 'conv2d',
    'conv2d_layer', 'dense_layer', 'get_weight', 'minibatch_stddev_layer', 'modulated_conv2d_layer',
    'normalize_2nd_moment',
]


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
    synthesis_func = 'G_synthesis',         # Name of the function here that builds the synthesis network.
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
    dlatent_avg = tf.get_variable('dlatent_avg', shape=[dlatent_size], initializer=tf.initializers.zeros(),
                                  trainable=False)

    def mapping(latents, labels):
        dlatents = components.mapping.get_output_for(latents, labels, is_training=is_training, **kwargs)
        return tf.cast(dlatents, tf.float32)

    dlatents = styled_dlatents(
        mapping, latents_in, labels_in, dlatent_avg, lod=0, tracking_beta=dlatent_avg_beta,
        mixing_prob=style_mixing_prob, psi=truncation_psi, cutoff=truncation_cutoff)
    images_out = synthesize(components.synthesis, dlatents, lod=0, is_training=is_training,
                            force_clean_graph=is_template_graph, **kwargs)
    return (images_out, dlatents) if return_dlatents else images_out


def _embed_labels(labels, fmaps):
    """Learned vectors of mean square 1. labels [N,L] -> [N,fmaps]."""
    with tf.variable_scope('LabelEmbed'):
        return normalize_2nd_moment(apply_bias_act(dense_layer(labels, fmaps=fmaps)))


def G_mapping(
    latents_in,                             # z [N, latent_size], standard normal.
    labels_in,                              # Labels [N, label_size], one-hot for classes.
    latent_size = 512,                      # Components of z.
    label_size = 0,                         # Components of a label, 0 = no labels.
    dlatent_size = 512,                     # Components of w.
    dlatent_broadcast = None,               # Return w so many times, one per layer. None = once, [N, C].
    mapping_layers = 8,                     # Fully connected layers from z to w.
    mapping_fmaps = None,                   # Outputs of each but the last. None = dlatent_size.
    mapping_lrmul = 0.01,                   # Their learning rate relative to that of other layers.
    mapping_nonlinearity = 'lrelu',         # Their activation, a key of activation_funcs.
    normalize_latents = True,               # Scale z to a mean square of 1?
    label_fmaps = None,                     # Components of an embedded label. None = latent_size.
    dtype = 'float32',                      # Of activations and output. Variables are float32.
    **_kwargs):                             # For the other sub-network, without effect here.
    """Mapping network: Z -> W, [minibatch, dlatent_size] or, broadcast, [minibatch, layers, dlatent_size]."""
    latents_in.set_shape([None, latent_size])
    labels_in.set_shape([None, label_size])

    def layer(x, layer_idx):
        hidden_fmaps = dlatent_size if mapping_fmaps is None else mapping_fmaps
        x = dense_layer(x, fmaps=dlatent_size if layer_idx == mapping_layers - 1 else hidden_fmaps,
                        lrmul=mapping_lrmul)
        return apply_bias_act(x, act=mapping_nonlinearity, lrmul=mapping_lrmul)

    x = tf.cast(latents_in, dtype)
    if normalize_latents:
        with tf.variable_scope('Normalize'):
            x = normalize_2nd_moment(x)
    if label_size > 0:
        y = _embed_labels(tf.cast(labels_in, dtype), latent_size if label_fmaps is None else label_fmaps)
        x = tf.concat([x, y], axis=1)
    dlatents_out = map_vectors(x, layer, mapping_layers, broadcast=dlatent_broadcast)
    assert dlatents_out.dtype == tf.as_dtype(dtype)
    return dlatents_out


@dataclass(frozen=True)
class _Style:
    """What the layers of a synthesis network share. `dlatents` [N,L,C]; `noise`: one per layer, or empty."""
    dlatents: tf.Tensor
    noise: list
    nonlinearity: str
    resample_kernel: list | None
    fused_modconv: bool
    randomize_noise: bool
    conv_clamp: float | None
    data_format: str


def _synthesis_layer(x, style, layer_idx, fmaps, up=False):
    """Modulated 3x3 convolution, noise, bias, activation, clamp. x [N,C,H,W] -> [N,fmaps,H,W], twice as large
    with `up`, in the dtype of x."""
    x = modulated_conv2d_layer(
        x, style.dlatents[:, layer_idx], fmaps=fmaps, kernel=3, up=up, resample_kernel=style.resample_kernel,
        fused_modconv=style.fused_modconv, data_format=style.data_format)
    if style.noise:
        noise = layer_noise(x, style.noise[layer_idx], style.randomize_noise, style.data_format)
        strength = tf.get_variable('noise_strength', shape=[], initializer=tf.initializers.zeros())
        x += tf.cast(noise, x.dtype) * tf.cast(strength, x.dtype)
    return apply_bias_act(x, act=style.nonlinearity, clamp=style.conv_clamp, data_format=style.data_format)


def _to_rgb(x, y, style, layer_idx, num_channels, dtype):
    """Image of the feature maps x, plus the image y if there is one. x [N,C,H,W] -> [N,num_channels,H,W]."""
    with tf.variable_scope('ToRGB'):
        t = modulated_conv2d_layer(
            x, style.dlatents[:, layer_idx], fmaps=num_channels, kernel=1, demodulate=False,
            fused_modconv=style.fused_modconv, data_format=style.data_format)
        t = apply_bias_act(t, clamp=style.conv_clamp, data_format=style.data_format)
        t = tf.cast(t, dtype)
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


def G_synthesis(
    dlatents_in,                            # w of every layer, [N, num_layers, dlatent_size].
    dlatent_size = 512,                     # Components of w.
    num_channels = 3,                       # Channels of an image, 3 = RGB, 1 = grey.
    resolution = 1024,                      # Side of an image in pixels, a power of two.
    fmap_base = 16384,                      # Feature maps that 2x2 pixels would have if nothing limited them.
    fmap_decay = 1,                         # Feature maps shrink by 2^fmap_decay where the side doubles.
    fmap_min = 1,                           # Every layer has this many feature maps at least.
    fmap_max = 512,                         # Every layer has this many feature maps at most.
    fmap_const = None,                      # Feature maps of the learned constant. None = nf(1), as at 4x4.
    use_noise = True,                       # Add noise to every layer?
    randomize_noise = True,                 # Draw noise at every evaluation? False = variables noise<layer>.
    architecture = 'skip',                  # 'orig', 'skip' or 'resnet' (StyleGAN2, Figure 7).
    nonlinearity = 'lrelu',                 # Activation of the layers, a key of activation_funcs.
    dtype = 'float32',                      # Of activations and output, but for num_fp16_res.
    num_fp16_res = 0,                       # This many resolutions, the highest ones, run in float16.
    conv_clamp = None,                      # Clamp activations to [-conv_clamp, conv_clamp]. None = do not.
    resample_kernel = [1, 3, 3, 1],         # Taps of the resampling filter, normalized. None = box.
    fused_modconv = False,                  # Modulate weights, not feature maps, if the device can train it?
    **_kwargs):                             # For the other sub-network, without effect here.
    """Synthesis network: W -> images [minibatch, num_channels, resolution, resolution]."""
    assert architecture in ('orig', 'skip', 'resnet')
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    num_layers = resolution_log2 * 2 - 2
    dlatents_in.set_shape([None, num_layers, dlatent_size])
    noise_sizes = [2 ** ((layer_idx + 5) // 2) for layer_idx in range(num_layers - 1)] if use_noise else []
    style = _Style(
        tf.cast(dlatents_in, dtype), noise_inputs(noise_sizes, dtype), nonlinearity, resample_kernel,
        fused_modconv, randomize_noise, conv_clamp, data_format=device_layout(dlatents_in))

    y = None
    with tf.variable_scope('4x4'):
        with tf.variable_scope('Const'):
            x = const_input(style.dlatents, nf(1) if fmap_const is None else fmap_const,
                            tf.initializers.random_normal(), style.data_format)
        with tf.variable_scope('Conv'):
            x = _synthesis_layer(x, style, layer_idx=0, fmaps=nf(1))
        if architecture == 'skip':
            y = _to_rgb(x, y, style, layer_idx=1, num_channels=num_channels, dtype=dtype)

    for res_log2 in range(3, resolution_log2 + 1):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            x = tf.cast(x, tf.float16 if res_log2 > resolution_log2 - num_fp16_res else dtype)
            x = _synthesis_block(x, style, res_log2, nf(res_log2 - 1), architecture)
            if architecture == 'skip':
                y = _upsample(y, style)
            if architecture == 'skip' or res_log2 == resolution_log2:
                y = _to_rgb(x, y, style, res_log2 * 2 - 3, num_channels=num_channels, dtype=dtype)

    images_out = change_layout(y, style.data_format, 'NCHW')
    assert images_out.dtype == tf.as_dtype(dtype)
    return tf.identity(images_out, name='images_out')


@dataclass
class _Critic:
    """What the layers of a discriminator have in common, and how many of them there are by now."""
    nonlinearity: str
    resample_kernel: list | None
    conv_clamp: float | None
    use_spectral_norm: bool
    dropout_std: float | tf.Tensor | None
    pagan_bits: tf.Tensor | None  # [N,num_bits]
    freeze_layers: int
    data_format: str
    num_layers: int = 0

    def next_is_trainable(self):
        """Count one more layer: is it behind the frozen ones?"""
        self.num_layers += 1
        return self.num_layers > self.freeze_layers


def _critic_conv(x, critic, fmaps, kernel, trainable, down=False, use_spectral_norm=False):
    """Convolution without bias, and dropout. x [N,C,H,W] -> [N,fmaps,H',W']."""
    x = conv2d_layer(x, fmaps=fmaps, kernel=kernel, down=down, resample_kernel=critic.resample_kernel,
                     trainable=trainable, use_spectral_norm=use_spectral_norm, data_format=critic.data_format)
    return multiplicative_dropout(x, critic.dropout_std, critic.data_format)


def _critic_layer(x, critic, fmaps, down=False):
    """3x3 convolution, bias, activation, clamp. x [N,C,H,W] -> [N,fmaps,H',W'], half as large with `down`."""
    trainable = critic.next_is_trainable()
    x = _critic_conv(x, critic, fmaps=fmaps, kernel=3, trainable=trainable, down=down,
                     use_spectral_norm=critic.use_spectral_norm)
    return apply_bias_act(x, act=critic.nonlinearity, clamp=critic.conv_clamp, trainable=trainable,
                          data_format=critic.data_format)


def _from_rgb(x, y, critic, fmaps):
    """Feature maps of the image y, in its dtype, plus x if there is any. y [N,C,H,W] -> [N,fmaps,H,W]."""
    trainable = critic.next_is_trainable()
    with tf.variable_scope('FromRGB'):
        t = _critic_conv(y, critic, fmaps=fmaps, kernel=1, trainable=trainable)
        if critic.pagan_bits is not None:
            with tf.variable_scope('PAGAN'):
                bias = dense_layer(critic.pagan_bits, fmaps=fmaps, trainable=trainable)
                t += per_channel(bias, t, critic.data_format)
        t = apply_bias_act(t, act=critic.nonlinearity, clamp=critic.conv_clamp, trainable=trainable,
                           data_format=critic.data_format)
        return t if x is None else tf.cast(x, t.dtype) + t


def _downsample(y, critic):
    """Image at half the resolution. y [N,C,H,W] -> [N,C,H/2,W/2]."""
    with tf.variable_scope('Downsample'):
        return downsample_2d(y, k=critic.resample_kernel, data_format=critic.data_format)


def _critic_block(x, critic, fmaps, out_fmaps, architecture):
    """Two layers; the second one halves the resolution. x [N,C,H,W] -> [N,out_fmaps,H/2,W/2]."""
    t = x
    with tf.variable_scope('Conv0'):
        x = _critic_layer(x, critic, fmaps=fmaps)
    with tf.variable_scope('Conv1_down'):
        x = _critic_layer(x, critic, fmaps=out_fmaps, down=True)
    if architecture == 'resnet':
        with tf.variable_scope('Skip'):
            t = _critic_conv(t, critic, fmaps=out_fmaps, kernel=1, trainable=critic.next_is_trainable(),
                             down=True)
            x = (x + t) * (1 / np.sqrt(2))
    return x


def _critic_tail(x, critic, nf, mbstd_group_size, mbstd_num_features):
    """From 4x4 feature maps [N,C,4,4] to one vector per sample [N,nf(0)]."""
    with tf.variable_scope('4x4'):
        if mbstd_num_features > 0:
            with tf.variable_scope('MinibatchStddev'):
                x = minibatch_stddev_layer(x, mbstd_group_size, mbstd_num_features,
                                           data_format=critic.data_format)
        with tf.variable_scope('Conv'):
            x = _critic_layer(x, critic, fmaps=nf(1))
        with tf.variable_scope('Dense0'):
            trainable = critic.next_is_trainable()
            x = dense_layer(x, fmaps=nf(0), trainable=trainable, data_format=critic.data_format)
            x = multiplicative_dropout(x, critic.dropout_std)
            return apply_bias_act(x, act=critic.nonlinearity, trainable=trainable)


def _map_labels(labels, fmaps, num_layers, lrmul, nonlinearity):
    """What a discriminator compares images with. labels [N,L] -> [N,fmaps]."""
    y = _embed_labels(labels, fmaps)
    for layer_idx in range(num_layers):
        with tf.variable_scope(f'Mapping{layer_idx}'):
            y = apply_bias_act(dense_layer(y, fmaps=fmaps, lrmul=lrmul), act=nonlinearity, lrmul=lrmul)
    return y


def _output_layer(x, y, num_scores):
    """Scores of x [N,C] -> [N,num_scores], or how well it fits the labels y [N,F] -> [N,1] (Miyato and Koyama
    2018, "cGANs with Projection Discriminator")."""
    with tf.variable_scope('Output'):
        if y is None:
            return apply_bias_act(dense_layer(x, fmaps=num_scores))
        fmaps = y.shape.as_list()[1]
        x = apply_bias_act(dense_layer(x, fmaps=fmaps))
        return tf.reduce_sum(x * y, axis=1, keepdims=True) / np.sqrt(fmaps)


def D_main(
    images_in,                              # Images [N, num_channels, resolution, resolution].
    labels_in,                              # Labels of the images, [N, label_size].
    num_channels = 3,                       # Channels of an image, 3 = RGB, 1 = grey.
    resolution = 1024,                      # Side of an image in pixels, a power of two.
    label_size = 0,                         # Components of a label, 0 = no labels.
    fmap_base = 16384,                      # Feature maps that 2x2 pixels would have if nothing limited them.
    fmap_decay = 1,                         # Feature maps shrink by 2^fmap_decay where the side doubles.
    fmap_min = 1,                           # Every layer has this many feature maps at least.
    fmap_max = 512,                         # Every layer has this many feature maps at most.
    mapping_layers = 0,                     # Fully connected layers that follow the label embedding.
    mapping_fmaps = None,                   # Outputs of the embedding and of each such layer. None = nf(0).
    mapping_lrmul = 0.1,                    # Learning rate of such layers relative to that of others.
    architecture = 'resnet',                # 'orig', 'skip' or 'resnet' (StyleGAN2, Figure 7).
    nonlinearity = 'lrelu',                 # Activation of the layers, a key of activation_funcs.
    mbstd_group_size = None,                # Minibatch stddev: samples in a group. None = all.
    mbstd_num_features = 1,                 # Minibatch stddev: feature maps that it adds, 0 = no such layer.
    dtype = 'float32',                      # Of activations and output, but for num_fp16_res.
    num_fp16_res = 0,                       # This many resolutions, the highest ones, run in float16.
    conv_clamp = None,                      # Clamp activations to [-conv_clamp, conv_clamp]. None = do not.
    resample_kernel = [1, 3, 3, 1],         # Taps of the resampling filter, normalized. None = box.
    augment_strength = 0,                   # Strength of PA-GAN and dropout, 0 to 1: number or variable.
    use_pagan = False,                      # Random bits go in and may flip the score (PA-GAN)?
    pagan_num = 16,                         # PA-GAN: bits at strength 1.
    pagan_fade = 0.5,                       # PA-GAN: a bit fades in while strength * pagan_num grows by this.
    score_size = 1,                         # Scores of an image in the output.
    score_max = 1,                          # Scores that the last layer has weights for.
    use_spectral_norm = False,              # Divide 3x3 kernels by their spectral norm?
    adaptive_dropout = 0,                   # Dropout by factors exp(N(0, s^2)), s = this * strength. 0 = off.
    freeze_layers = 0,                      # Layers that are not trained, counted from the image.
    **_kwargs):                             # Without effect.
    """Discriminator: images -> scores [minibatch, score_size]."""
    assert architecture in ('orig', 'skip', 'resnet')
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, min=fmap_min, max=fmap_max)
    images_in.set_shape([None, num_channels, resolution, resolution])
    labels_in.set_shape([None, label_size])
    assert label_size == 0 or score_max == 1
    bits = pagan_bits(tf.shape(images_in)[0], pagan_num, augment_strength, pagan_fade) if use_pagan else None
    critic = _Critic(
        nonlinearity, resample_kernel, conv_clamp, use_spectral_norm,
        augment_strength * adaptive_dropout if adaptive_dropout != 0 else None, bits, freeze_layers,
        data_format=device_layout(images_in))
    labels = None
    if label_size > 0:
        labels = _map_labels(tf.cast(labels_in, dtype), nf(0) if mapping_fmaps is None else mapping_fmaps,
                             mapping_layers, mapping_lrmul, nonlinearity)

    def cast(x, res_log2):
        return tf.cast(x, tf.float16 if res_log2 > resolution_log2 - num_fp16_res else dtype)

    x = None
    y = change_layout(tf.cast(images_in, dtype), 'NCHW', critic.data_format)
    for res_log2 in range(resolution_log2, 2, -1):
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            if architecture == 'skip' or res_log2 == resolution_log2:
                x = _from_rgb(x, cast(y, res_log2), critic, fmaps=nf(res_log2 - 1))
            x = _critic_block(cast(x, res_log2), critic, nf(res_log2 - 1), nf(res_log2 - 2), architecture)
            if architecture == 'skip':
                y = _downsample(y, critic)
    if architecture == 'skip':
        with tf.variable_scope('4x4'):
            x = _from_rgb(x, cast(y, 2), critic, fmaps=nf(1))
    x = _critic_tail(tf.cast(x, dtype), critic, nf, mbstd_group_size, mbstd_num_features)

    scores_out = _output_layer(x, labels, score_max)[:, :score_size]
    if use_pagan:
        scores_out *= tf.cast(pagan_sign(bits), dtype)
    assert scores_out.dtype == tf.as_dtype(dtype)
    return tf.identity(scores_out, name='scores_out')
