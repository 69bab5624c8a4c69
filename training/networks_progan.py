"""Networks of Progressive GAN (Karras et al. 2018, "Progressive Growing of GANs"), as StyleGAN ships them."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.base_shapes import level_shape
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
    """Settings that the layers of the generator share."""
    use_pixelnorm: bool
    pixelnorm_epsilon: float
    use_leakyrelu: bool
    data_format: str


def _bias_act_norm(x, layers):
    """Apply bias, activation and pixel norm. Same shape as x."""
    x = apply_bias(x, data_format=layers.data_format)
    x = leaky_relu(x) if layers.use_leakyrelu else tf.nn.relu(x)
    if layers.use_pixelnorm:
        x = pixel_norm(x, layers.pixelnorm_epsilon, data_format=layers.data_format)
    return x


def G_paper(
    latents_in,                             # Latents z, [N, latent_size], standard normal.
    labels_in,                              # Labels of the images, [N, label_size].
    num_channels = 1,                       # Image channels: 3 for RGB, 1 for grey.
    resolution = 32,                        # Image side in pixels, a power of two.
    base_shape = None,                      # [height, width] at scope 4x4, doubled above. None = [4, 4].
    label_size = 0,                         # Length of a label. 0 = no labels.
    fmap_base = 8192,                       # Feature maps that 2x2 pixels would have without limits.
    fmap_decay = 1.0,                       # Doubling the side divides them by 2^fmap_decay.
    fmap_max = 512,                         # Upper limit of feature maps per layer.
    latent_size = None,                     # Length of z. None = number of feature maps at 2x2 pixels.
    normalize_latents = True,               # Scale z and its label to a mean square of 1?
    use_wscale = True,                      # Equalize the learning rate by scaling weights at run time?
    use_pixelnorm = True,                   # Scale the channels of every pixel to a mean square of 1?
    pixelnorm_epsilon = 1e-8,               # Added to that mean square.
    use_leakyrelu = True,                   # Leaky ReLU with slope 0.2? False = ReLU.
    dtype = 'float32',                      # Type of activations and output. Variables are float32.
    fused_scale = True,                     # Fuse upscaling with convolution? Weights fit one form only.
    structure = None,                       # 'linear', 'recursive' or None = 'auto', see layers/growth.py.
    is_template_graph = False,              # Is this the call in which Network creates the variables?
    **_kwargs):                             # Ignored.
    """Grow images [minibatch, num_channels, resolution, resolution] from latents."""
    structure = choose_structure(structure, is_template_graph)
    resolution_log2 = log2_of_resolution(resolution)
    nf = Fmaps(fmap_base, fmap_decay, fmap_max)
    latents_in.set_shape([None, nf(0) if latent_size is None else latent_size])
    labels_in.set_shape([None, label_size])
    data_format = device_layout(latents_in)
    options = dict(use_wscale=use_wscale, data_format=data_format)
    layers = _Layers(use_pixelnorm, pixelnorm_epsilon, use_leakyrelu, data_format)
    x = tf.cast(tf.concat([latents_in, labels_in], axis=1), dtype)
    lod = level_of_detail(dtype)

    with tf.variable_scope('4x4'):
        if normalize_latents:
            with tf.variable_scope('PixelNorm'):
                x = pixel_norm(x, pixelnorm_epsilon)
        with tf.variable_scope('Dense'):
            # A quarter of the gain elsewhere, as published.
            shape = [nf(1), *level_shape(base_shape, 2)]  # [C,H,W]
            x = dense(x, fmaps=np.prod(shape), gain=np.sqrt(2) / 4, use_wscale=use_wscale)
            x = tf.reshape(x, [-1, *shape])  # [N,C*H*W] -> [N,C,H,W]
            x = _bias_act_norm(change_layout(x, 'NCHW', data_format), layers)
        with tf.variable_scope('Conv'):
            x = _bias_act_norm(conv2d(x, fmaps=nf(1), kernel=3, **options), layers)

    def block(res_log2, x):
        fmaps = nf(res_log2 - 1)
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            if fused_scale:
                with tf.variable_scope('Conv0_up'):
                    x = upscale2d_conv2d(x, fmaps=fmaps, kernel=3, fused_scale=True, **options)
                    x = _bias_act_norm(x, layers)
            else:
                x = upscale2d(x, data_format=data_format)
                with tf.variable_scope('Conv0'):
                    x = _bias_act_norm(conv2d(x, fmaps=fmaps, kernel=3, **options), layers)
            with tf.variable_scope('Conv1'):
                return _bias_act_norm(conv2d(x, fmaps=fmaps, kernel=3, **options), layers)

    def to_rgb(res_log2, x):
        with tf.variable_scope(f'ToRGB_lod{resolution_log2 - res_log2}'):
            x = conv2d(x, fmaps=num_channels, kernel=1, gain=1, **options)
            return apply_bias(x, data_format=data_format)

    images_out = grow_image(x, lod, structure, resolution_log2, block, to_rgb,
                            upscale=lambda y, factor: upscale2d(y, factor, data_format=data_format))
    return tf.identity(change_layout(images_out, data_format, 'NCHW'), name='images_out')


def D_paper(
    images_in,                              # Images, [N, num_channels, resolution, resolution].
    labels_in,                              # Labels, [N, label_size]; they do not affect the scores.
    num_channels = 1,                       # Image channels: 3 for RGB, 1 for grey.
    resolution = 32,                        # Image side in pixels, a power of two.
    base_shape = None,                      # [height, width] at scope 4x4, doubled above. None = [4, 4].
    label_size = 0,                         # Length of a label. 0 = no labels.
    fmap_base = 8192,                       # Feature maps that 2x2 pixels would have without limits.
    fmap_decay = 1.0,                       # Doubling the side divides them by 2^fmap_decay.
    fmap_max = 512,                         # Upper limit of feature maps per layer.
    use_wscale = True,                      # Equalize the learning rate by scaling weights at run time?
    mbstd_group_size = 4,                   # Samples per group of the minibatch stddev. 1 = no such layer.
    dtype = 'float32',                      # Type of activations and output. Variables are float32.
    fused_scale = True,                     # Fuse downscaling with convolution? Weights fit one form only.
    structure = None,                       # 'linear', 'recursive' or None = 'auto', see layers/growth.py.
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
        return leaky_relu(apply_bias(x, data_format=data_format))

    def from_rgb(res_log2, y):
        with tf.variable_scope(f'FromRGB_lod{resolution_log2 - res_log2}'):
            return bias_act(conv2d(y, fmaps=nf(res_log2 - 1), kernel=1, **options))

    def block(res_log2, x):
        fmaps = nf(res_log2 - 2)
        with tf.variable_scope(f'{2 ** res_log2}x{2 ** res_log2}'):
            with tf.variable_scope('Conv0'):
                x = bias_act(conv2d(x, fmaps=nf(res_log2 - 1), kernel=3, **options))
            if fused_scale:  # images shrink before bias and activation, otherwise after them
                with tf.variable_scope('Conv1_down'):
                    return bias_act(conv2d_downscale2d(x, fmaps=fmaps, kernel=3, fused_scale=True, **options))
            with tf.variable_scope('Conv1'):
                x = bias_act(conv2d(x, fmaps=fmaps, kernel=3, **options))
            return downscale2d(x, data_format=data_format)

    x = grow_features(images, lod, structure, resolution_log2, block, from_rgb,
                      downscale=lambda y, factor: downscale2d(y, factor, data_format=data_format))
    with tf.variable_scope('4x4'):
        if mbstd_group_size > 1:
            x = minibatch_stddev_layer(x, mbstd_group_size, data_format=data_format)
        with tf.variable_scope('Conv'):
            x = bias_act(conv2d(x, fmaps=nf(1), kernel=3, **options))
        with tf.variable_scope('Dense0'):
            x = bias_act(dense(x, fmaps=nf(0), **options))
        with tf.variable_scope('Dense1'):
            x = apply_bias(dense(x, fmaps=1, gain=1, use_wscale=use_wscale))
    return tf.identity(x, name='scores_out')
