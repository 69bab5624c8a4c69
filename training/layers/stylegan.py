"""Layers of StyleGAN and Progressive GAN, with the defaults of `get_weight`."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops import conv2d as conv
from dnnlib.tflib.ops import stylegan_resampling
from training.layers import equalized
from training.layers.equalized import apply_bias_act, dense_layer
from training.layers.synthesis_inputs import layer_noise


def get_weight(shape, gain=np.sqrt(2), use_wscale=False, lrmul=1):
    """Variable `weight`, scaled as in `equalized.get_weight`, with the defaults of StyleGAN. -> [*shape]."""
    return equalized.get_weight(shape, gain=gain, use_wscale=use_wscale, lrmul=lrmul)


def dense(x, fmaps, gain=np.sqrt(2), use_wscale=False, lrmul=1, data_format='NCHW'):
    """Matrix product without bias. x [N,...] -> [N,fmaps]; images are flattened in C,H,W order."""
    return dense_layer(x, fmaps=fmaps, gain=gain, use_wscale=use_wscale, lrmul=lrmul, data_format=data_format)


def conv2d(x, fmaps, kernel, data_format='NCHW', **kwargs):
    """Convolution without bias, kernel odd. x [N,C,H,W] -> [N,fmaps,H,W]. `kwargs`: of `get_weight`."""
    assert kernel >= 1
    assert kernel % 2 == 1
    w = get_weight([kernel, kernel, x.shape.as_list()[conv.channel_axis(data_format)], fmaps], **kwargs)
    return conv.conv2d(x, tf.cast(w, x.dtype), data_format=data_format)


def apply_bias(x, lrmul=1, data_format='NCHW'):
    """Add a bias per channel (zeros at the start). x [N,C] or [N,C,H,W] -> the same shape."""
    return apply_bias_act(x, lrmul=lrmul, data_format=data_format)


def leaky_relu(x, alpha=0.2):
    """max(x, alpha * x) with 0 <= alpha <= 1. The slope at 0 is 1, unlike that of `tf.nn.leaky_relu`."""
    @tf.custom_gradient
    def apply(x):
        def grad(dy):  # TensorFlow's own, of a maximum, takes nearly twice as long on CPUs
            return tf.where(x >= 0, dy, dy * alpha)
        return tf.maximum(x, x * alpha), grad

    return apply(x)


def style_mod(x, dlatent, data_format='NCHW', **kwargs):
    """Scale and shift every channel by the style of each sample, an affine function of its dlatent
    (StyleGAN, Eq. 1). x [N,C,H,W], dlatent [N,W] -> [N,C,H,W]. `kwargs`: of `get_weight`.
    """
    axis = conv.channel_axis(data_format)
    fmaps = x.shape.as_list()[axis]
    with tf.variable_scope('StyleMod'):
        style = apply_bias(dense(dlatent, fmaps=2 * fmaps, gain=1, **kwargs))
        shape = [-1, *_channels(fmaps, axis)]
        scale, shift = (tf.reshape(part, shape)  # [N,C] -> [N,C,1,1]
                        for part in tf.split(style, 2, axis=1))
        return x * (scale + 1) + shift  # the bias starts at 0: the first style is neutral


def apply_noise(x, noise_var=None, randomize_noise=True, data_format='NCHW'):
    """Add noise, the same for all channels but for a learned strength, which starts at 0.

    x [N,C,H,W] -> the same shape. `noise_var` [1,1,H,W]: used unless `randomize_noise`; None = fresh noise.
    """
    axis = conv.channel_axis(data_format)
    fmaps = x.shape.as_list()[axis]
    with tf.variable_scope('Noise'):
        noise = layer_noise(x, noise_var, randomize_noise or noise_var is None, data_format)
        weight = tf.get_variable('weight', shape=[fmaps], initializer=tf.initializers.zeros())
        weight = tf.reshape(weight, [1, *_channels(fmaps, axis)])
        return x + tf.cast(noise, x.dtype) * tf.cast(weight, x.dtype)


def _channels(fmaps, axis):
    """[C,1,1], or [1,1,C] where the channels are last."""
    return [fmaps if a == axis else 1 for a in range(1, 4)]


def upscale2d_conv2d(x, fmaps, kernel, fused_scale='auto', data_format='NCHW', **kwargs):
    """Upscale by 2 and convolve, without bias. x [N,C,H,W] -> [N,fmaps,2*H,2*W].

    `fused_scale`: as one operation? 'auto' = from an output of 128 pixels on. What the variable means depends
    on it (`ops.stylegan_resampling.upscale2d_conv2d`). `kwargs`: of `get_weight`.
    """
    fused = stylegan_resampling.use_fused(fused_scale, 2 * _short_side(x, data_format))
    w = _kernel_weight(x, fmaps, kernel, data_format, kwargs)
    return stylegan_resampling.upscale2d_conv2d(x, w, fused=fused, data_format=data_format)


def conv2d_downscale2d(x, fmaps, kernel, fused_scale='auto', data_format='NCHW', **kwargs):
    """Convolve, without bias, and downscale by 2. x [N,C,H,W] -> [N,fmaps,H/2,W/2].

    `fused_scale`: as one operation? 'auto' = from an input of 128 pixels on. `kwargs`: of `get_weight`.
    """
    fused = stylegan_resampling.use_fused(fused_scale, _short_side(x, data_format))
    w = _kernel_weight(x, fmaps, kernel, data_format, kwargs)
    return stylegan_resampling.conv2d_downscale2d(x, w, fused=fused, data_format=data_format)


def _short_side(x, data_format):
    return min(x.shape.as_list()[axis] for axis in conv.spatial_axes(data_format))


def _kernel_weight(x, fmaps, kernel, data_format, kwargs):
    """-> [kernel,kernel,C,fmaps] in the dtype of x [N,C,H,W]."""
    assert kernel >= 1
    assert kernel % 2 == 1
    shape = [kernel, kernel, x.shape.as_list()[conv.channel_axis(data_format)], fmaps]
    return tf.cast(get_weight(shape, **kwargs), x.dtype)
