"""Modulated convolution (StyleGAN2, Section 2.2)."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.conv2d import change_layout, per_channel, supports_grouped_training
from training.layers.equalized import (
    apply_bias_act,
    dense_layer,
    kernel_shape,
    resampled_conv2d,
    weight_and_scale,
)


def modulated_conv2d_layer(x, y, fmaps, kernel, up=False, down=False, demodulate=True, resample_kernel=None,
                           gain=1, use_wscale=True, lrmul=1, fused_modconv=True, weight_var='weight',
                           mod_weight_var='mod_weight', mod_bias_var='mod_bias', data_format='NCHW',
                           out_gain=1):
    """Convolve with weights that a style scales per sample, and normalize them (StyleGAN2, Eq. 1-3).

    x [N,I,H,W], y [N,dlatent_size] -> [N,fmaps,H',W'], resampled by 2 with `up` or `down`. `fused_modconv`
    asks for one grouped convolution with a weight per sample. On devices that cannot train through one (all
    CPUs), activations are scaled instead, with the same result. `out_gain` multiplies demodulated results,
    which are in the dtype of x.
    """
    shape = kernel_shape(x, fmaps, kernel, data_format)
    w, scale = weight_and_scale(shape, gain, use_wscale, lrmul, weight_var)
    s = dense_layer(y, fmaps=shape[2], weight_var=mod_weight_var)
    s = apply_bias_act(s, bias_var=mod_bias_var) + 1  # The bias starts at 0: the first style is neutral.
    s = tf.cast(s, w.dtype) * scale  # the styles are smaller than w
    resample = dict(up=up, down=down, resample_kernel=resample_kernel, data_format=data_format)
    return modulated_conv2d(x, w, s, demodulate, fused_modconv, resample,
                            prenormalize=x.dtype == tf.float16, out_gain=out_gain)


def modulated_conv2d(x, w, s, demodulate, fused_modconv, resample, prenormalize=False, out_gain=1):
    """Apply the convolution of `modulated_conv2d_layer`, given weights w [k,k,I,O] and styles s [N,I].

    resample: keyword arguments of `resampled_conv2d`. prenormalize: keep scaled activations in the range of
    half precision; demodulation undoes this.
    """
    if fused_modconv and supports_grouped_training(x):
        return _per_sample_weights(x, w, s, demodulate, resample, out_gain)
    if resample['data_format'] == 'NHWC' and _has_cheaper_weights(x, w, resample['up']):
        return _weights_of_one_sample(x, w, s, demodulate, resample, out_gain)
    if prenormalize and demodulate:  # largest |w| per output channel 1 / sqrt(fan_in), largest |s| 1
        fan_in = np.prod(w.shape.as_list()[:3])
        w = w / (tf.reduce_max(tf.abs(w), axis=[0, 1, 2]) * np.sqrt(fan_in))
        s = s / tf.reduce_max(tf.abs(s))
    return _scaled_activations(x, w, s, demodulate, resample, out_gain)


def _demodulation(w, s):
    """Return d = 1 / sqrt(sum over a,b,i of (w * s)^2 + 1e-8) (Eq. 3). w [k,k,I,O], s [N,I] -> [N,O]."""
    return tf.rsqrt(tf.matmul(tf.square(s), tf.reduce_sum(tf.square(w), axis=[0, 1])) + 1e-8)


def _has_cheaper_weights(x, w, up):
    """Is x [N,H,W,I] one sample that, with its convolution by w [k,k,I,O], is larger than the weights?"""
    num_samples, height, width, in_fmaps = x.shape.as_list()
    _, k, _, fmaps = w.shape.as_list()
    num_values = height * width * (in_fmaps + fmaps * (4 if up else 1))
    return num_samples == 1 and num_values > 2 * k * k * in_fmaps * fmaps


def _weights_of_one_sample(x, w, s, demodulate, resample, out_gain=1):
    """Scale the weights by style and demodulation. x [1,I,H,W] -> [1,O,H',W']."""
    w = w * tf.reshape(s, [-1, 1])  # [1,I] -> [I,1]
    if demodulate:
        w *= _demodulation(w, tf.ones_like(s)) * out_gain
    return resampled_conv2d(x, tf.cast(w, x.dtype), **resample)


def _scaled_activations(x, w, s, demodulate, resample, out_gain=1):
    """Scale the input channels by the style and the output channels by the demodulation; samples share w."""
    data_format = resample['data_format']
    y = resampled_conv2d(x * per_channel(s, x, data_format), tf.cast(w, x.dtype), **resample)
    return y * per_channel(_demodulation(w, s) * out_gain, y, data_format) if demodulate else y


def _per_sample_weights(x, w, s, demodulate, resample, out_gain=1):
    """Apply one grouped convolution whose groups of channels are the samples, each with its own weights."""
    w = w[tf.newaxis] * s[:, tf.newaxis, tf.newaxis, :, tf.newaxis]  # [N,k,k,I,O]
    if demodulate:
        d = tf.rsqrt(tf.reduce_sum(tf.square(w), axis=[1, 2, 3], keepdims=True) + 1e-8)  # [N,1,1,1,O]
        w *= d * out_gain
    data_format = resample['data_format']
    _, k, _, in_fmaps, fmaps = w.shape.as_list()
    w = tf.reshape(tf.transpose(w, [1, 2, 3, 0, 4]), [k, k, in_fmaps, -1])  # [N,k,k,I,O] -> [k,k,I,N*O]
    x = change_layout(x, data_format, 'NCHW')
    x = tf.reshape(x, [1, -1, *x.shape.as_list()[2:]])  # [N,I,H,W] -> [1,N*I,H,W]
    x = resampled_conv2d(x, tf.cast(w, x.dtype), **{**resample, 'data_format': 'NCHW'})
    x = tf.reshape(x, [-1, fmaps, *x.shape.as_list()[2:]])  # [1,N*O,H',W'] -> [N,O,H',W']
    return change_layout(x, 'NCHW', data_format)
