"""FIR filtering with padding, up- and downsampling, alone and with a convolution (StyleGAN2, Appendix B)."""

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.conv2d import channel_axis, conv2d, conv2d_transpose, depthwise_conv2d, spatial_axes
from dnnlib.tflib.ops.cpu_kernels import fast_margin
from dnnlib.tflib.ops.fused_bias_act import _check_impl
from dnnlib.tflib.ops.shapes import dims, dims_for_reshape


def upfirdn_2d(x, k, upx=1, upy=1, downx=1, downy=1, padx0=0, padx1=0, pady0=0, pady1=0, impl='cuda'):
    """Insert zeros after each pixel, pad (crop where negative), convolve with k, keep every down-th pixel.

    x [major,H,W,minor], k: array [kH,kW] -> [major,H',W',minor] with
    H' = (H*upy + pady0 + pady1 - kH) // downy + 1, W' likewise. True convolution: the kernel is flipped.
    Differentiable with respect to x to any order; `impl` is 'cuda' or 'ref' and changes nothing.
    """
    _check_impl(impl)
    assert all(isinstance(n, int) for n in (upx, upy, downx, downy, padx0, padx1, pady0, pady1))
    x, k = tf.convert_to_tensor(x), np.asarray(k, dtype=np.float32)
    assert x.shape.rank == 4
    assert k.ndim == 2
    pad = ((pady0, pady1), (padx0, padx1))
    return _upfirdn(x, k, up=(upy, upx), down=(downy, downx), pad=pad, data_format='NHWC')


def filter_2d(x, k, gain=1, padding=0, data_format='NCHW', impl='cuda'):
    """Filter with k, normalized to sum `gain`; same size, plus `padding` pixels on every side.

    x [N,C,H,W] (or NHWC) -> [N,C,H+2*padding,W+2*padding]; k: taps [n] (separable) or [n,n].
    """
    k = _setup_kernel(k) * gain
    n = len(k)
    return _simple_upfirdn(x, k, pad0=n // 2 + padding, pad1=(n - 1) // 2 + padding, data_format=data_format,
                           impl=impl)


def upsample_2d(x, k=None, factor=2, gain=1, padding=0, data_format='NCHW', impl='cuda'):
    """Upsample by `factor` with filter k (None = box: nearest neighbour).

    x [N,C,H,W] (or NHWC) -> [N,C,H*factor,W*factor], plus `padding` pixels on every side.
    """
    k = _kernel_or_box(k, factor) * (gain * factor ** 2)
    p = len(k) - factor
    return _simple_upfirdn(x, k, up=factor, pad0=(p + 1) // 2 + factor - 1 + padding, pad1=p // 2 + padding,
                           data_format=data_format, impl=impl)


def downsample_2d(x, k=None, factor=2, gain=1, padding=0, data_format='NCHW', impl='cuda'):
    """Filter with k (None = box: block means) and keep every factor-th pixel.

    x [N,C,H,W] (or NHWC) -> [N,C,H/factor,W/factor], plus `padding` pixels on every side.
    """
    k = _kernel_or_box(k, factor) * gain
    p = len(k) - factor
    return _simple_upfirdn(x, k, down=factor, pad0=(p + 1) // 2 + padding * factor,
                           pad1=p // 2 + padding * factor, data_format=data_format, impl=impl)


def upsample_conv_2d(x, w, k=None, factor=2, gain=1, padding=0, data_format='NCHW', impl='cuda'):
    """Run `upsample_2d`, then convolve with w, as one transposed convolution and one filter.

    x [N,G*I,H,W] (or NHWC), w [c,c,I,G*O] -> [N,G*O,H*factor,W*factor]; k as in `upsample_2d`.
    """
    x, w = tf.convert_to_tensor(x), tf.convert_to_tensor(w)
    c = _square_side(w)
    k = _kernel_or_box(k, factor) * (gain * factor ** 2)
    in_fmaps, out_fmaps = dims(w)[2:]
    groups = dims(x)[channel_axis(data_format)] // in_fmaps  # a tensor where samples are groups
    p = len(k) - factor - (c - 1)
    pad0, pad1 = (p + 1) // 2 + factor - 1 + padding, p // 2 + 1 + padding
    margin = fast_margin(x, data_format) if c > 1 < factor and pad1 > 0 else 0  # zeros in place of padding
    x = conv2d_transpose(x, _transposed_weight(w, groups), stride=factor, fmaps=out_fmaps, margin=margin,
                         data_format=data_format)
    return _simple_upfirdn(x, k, pad0=pad0, pad1=pad1 - margin, data_format=data_format, impl=impl)


def conv_downsample_2d(x, w, k=None, factor=2, gain=1, padding=0, data_format='NCHW', impl='cuda'):
    """Convolve with w, then run `downsample_2d`, as one filter and one strided convolution.

    x [N,G*I,H,W] (or NHWC), w [c,c,I,G*O] -> [N,G*O,H/factor,W/factor]; k as in `downsample_2d`.
    """
    x, w = tf.convert_to_tensor(x), tf.convert_to_tensor(w)
    c = _square_side(w)
    k = _kernel_or_box(k, factor) * gain
    p = len(k) - factor + (c - 1)
    x = _simple_upfirdn(x, k, pad0=(p + 1) // 2 + padding * factor, pad1=p // 2 + padding * factor,
                        data_format=data_format, impl=impl)
    return conv2d(x, w, stride=factor, padding='VALID', data_format=data_format)


def _square_side(w):
    height, width = w.shape.as_list()[:2]
    assert height == width
    return height


def _transposed_weight(w, groups):
    """Return the weight [c,c,O,G*I] with which `conv2d_transpose` does what w [c,c,I,G*O] does to the image
    with zeros inserted."""
    c, _, in_fmaps, out_fmaps = dims(w)
    w = tf.reverse(w, [0, 1])  # many times faster than slicing with steps of -1
    if isinstance(groups, int) and groups == 1:
        return tf.transpose(w, [0, 1, 3, 2])  # [c,c,I,O] -> [c,c,O,I]
    w = tf.reshape(w, [c, c, in_fmaps, groups, out_fmaps // groups])  # [c,c,I,G*O] -> [c,c,I,G,O]
    w = tf.transpose(w, [0, 1, 4, 3, 2])  # [c,c,I,G,O] -> [c,c,O,G,I]
    return tf.reshape(w, [c, c, out_fmaps // groups, groups * in_fmaps])  # [c,c,O,G,I] -> [c,c,O,G*I]


def _kernel_of_taps(k):
    """Return taps [n] (separable) or [n,m] as float32 [n,n] or [n,m]."""
    k = np.array(k, dtype=np.float32)
    if k.ndim == 1:
        k = np.outer(k, k)
    assert k.ndim == 2
    return k


def _setup_kernel(k):
    """Return taps [n] or [n,n] as float32 [n,n] with sum 1."""
    k = _kernel_of_taps(k)
    assert k.shape[0] == k.shape[1]
    return k / np.sum(k)


def _kernel_or_box(k, factor):
    assert isinstance(factor, int)
    assert factor >= 1
    return _setup_kernel([1] * factor if k is None else k)


def _simple_upfirdn(x, k, *, pad0, pad1, data_format, impl, up=1, down=1):
    _check_impl(impl)
    x = tf.convert_to_tensor(x)
    assert x.shape.rank == 4
    return _upfirdn(x, k, up=(up, up), down=(down, down), pad=((pad0, pad1),) * 2, data_format=data_format)


def _upfirdn(x, k, up, down, pad, data_format):
    """Run `upfirdn_2d` with pairs for (y, x), in either layout.

    The gradient is the same operation with flipped kernel and exchanged factors. Thus gradients of any order
    run on the forward kernel, which is several times faster than the depthwise gradient kernels.
    """
    size = [x.shape.as_list()[axis] for axis in spatial_axes(data_format)]
    grad_pad = tuple(_gradient_padding(*axis) for axis in zip(size, k.shape, up, down, pad, strict=True))

    @tf.custom_gradient
    def apply(x):
        def grad(dy):
            return _upfirdn(dy, k[::-1, ::-1], up=down, down=up, pad=grad_pad, data_format=data_format)
        return _upfirdn_forward(x, k, up, down, pad, data_format), grad

    return apply(x)


def _gradient_padding(size, taps, up, down, pad):
    """Return the padding along an axis with which the gradient of `upfirdn_2d` has the size of its input."""
    out_size = (size * up + sum(pad) - taps) // down + 1
    return taps - pad[0] - 1, size * up - out_size * down + pad[0] - up + 1


def _upfirdn_forward(x, k, up, down, pad, data_format):
    x = _insert_zeros(x, up, data_format)
    x = _crop(x, [[max(-n, 0) for n in axis] for axis in pad], data_format)
    pad = [[max(n, 0) for n in axis] for axis in pad]
    kernel = tf.constant(np.ascontiguousarray(k[::-1, ::-1]), x.dtype)
    if down[0] == down[1]:
        return depthwise_conv2d(x, kernel, stride=down[0], pad=pad, data_format=data_format)
    return _decimate(depthwise_conv2d(x, kernel, pad=pad, data_format=data_format), down, data_format)


def _insert_zeros(x, up, data_format):
    """Insert up-1 zeros after every pixel. [N,C,H,W] -> [N,C,H*upy,W*upx]."""
    if up == (1, 1):
        return x
    shape = dims_for_reshape(x)
    y_axis, x_axis = spatial_axes(data_format)
    before, (height, width), after = shape[:y_axis], shape[y_axis:x_axis + 1], shape[x_axis + 1:]
    paddings = [[0, 0]] * 6
    paddings[y_axis + 1], paddings[x_axis + 2] = [0, up[0] - 1], [0, up[1] - 1]
    x = tf.reshape(x, [*before, height, 1, width, 1, *after])  # [N,C,H,W] -> [N,C,H,1,W,1]
    x = tf.pad(x, paddings)  # [N,C,H,upy,W,upx]
    return tf.reshape(x, [*before, height * up[0], width * up[1], *after])


def _crop(x, margins, data_format):
    """Remove pixels before and after, for y and for x."""
    if not np.any(margins):
        return x
    keep = [slice(None)] * 4
    for axis, (before, after) in zip(spatial_axes(data_format), margins, strict=True):
        keep[axis] = slice(before, x.shape.as_list()[axis] - after)
    return x[tuple(keep)]


def _decimate(x, down, data_format):
    keep = [slice(None)] * 4
    for axis, step in zip(spatial_axes(data_format), down, strict=True):
        keep[axis] = slice(None, None, step)
    return x[tuple(keep)]
