"""Layers of StyleGAN2-ADA: those of StyleGAN2 that can be frozen and spectrally normalized, and two ways of
adding noise to a discriminator, as strong as its overfitting requires (Section 4)."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib import random
from dnnlib.tflib.ops.conv2d import channel_axis, per_channel
from training.layers import equalized, minibatch_stddev
from training.layers.equalized import apply_bias_act, flatten_samples, kernel_shape, resampled_conv2d
from training.layers.modulated import modulated_conv2d
from training.layers.normalization import apply_spectral_norm


def get_weight(shape, gain=1, equalized_lr=True, lrmul=1, weight_var='weight', trainable=True,
               use_spectral_norm=False):
    """Return a variable scaled as by `equalized.get_weight`. -> float32 [*shape].

    use_spectral_norm: divide by the largest singular value, with a variable `<weight_var>_sn`?
    """
    w = equalized.get_weight(shape, gain, equalized_lr, lrmul, weight_var, trainable)
    return apply_spectral_norm(w, state_var=weight_var + '_sn') if use_spectral_norm else w


def dense_layer(x, fmaps, lrmul=1, weight_var='weight', trainable=True, use_spectral_norm=False,
                data_format='NCHW'):
    """Multiply by a weight matrix, without bias. x [N,...], flattened in C,H,W order -> [N,fmaps]."""
    x = flatten_samples(x, data_format)
    w = get_weight([x.shape.as_list()[1], fmaps], lrmul=lrmul, weight_var=weight_var, trainable=trainable,
                   use_spectral_norm=use_spectral_norm)
    return tf.matmul(x, tf.cast(w, x.dtype))


def conv2d_layer(x, fmaps, kernel, up=False, down=False, resample_kernel=None, lrmul=1, trainable=True,
                 use_spectral_norm=False, data_format='NCHW'):
    """Apply `resampled_conv2d` with weights of its own, without bias. x [N,C,H,W] -> [N,fmaps,H',W']."""
    w = get_weight(kernel_shape(x, fmaps, kernel, data_format), lrmul=lrmul, trainable=trainable,
                   use_spectral_norm=use_spectral_norm)
    return resampled_conv2d(x, tf.cast(w, x.dtype), up=up, down=down, resample_kernel=resample_kernel,
                            data_format=data_format)


def modulated_conv2d_layer(x, y, fmaps, kernel, up=False, down=False, demodulate=True, resample_kernel=None,
                           lrmul=1, fused_modconv=False, trainable=True, use_spectral_norm=False,
                           data_format='NCHW'):
    """Apply a modulated convolution, as in `layers.modulated` but safe in half precision.

    x [N,I,H,W], y [N,dlatent_size] -> [N,fmaps,H',W'] in the dtype of x.
    """
    shape = kernel_shape(x, fmaps, kernel, data_format)
    w = get_weight(shape, lrmul=lrmul, trainable=trainable, use_spectral_norm=use_spectral_norm)
    s = dense_layer(y, fmaps=shape[2], weight_var='mod_weight', trainable=trainable)
    s = apply_bias_act(s, bias_var='mod_bias', trainable=trainable) + 1  # The first style is neutral.
    resample = dict(up=up, down=down, resample_kernel=resample_kernel, data_format=data_format)
    return modulated_conv2d(x, w, tf.cast(s, w.dtype), demodulate, fused_modconv, resample,
                            prenormalize=x.dtype == tf.float16)


def minibatch_stddev_layer(x, group_size=None, num_new_features=1, data_format='NCHW'):
    """Apply `minibatch_stddev.minibatch_stddev_layer`, by default to the whole minibatch as one group."""
    return minibatch_stddev.minibatch_stddev_layer(x, group_size, num_new_features, data_format)


def multiplicative_dropout(x, std, data_format='NCHW'):
    """Multiply every channel of every sample by exp(N(0, std^2)), unless std is None. Same shape as x.

    x [N,C] or [N,C,H,W]; std: number or scalar tensor.
    """
    if std is None:
        return x
    is_image = x.shape.rank == 4
    fmaps = x.shape.as_list()[channel_axis(data_format) if is_image else 1]
    scale = tf.exp(random.normal([tf.shape(x)[0], fmaps]) * std)
    return x * (per_channel(scale, x, data_format) if is_image else tf.cast(scale, x.dtype))


def pagan_bits(num_samples, num_bits, strength, fade):
    """Draw the random bits of progressive augmentation (Zhang and Khoreva 2019, "PA-GAN").

    The larger the strength in [0, 1], the more bits are fair coins instead of 0; each fades in while the
    strength grows by fade / num_bits. Both may be tensors. -> float32 [num_samples,num_bits].
    """
    active = (strength * num_bits - np.arange(num_bits) - 1) / max(fade, 1e-8) + 1
    probability = tf.clip_by_value(tf.cast(active, tf.float32), 0, 1) / 2  # [num_bits]
    return tf.cast(random.uniform([num_samples, num_bits], 0.0, 1.0) < probability, tf.float32)


def pagan_sign(bits):
    """Return the factor of the scores: -1 for an odd number of ones, else 1. [N,num_bits] -> [N,1]."""
    return tf.reduce_prod(1 - 2 * bits, axis=1, keepdims=True)
