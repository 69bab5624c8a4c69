"""Dense, convolution and bias layers with equalized learning rate (Progressive GAN, Section 4.1)."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.conv2d import change_layout, channel_axis, conv2d
from dnnlib.tflib.ops.fused_bias_act import fused_bias_act, gain_before_and_after
from dnnlib.tflib.ops.upfirdn_2d import conv_downsample_2d, downsample_2d, upsample_2d, upsample_conv_2d


def weight_and_scale(shape, gain=1, use_wscale=True, lrmul=1, weight_var='weight', trainable=True):
    """Create a weight variable and return it with the factor to multiply it by.

    The initial standard deviation of the product is gain / sqrt(fan_in), where fan_in is the product of all
    dimensions but the last. With `use_wscale` the variable starts at N(0, 1) / lrmul and is scaled at every
    use, so that all layers learn at the same speed; otherwise it starts scaled. -> float32 [*shape],
    np.float32.
    """
    fan_in = np.prod(shape[:-1])
    he_std = gain / np.sqrt(fan_in)
    if use_wscale:
        init_std, runtime_coef = 1.0 / lrmul, he_std * lrmul
    else:
        init_std, runtime_coef = he_std / lrmul, lrmul
    init = tf.initializers.random_normal(0, init_std)
    w = tf.get_variable(weight_var, shape=shape, initializer=init, trainable=trainable)
    return w, np.float32(runtime_coef)


def get_weight(shape, gain=1, use_wscale=True, lrmul=1, weight_var='weight', trainable=True):
    """Return the variable of `weight_and_scale` times its factor. -> float32 [*shape]."""
    w, scale = weight_and_scale(shape, gain, use_wscale, lrmul, weight_var, trainable)
    return w * scale


def kernel_shape(x, fmaps, kernel, data_format):
    """Return the shape of the weights that convolve x [N,C,H,W]. -> [kernel, kernel, C, fmaps]."""
    assert kernel % 2 == 1
    return [kernel, kernel, x.shape.as_list()[channel_axis(data_format)], fmaps]


def flatten_samples(x, data_format='NCHW'):
    """Flatten every sample, images in C,H,W order. [N,...] -> [N,C]."""
    if x.shape.rank <= 2:
        return x
    x = change_layout(x, data_format, 'NCHW')
    return tf.reshape(x, [-1, np.prod(x.shape.as_list()[1:])])  # [N,C,H,W] -> [N,C*H*W]


def dense_layer(x, fmaps, gain=1, use_wscale=True, lrmul=1, weight_var='weight', data_format='NCHW'):
    """Multiply by a weight matrix, without bias. x [N,...], flattened in C,H,W order -> [N,fmaps]."""
    x = flatten_samples(x, data_format)
    w, scale = weight_and_scale([x.shape.as_list()[1], fmaps], gain, use_wscale, lrmul, weight_var)
    if x.dtype == tf.float16:  # scaled inputs could underflow in half precision
        return tf.matmul(x, tf.cast(w * scale, x.dtype))
    return tf.matmul(x * scale, w)  # x is smaller than w


def dense_bias_act(x, fmaps, act, lrmul=1, data_format='NCHW'):
    """Apply `dense_layer` and `apply_bias_act`. Where the activation permits, the scale of the weights
    includes its gain, which saves operations."""
    before, after = gain_before_and_after(act)
    x = dense_layer(x, fmaps=fmaps, gain=before, lrmul=lrmul, data_format=data_format)
    return apply_bias_act(x, act=act, lrmul=lrmul, bias_gain=before, gain=after)


def resampled_conv2d(x, w, up=False, down=False, resample_kernel=None, padding=0, data_format='NCHW'):
    """Convolve with w [k,k,I,O], k odd, after upsampling or before downsampling by 2.

    x [N,I,H,W] -> [N,O,H',W'], H' = 2*H with `up`, H/2 with `down`, else H, plus `padding` pixels on every
    side. Without resampling, `padding` is 0 or -(k // 2), which pads nothing; others raise KeyError.
    `resample_kernel`: taps of the low-pass filter, None = box.
    """
    assert not (up and down)
    k, k_x = w.shape.as_list()[:2]
    assert k == k_x
    assert k % 2 == 1
    resample = dict(k=resample_kernel, padding=padding, data_format=data_format)
    if up and k == 1:  # products of pixels and weights are cheaper at the lower resolution
        return upsample_2d(conv2d(x, w, data_format=data_format), **resample)
    if down and k == 1:
        return conv2d(downsample_2d(x, **resample), w, data_format=data_format)
    if up:
        return upsample_conv_2d(x, w, **resample)
    if down:
        return conv_downsample_2d(x, w, **resample)
    return conv2d(x, w, padding={-(k // 2): 'VALID', 0: 'SAME'}[padding], data_format=data_format)


def conv2d_layer(x, fmaps, kernel, up=False, down=False, resample_kernel=None, gain=1, use_wscale=True,
                 lrmul=1, weight_var='weight', data_format='NCHW'):
    """Apply `resampled_conv2d` with weights of its own, without bias. x [N,C,H,W] -> [N,fmaps,H',W']."""
    w = get_weight(kernel_shape(x, fmaps, kernel, data_format), gain, use_wscale, lrmul, weight_var)
    return resampled_conv2d(x, tf.cast(w, x.dtype), up=up, down=down, resample_kernel=resample_kernel,
                            data_format=data_format)


def apply_bias_act(x, act='linear', alpha=None, gain=None, lrmul=1, bias_var='bias', data_format='NCHW',
                   clamp=None, trainable=True, bias_gain=1):
    """Return act(x + b * lrmul * bias_gain) * gain, clamped, with a bias b per channel. Same shape as x.

    lrmul: learning rate of the bias relative to other variables. bias_gain: a gain that x has already.
    clamp: largest magnitude of the result.
    """
    axis = channel_axis(data_format) if x.shape.rank == 4 else 1
    shape = [x.shape.as_list()[axis]]
    b = tf.get_variable(bias_var, shape=shape, initializer=tf.initializers.zeros(), trainable=trainable)
    scale = lrmul * bias_gain
    b = tf.cast(b if scale == 1 else b * scale, x.dtype)
    return fused_bias_act(x, b=b, axis=axis, act=act, alpha=alpha, gain=gain, clamp=clamp)


def conv2d_bias_act(x, fmaps, kernel, act, data_format='NCHW', clamp=None, **kwargs):
    """Apply `conv2d_layer` and `apply_bias_act`, with the gain as in `dense_bias_act`: this saves a pass over
    the images. clamp: largest magnitude of the result. kwargs: for the convolution."""
    before, after = gain_before_and_after(act)
    x = conv2d_layer(x, fmaps=fmaps, kernel=kernel, gain=before, data_format=data_format, **kwargs)
    return apply_bias_act(x, act=act, bias_gain=before, gain=after, clamp=clamp, data_format=data_format)
