"""Layers of StyleGAN2-ADA: those of StyleGAN2 that can be frozen and spectrally normalized, and noise in
discriminators that is as strong as their overfitting asks for (Section 4)."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib import random
from dnnlib.tflib.ops import conv2d as conv
from dnnlib.tflib.ops.conv2d import channel_axis, per_channel
from dnnlib.tflib.ops.upfirdn_2d import conv_downsample_2d, downsample_2d, upsample_2d, upsample_conv_2d
from training.layers import equalized, minibatch_stddev
from training.layers.equalized import apply_bias_act, flatten_samples
from training.layers.modulated import modulated_conv2d
from training.layers.normalization import apply_spectral_norm


def get_weight(shape, gain=1, equalized_lr=True, lrmul=1, weight_var='weight', trainable=True,
               use_spectral_norm=False):
    """Variable of this shape, scaled as in `equalized.get_weight`. -> float32 [*shape].

    `use_spectral_norm` divides it by its largest singular value, with a variable `<weight_var>_sn`.
    """
    w = equalized.get_weight(shape, gain=gain, use_wscale=equalized_lr, lrmul=lrmul, weight_var=weight_var,
                             trainable=trainable)
    return apply_spectral_norm(w, state_var=weight_var + '_sn') if use_spectral_norm else w


def dense_layer(x, fmaps, lrmul=1, weight_var='weight', trainable=True, use_spectral_norm=False,
                data_format='NCHW'):
    """Matrix product without bias. x [N,...] -> [N,fmaps]; images are flattened in C,H,W order."""
    x = flatten_samples(x, data_format)
    w = get_weight([x.shape.as_list()[1], fmaps], lrmul=lrmul, weight_var=weight_var, trainable=trainable,
                   use_spectral_norm=use_spectral_norm)
    return tf.matmul(x, tf.cast(w, x.dtype))


def conv2d(x, w, up=False, down=False, resample_kernel=None, padding=0, data_format='NCHW'):
    """Convolution with w [k,k,I,O], k odd, after upsampling or before downsampling by 2.

    x [N,I,H,W] -> [N,O,H',W'], H' = 2*H with `up`, H/2 with `down`, else H, plus `padding` pixels on every
    side; without resampling that has to be 0 or, for no padding at all, -(k // 2): else KeyError. The filter
    of the resampling is `resample_kernel`, None = box.
    """
    assert not (up and down)
    k, k_x = w.shape.as_list()[:2]
    assert k == k_x
    assert k % 2 == 1
    resample = dict(k=resample_kernel, padding=padding, data_format=data_format)
    if up and k == 1:  # products of pixels and weights are cheaper at the lower resolution
        return upsample_2d(conv.conv2d(x, w, data_format=data_format), **resample)
    if down and k == 1:
        return conv.conv2d(downsample_2d(x, **resample), w, data_format=data_format)
    if up:
        return upsample_conv_2d(x, w, **resample)
    if down:
        return conv_downsample_2d(x, w, **resample)
    return conv.conv2d(x, w, padding={0: 'SAME', -(k // 2): 'VALID'}[padding], data_format=data_format)


def conv2d_layer(x, fmaps, kernel, up=False, down=False, resample_kernel=None, lrmul=1, trainable=True,
                 use_spectral_norm=False, data_format='NCHW'):
    """`conv2d` with weights of its own, without bias. x [N,C,H,W] -> [N,fmaps,H',W']."""
    w = get_weight(_kernel_shape(x, fmaps, kernel, data_format), lrmul=lrmul, trainable=trainable,
                   use_spectral_norm=use_spectral_norm)
    return conv2d(x, tf.cast(w, x.dtype), up=up, down=down, resample_kernel=resample_kernel,
                  data_format=data_format)


def modulated_conv2d_layer(x, y, fmaps, kernel, up=False, down=False, demodulate=True, resample_kernel=None,
                           lrmul=1, fused_modconv=False, trainable=True, use_spectral_norm=False,
                           data_format='NCHW'):
    """`modulated.modulated_conv2d_layer`, safe in half precision.

    x [N,I,H,W], y [N,dlatent_size] -> [N,fmaps,H',W'] in the dtype of x.
    """
    assert not (up and down)
    assert kernel % 2 == 1
    shape = _kernel_shape(x, fmaps, kernel, data_format)
    w = get_weight(shape, lrmul=lrmul, trainable=trainable, use_spectral_norm=use_spectral_norm)
    s = dense_layer(y, fmaps=shape[2], weight_var='mod_weight', trainable=trainable)
    s = apply_bias_act(s, bias_var='mod_bias', trainable=trainable) + 1  # the bias starts at 0: neutral style
    resample = dict(up=up, down=down, resample_kernel=resample_kernel, data_format=data_format)
    return modulated_conv2d(x, w, tf.cast(s, w.dtype), demodulate, fused_modconv, resample,
                            prenormalize=x.dtype == tf.float16)


def _kernel_shape(x, fmaps, kernel, data_format):
    return [kernel, kernel, x.shape.as_list()[channel_axis(data_format)], fmaps]


def minibatch_stddev_layer(x, group_size=None, num_new_features=1, data_format='NCHW'):
    """`minibatch_stddev.minibatch_stddev_layer`, by default with the whole minibatch as one group."""
    return minibatch_stddev.minibatch_stddev_layer(x, group_size, num_new_features, data_format=data_format)


def multiplicative_dropout(x, std, data_format='NCHW'):
    """Multiply every channel of every sample by exp(N(0, std^2)); None = not at all. Same shape as x.

    x [N,C] or [N,C,H,W]; std: scalar, may be a tensor.
    """
    if std is None:
        return x
    is_image = x.shape.rank == 4
    fmaps = x.shape.as_list()[channel_axis(data_format) if is_image else 1]
    scale = tf.exp(random.normal([tf.shape(x)[0], fmaps]) * std)
    return x * (per_channel(scale, x, data_format) if is_image else tf.cast(scale, x.dtype))


def pagan_bits(num_samples, num_bits, strength, fade):
    """Random bits of progressive augmentation (Zhang and Khoreva 2019, "PA-GAN"). -> float32 [N,num_bits].

    The larger the strength in [0, 1], the more bits are fair coins instead of 0; each fades in while the
    strength grows by fade / num_bits. Both may be tensors.
    """
    active = (strength * num_bits - np.arange(num_bits) - 1) / max(fade, 1e-8) + 1
    probability = tf.clip_by_value(tf.cast(active, tf.float32), 0, 1) / 2  # [num_bits]
    return tf.cast(random.uniform([num_samples, num_bits], 0.0, 1.0) < probability, tf.float32)


def pagan_sign(bits):
    """What the scores are multiplied by: -1 where the number of ones is odd. [N,num_bits] -> [N,1]."""
    return tf.reduce_prod(1 - 2 * bits, axis=1, keepdims=True)
