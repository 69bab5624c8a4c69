"""Networks of StyleGAN2-ADA (Karras et al. 2020, "Training GANs with Limited Data").

They are StyleGAN2's networks of configs E and F with mixed precision, another treatment of labels and, in the
discriminator, methods that the paper compares with.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib.layers.adaptive import multiplicative_dropout, pagan_bits, pagan_sign
from dnnlib.tflib.layers.equalized import apply_bias_act
from dnnlib.tflib.layers.normalization import normalize_2nd_moment
from dnnlib.tflib.layers.spectral_norm import apply_spectral_norm
from dnnlib.tflib.layers.stages import Fmaps, log2_of_resolution
from dnnlib.tflib.layers.stylegan2_ada import (
    conv2d,
    conv2d_layer,
    dense_layer,
    get_weight,
    minibatch_stddev_layer,
    modulated_conv2d_layer,
)
from dnnlib.tflib.layers.styles import map_vectors, plain_number, styled_dlatents, synthesize
from dnnlib.tflib.layers.synthesis_inputs import const_input, layer_noise, noise_inputs
from dnnlib.tflib.ops.conv2d import change_layout, device_layout, per_channel
from dnnlib.tflib.ops.upfirdn_2d import downsample_2d, upsample_2d

__all__ = [
    'D_main', 'G_main', 'G_mapping', 'G_synthesis', 'apply_bias_act', 'apply_spectral_norm', 'conv2d',
    'conv2d_layer', 'dense_layer', 'get_weight', 'minibatch_stddev_layer', 'modulated_conv2d_layer',
    'normalize_2nd_moment',
]


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
    synthesis_func = 'G_synthesis',         # Build function of the synthesis network, likewise.
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
    latents_in,                             # First input: latent vectors (Z) [minibatch, latent_size].
    labels_in,                              # Second input: conditioning labels [minibatch, label_size].
    latent_size = 512,                      # Z dimensionality.
    label_size = 0,                         # Label dimensionality, 0 = no labels.
    dlatent_size = 512,                     # W dimensionality.
    dlatent_broadcast = None,               # Repeat W for this many layers. None = one W without that axis.
    mapping_layers = 8,                     # Number of layers.
    mapping_fmaps = None,                   # Width of the layers in between. None = dlatent_size.
    mapping_lrmul = 0.01,                   # Learning rate multiplier of the layers.
    mapping_nonlinearity = 'lrelu',         # Activation: 'relu', 'lrelu', etc.
    normalize_latents = True,               # Normalize the latents before the first layer?
    label_fmaps = None,                     # Width of the label embedding. None = latent_size.
    dtype = 'float32',                      # Data type of activations and output.
    **_kwargs):                             # Ignored: keywords for the other sub-network.
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
    dlatents_in,                            # Input: dlatents (W) [minibatch, num_layers, dlatent_size].
    dlatent_size = 512,                     # W dimensionality.
    num_channels = 3,                       # Number of output color channels.
    resolution = 1024,                      # Output resolution.
    fmap_base = 16384,                      # Overall multiplier for the number of feature maps.
    fmap_decay = 1,                         # log2 feature map reduction when doubling the resolution.
    fmap_min = 1,                           # Minimum number of feature maps in any layer.
    fmap_max = 512,                         # Maximum number of feature maps in any layer.
    fmap_const = None,                      # Number of feature maps of the constant. None = as at 4x4.
    use_noise = True,                       # Add noise to the layers?
    randomize_noise = True,                 # Fresh noise at every evaluation? False = the noise variables.
    architecture = 'skip',                  # 'orig', 'skip' or 'resnet'.
    nonlinearity = 'lrelu',                 # Activation: 'relu', 'lrelu', etc.
    dtype = 'float32',                      # Data type of the other layers and of the output.
    num_fp16_res = 0,                       # The N highest resolutions run in float16.
    conv_clamp = None,                      # Largest magnitude of a layer's output. None = unlimited.
    resample_kernel = [1, 3, 3, 1],         # Low-pass filter of the resampling. None = box.
    fused_modconv = False,                  # Modulate weights per sample, where the device can train so?
    **_kwargs):                             # Ignored: keywords for the other sub-network.
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
                with tf.variable_scope('Upsample'):
                    y = upsample_2d(y, k=resample_kernel, data_format=style.data_format)
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
    images_in,                              # First input: images [minibatch, channels, height, width].
    labels_in,                              # Second input: labels [minibatch, label_size].
    num_channels = 3,                       # Number of input color channels.
    resolution = 1024,                      # Input resolution.
    label_size = 0,                         # Label dimensionality, 0 = no labels.
    fmap_base = 16384,                      # Overall multiplier for the number of feature maps.
    fmap_decay = 1,                         # log2 feature map reduction when doubling the resolution.
    fmap_min = 1,                           # Minimum number of feature maps in any layer.
    fmap_max = 512,                         # Maximum number of feature maps in any layer.
    mapping_layers = 0,                     # Number of layers after the label embedding.
    mapping_fmaps = None,                   # Width of the label embedding. None = as at the end, nf(0).
    mapping_lrmul = 0.1,                    # Learning rate multiplier of the layers after the embedding.
    architecture = 'resnet',                # 'orig', 'skip' or 'resnet'.
    nonlinearity = 'lrelu',                 # Activation: 'relu', 'lrelu', etc.
    mbstd_group_size = None,                # Group size of the minibatch stddev layer. None = all samples.
    mbstd_num_features = 1,                 # Number of features of the minibatch stddev layer, 0 = no layer.
    dtype = 'float32',                      # Data type of the other layers and of the output.
    num_fp16_res = 0,                       # The N highest resolutions run in float16.
    conv_clamp = None,                      # Largest magnitude of a convolution's output. None = unlimited.
    resample_kernel = [1, 3, 3, 1],         # Low-pass filter of the resampling. None = box.
    augment_strength = 0,                   # Strength of PA-GAN and adaptive dropout: number or variable.
    use_pagan = False,                      # Progressive augmentation by random bits (PA-GAN)?
    pagan_num = 16,                         # Number of these bits.
    pagan_fade = 0.5,                       # How slowly a bit fades in, relative to the range of one bit.
    score_size = 1,                         # Number of scores that are returned.
    score_max = 1,                          # Number of scores that there are weights for.
    use_spectral_norm = False,              # Spectral normalization of the 3x3 convolutions?
    adaptive_dropout = 0,                   # Standard deviation of the multiplicative dropout at strength 1.
    freeze_layers = 0,                      # Number of layers that are not trained, from the image on.
    **_kwargs):                             # Ignored.
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
                with tf.variable_scope('Downsample'):
                    y = downsample_2d(y, k=resample_kernel, data_format=critic.data_format)
    if architecture == 'skip':
        with tf.variable_scope('4x4'):
            x = _from_rgb(x, cast(y, 2), critic, fmaps=nf(1))
    x = _critic_tail(tf.cast(x, dtype), critic, nf, mbstd_group_size, mbstd_num_features)

    scores_out = _output_layer(x, labels, score_max)[:, :score_size]
    if use_pagan:
        scores_out *= tf.cast(pagan_sign(bits), dtype)
    assert scores_out.dtype == tf.as_dtype(dtype)
    return tf.identity(scores_out, name='scores_out')
