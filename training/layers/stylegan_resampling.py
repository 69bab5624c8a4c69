"""Convolution layers of StyleGAN that double or halve the resolution."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops import stylegan_resampling
from dnnlib.tflib.ops.conv2d import channel_axis, spatial_axes
from training.layers import equalized


def get_weight(shape, gain=np.sqrt(2), use_wscale=False, lrmul=1):
    """Variable `weight`, scaled as in `equalized.get_weight`, with the defaults of StyleGAN. -> [*shape]."""
    return equalized.get_weight(shape, gain=gain, use_wscale=use_wscale, lrmul=lrmul)


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
    return min(x.shape.as_list()[axis] for axis in spatial_axes(data_format))


def _kernel_weight(x, fmaps, kernel, data_format, kwargs):
    """-> [kernel,kernel,C,fmaps] in the dtype of x [N,C,H,W]."""
    assert kernel >= 1
    assert kernel % 2 == 1
    shape = [kernel, kernel, x.shape.as_list()[channel_axis(data_format)], fmaps]
    return tf.cast(get_weight(shape, **kwargs), x.dtype)
