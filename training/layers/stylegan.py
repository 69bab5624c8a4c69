"""Layers of StyleGAN and Progressive GAN, with the defaults of `get_weight`."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops import conv2d as conv
from dnnlib.tflib.ops import stylegan_resampling
from dnnlib.tflib.ops.conv2d import channel_axis, per_channel, spatial_axes
from training.layers import equalized
from training.layers.equalized import apply_bias_act, dense_layer, kernel_shape
from training.layers.synthesis_inputs import layer_noise


def get_weight(shape, gain=np.sqrt(2), use_wscale=False, lrmul=1):
    """Return `weight`, scaled as by `equalized.get_weight`, with StyleGAN's defaults. -> float32 [*shape]."""
    return equalized.get_weight(shape, gain=gain, use_wscale=use_wscale, lrmul=lrmul)


def dense(x, fmaps, gain=np.sqrt(2), use_wscale=False, lrmul=1, data_format='NCHW'):
    """Multiply by a weight matrix, without bias. x [N,...], flattened in C,H,W order -> [N,fmaps]."""
    return dense_layer(x, fmaps=fmaps, gain=gain, use_wscale=use_wscale, lrmul=lrmul, data_format=data_format)


def conv2d(x, fmaps, kernel, data_format='NCHW', **kwargs):
    """Convolve, without bias. x [N,C,H,W] -> [N,fmaps,H,W]. kernel: odd. kwargs: for `get_weight`."""
    w = _kernel_weight(x, fmaps, kernel, data_format, kwargs)
    return conv.conv2d(x, w, data_format=data_format)


def upscale2d_conv2d(x, fmaps, kernel, fused_scale='auto', data_format='NCHW', **kwargs):
    """Upscale by 2 and convolve, without bias. x [N,C,H,W] -> [N,fmaps,2*H,2*W].

    fused_scale: do both in one operation? 'auto' = for an output of 128 pixels or more. The two forms apply
    the weights differently (`ops.stylegan_resampling.upscale2d_conv2d`). kwargs: for `get_weight`.
    """
    fused = stylegan_resampling.use_fused(fused_scale, 2 * _short_side(x, data_format))
    w = _kernel_weight(x, fmaps, kernel, data_format, kwargs)
    return stylegan_resampling.upscale2d_conv2d(x, w, fused=fused, data_format=data_format)


def conv2d_downscale2d(x, fmaps, kernel, fused_scale='auto', data_format='NCHW', **kwargs):
    """Convolve, without bias, and downscale by 2. x [N,C,H,W] -> [N,fmaps,H/2,W/2].

    fused_scale: do both in one operation? 'auto' = for an input of 128 pixels or more.
    kwargs: for `get_weight`.
    """
    fused = stylegan_resampling.use_fused(fused_scale, _short_side(x, data_format))
    w = _kernel_weight(x, fmaps, kernel, data_format, kwargs)
    return stylegan_resampling.conv2d_downscale2d(x, w, fused=fused, data_format=data_format)


def _short_side(x, data_format):
    return min(x.shape.as_list()[axis] for axis in spatial_axes(data_format))


def _kernel_weight(x, fmaps, kernel, data_format, kwargs):
    """Create the weights that convolve x [N,C,H,W]. -> [kernel,kernel,C,fmaps] in the dtype of x."""
    return tf.cast(get_weight(kernel_shape(x, fmaps, kernel, data_format), **kwargs), x.dtype)


def apply_bias(x, lrmul=1, data_format='NCHW'):
    """Add a bias per channel. x [N,C] or [N,C,H,W] -> the same shape."""
    return apply_bias_act(x, lrmul=lrmul, data_format=data_format)


def leaky_relu(x, alpha=0.2):
    """Return max(x, alpha * x) for 0 <= alpha <= 1. Unlike in `tf.nn.leaky_relu`, the slope at 0 is 1."""
    @tf.custom_gradient
    def apply(x):
        def grad(dy):  # TensorFlow's gradient of a maximum takes nearly twice as long on CPUs
            return tf.where(x >= 0, dy, dy * alpha)
        return tf.maximum(x, x * alpha), grad

    return apply(x)


def style_mod(x, dlatent, data_format='NCHW', **kwargs):
    """Scale and shift every channel by the style of each sample, an affine function of its dlatent
    (StyleGAN, Eq. 1). x [N,C,H,W], dlatent [N,W] -> [N,C,H,W]. kwargs: for `get_weight`."""
    fmaps = x.shape.as_list()[channel_axis(data_format)]
    with tf.variable_scope('StyleMod'):
        style = apply_bias(dense(dlatent, fmaps=2 * fmaps, gain=1, **kwargs))
        scale, shift = (per_channel(part, x, data_format) for part in tf.split(style, 2, axis=1))
        return x * (scale + 1) + shift  # The bias starts at 0, so +1 makes the initial style the identity.


def apply_noise(x, noise_var=None, randomize_noise=True, data_format='NCHW'):
    """Add noise that all channels share, times a learned strength per channel, which starts at 0.

    x [N,C,H,W] -> the same shape. The noise is `noise_var` [1,1,H,W], or drawn at every evaluation if that is
    None or with `randomize_noise`.
    """
    with tf.variable_scope('Noise'):
        noise = layer_noise(x, noise_var, randomize_noise or noise_var is None, data_format)
        fmaps = x.shape.as_list()[channel_axis(data_format)]
        weight = tf.get_variable('weight', shape=[fmaps], initializer=tf.initializers.zeros())
        weight = tf.reshape(weight, [1, fmaps, 1, 1] if data_format == 'NCHW' else [1, 1, 1, fmaps])
        return x + tf.cast(noise, x.dtype) * tf.cast(weight, x.dtype)
