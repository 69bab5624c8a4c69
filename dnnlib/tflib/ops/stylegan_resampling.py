"""Blurring and resampling by whole factors, alone and together with a convolution (StyleGAN, Section 2.1).

Images are [N,C,H,W], or [N,H,W,C] with data_format 'NHWC'; C, H and W are static. Gradients of any order are
exact.
"""

import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.conv2d import average_pool, conv2d, conv2d_transpose, spatial_axes
from dnnlib.tflib.ops.upfirdn_2d import _kernel_of_taps, _upfirdn

FUSED_FROM_SIZE = 128  # pixels; below, scaling and convolution are separate unless asked for


def blur2d(x, f=[1, 2, 1], normalize=True, stride=1, data_format='NCHW'):
    """Correlate every channel with f: taps [n] (separable) or [n,m], divided by their sum with `normalize`.

    x [N,C,H,W] -> [N,C,H',W'], H' = ceil(H / stride), in the dtype of x but computed in float32. Padding with
    zeros is TensorFlow's 'SAME': if it is odd, the end gets one more.
    """
    assert x.shape.rank == 4
    k = _kernel_of_taps(f)
    if normalize:
        k /= k.sum()
    size = [x.shape.as_list()[axis] for axis in spatial_axes(data_format)]
    pad = tuple(_same_padding(n, taps, stride) for n, taps in zip(size, k.shape, strict=True))
    with tf.name_scope('Blur2D'):
        y = _upfirdn(tf.cast(x, tf.float32), k[::-1, ::-1], up=(1, 1), down=(stride, stride), pad=pad,
                     data_format=data_format)
        return tf.cast(y, x.dtype)


def _same_padding(size, taps, stride):
    """Return the zeros (before, after) along an axis with which ceil(size / stride) positions fit."""
    out_size = -(-size // stride)
    total = max((out_size - 1) * stride + taps - size, 0)
    return total // 2, total - total // 2


def upscale2d(x, factor=2, data_format='NCHW'):
    """Repeat every pixel (nearest neighbour). x [N,C,H,W] -> [N,C,H*factor,W*factor]."""
    _check_factor(factor)
    if factor == 1:
        return x

    @tf.custom_gradient
    def apply(x):
        def grad(dy):  # TensorFlow's own, a sum over two axes, takes ten times as long on CPUs
            return average_pool(dy, factor, data_format=data_format) * factor ** 2
        return _repeat_pixels(x, factor, data_format), grad

    with tf.name_scope('Upscale2D'):
        return apply(x)


def downscale2d(x, factor=2, data_format='NCHW'):
    """Average blocks of pixels and drop what is left over at the end.

    x [N,C,H,W] -> [N,C,H//factor,W//factor].
    """
    _check_factor(factor)
    if factor == 1:
        return x
    with tf.name_scope('Downscale2D'):
        return average_pool(x, factor, data_format=data_format)


def _check_factor(factor):
    assert isinstance(factor, int)
    assert factor >= 1


def _repeat_pixels(x, factor, data_format):
    """Repeat pixels. [N,C,H,W] -> [N,C,H*factor,W*factor]."""
    y_axis, x_axis = spatial_axes(data_format)
    shape = [tf.shape(x)[0], *x.shape.as_list()[1:]]
    blocks = [*shape[:x_axis], factor, shape[x_axis], factor, *shape[x_axis + 1:]]
    shape[y_axis] *= factor
    shape[x_axis] *= factor
    x = tf.expand_dims(tf.expand_dims(x, x_axis + 1), x_axis)  # [N,C,H,W] -> [N,C,H,1,W,1]
    return tf.reshape(tf.broadcast_to(x, blocks), shape)  # [N,C,H,factor,W,factor] -> [N,C,H*factor,W*factor]


def use_fused(fused_scale, size):
    """Return whether convolution and scaling are fused. `size`: shorter side of the finer images in pixels.

    `fused_scale`: True, False or 'auto' (where that is faster).
    """
    assert fused_scale in (True, False, 'auto')
    return size >= FUSED_FROM_SIZE if fused_scale == 'auto' else fused_scale


def upscale2d_conv2d(x, w, fused, data_format='NCHW'):
    """Upscale by 2 and convolve with w [k,k,I,O], k odd. x [N,I,H,W] -> [N,O,2*H,2*W].

    Fused, it is one transposed convolution, which applies w flipped in both axes, unlike the separate steps:
    a network must be evaluated as it was trained.
    """
    if not fused:
        return conv2d(upscale2d(x, data_format=data_format), w, data_format=data_format)
    w = tf.transpose(_spread(w), [0, 1, 3, 2])  # [k+1,k+1,I,O] -> [k+1,k+1,O,I]
    return conv2d_transpose(x, w, stride=2, padding='SAME', data_format=data_format)


def conv2d_downscale2d(x, w, fused, data_format='NCHW'):
    """Convolve with w [k,k,I,O], k odd, and downscale by 2. x [N,I,H,W] -> [N,O,H/2,W/2], H and W even.

    Fused, it is one convolution with stride 2, with the same result.
    """
    if not fused:
        return downscale2d(conv2d(x, w, data_format=data_format), data_format=data_format)
    return conv2d(x, _spread(w) * 0.25, stride=2, data_format=data_format)


def _spread(w):
    """Spread a kernel w [k,k,I,O] over blocks of 2x2 pixels. -> W [k+1,k+1,I,O].

    W[a,b] = w[a,b] + w[a-1,b] + w[a,b-1] + w[a-1,b-1].
    """
    w = tf.pad(w, [[1, 1], [1, 1], [0, 0], [0, 0]])
    return w[1:, 1:] + w[:-1, 1:] + w[1:, :-1] + w[:-1, :-1]
