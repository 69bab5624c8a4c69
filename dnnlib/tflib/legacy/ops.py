"""TF1 image ops for sources of old networks, on devices that lack their kernels.

Those sources were written for GPUs: NCHW throughout, and samples as groups of one convolution. CPU kernels
have neither (see ops/conv2d.py). On a CPU, a call in NCHW therefore runs in NHWC between two transposes, and
a grouped convolution becomes one matrix product per tap. Both have gradients of any order. On a GPU,
TensorFlow gets all calls unchanged.
"""

import functools
import inspect

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops import upfirdn_2d
from dnnlib.tflib.ops.conv2d import change_layout, channel_axis, device_layout, supports_grouped_training
from dnnlib.tflib.ops.shapes import dims

_IMAGES = ('input', 'value', 'out_backprop')              # Arguments that are image tensors.
_PER_AXIS = ('strides', 'ksize', 'dilations', 'padding')  # One item per axis, if they are lists of four.
_SHAPES = ('output_shape', 'input_sizes')


def on_device(op, nhwc_op=None, returns_image=True):
    """Return `op` of tf.nn such that it works in either layout on every device.

    `nhwc_op` replaces it on a CPU, called with keyword arguments and without `name`.
    """
    signature = inspect.signature(op)

    @functools.wraps(op)
    def wrapper(*args, **kwargs):
        arguments = signature.bind(*args, **kwargs).arguments
        is_nchw = arguments.get('data_format') == 'NCHW'
        image = next(arguments[name] for name in _IMAGES if arguments.get(name) is not None)
        if not (is_nchw or nhwc_op) or device_layout(tf.convert_to_tensor(image)) == 'NCHW':
            return op(*args, **kwargs)
        name = arguments.pop('name', None)
        y = (nhwc_op or op)(**(_to_nhwc(arguments) if is_nchw else arguments))
        if is_nchw and returns_image:
            y = change_layout(y, 'NHWC', 'NCHW')
        return y if name is None else tf.identity(y, name=name)
    return wrapper


def _to_nhwc(arguments):
    """Return the arguments of a call in NCHW for the same call in NHWC."""
    result = {**arguments, 'data_format': 'NHWC'}
    for name, value in arguments.items():
        if name in _IMAGES and value is not None:
            result[name] = change_layout(tf.convert_to_tensor(value), 'NCHW', 'NHWC')
        elif name in _SHAPES:
            result[name] = _permuted(tf.unstack(value) if tf.is_tensor(value) else value)
        elif name in _PER_AXIS and np.ndim(value) > 0 and len(value) == 4:
            result[name] = _permuted(value)
    return result


def _permuted(items):
    return [items[axis] for axis in (0, 2, 3, 1)]


def _size(items):
    """Return (y, x) of a TF1 argument that is a number, [y,x] or [1,y,x,1]."""
    items = [int(item) for item in np.atleast_1d(items)]
    return (items[0], items[0]) if len(items) == 1 else tuple(items[-3:-1] if len(items) == 4 else items)


def nhwc_conv2d(input, filter=None, strides=None, padding=None, filters=None, dilations=1, **kwargs):
    """Run tf.nn.conv2d in NHWC on a CPU, with gradients of groups, explicit padding and strided 1x1
    weights."""
    x, w = tf.convert_to_tensor(input), tf.convert_to_tensor(filters if filter is None else filter)
    if not isinstance(padding, str):
        x, padding = tf.pad(x, padding), 'VALID'
    if not (_is_grouped(x, w) or _skips_pixels(w, strides)) or np.any(np.not_equal(dilations, 1)):
        return tf.nn.conv2d(x, w, strides=strides, padding=padding, dilations=dilations, **kwargs)
    return _grouped_conv2d(x, w, _size(strides), padding)


def _is_grouped(x, w):
    """Return whether x has groups: the number of channels is not static if samples are groups; H and W
    are."""
    if x.shape.rank is None or None in x.shape.as_list()[1:3]:
        return False
    return x.shape.as_list()[3] != w.shape.as_list()[2]


def _skips_pixels(w, strides):
    """Return whether 1x1 weights have strides: oneDNN must not compute their gradient, see `cpu_kernels`."""
    return w.shape.as_list()[:2] == [1, 1] and _size(strides) != (1, 1)


def nhwc_conv2d_transpose(value=None, filter=None, output_shape=None, strides=None, padding='SAME',
                          input=None, filters=None, dilations=None, **kwargs):
    """Run tf.nn.conv2d_transpose in NHWC on a CPU, which has no grouped kernel."""
    x = tf.convert_to_tensor(input if value is None else value)
    w = tf.convert_to_tensor(filters if filter is None else filter)
    out_shape = tf.convert_to_tensor(output_shape)
    static = tf.get_static_value(out_shape, partial=True)
    is_plain = static is None or (static[3] == w.shape.as_list()[2] and not _skips_pixels(w, strides))
    if is_plain or np.any(np.not_equal(dilations or 1, 1)):
        return tf.nn.conv2d_transpose(x, w, output_shape=out_shape, strides=strides, padding=padding,
                                      dilations=dilations, **kwargs)
    groups = out_shape[3] // dims(w)[2]
    out_size = [int(n) for n in static[1:3]]
    return _grouped_conv2d_transpose(x, w, groups, out_size, _size(strides), padding)


def nhwc_conv2d_backprop_input(input_sizes, filter=None, out_backprop=None, strides=None, padding=None,
                               filters=None, use_cudnn_on_gpu=True, **kwargs):
    """Run tf.nn.conv2d_backprop_input in NHWC on a CPU: a transposed convolution by another name."""
    return nhwc_conv2d_transpose(out_backprop, filters if filter is None else filter, input_sizes, strides,
                                 padding, **kwargs)


def upsample_conv_2d(x, w, k=None, factor=2, gain=1, padding=0, data_format='NCHW', impl='cuda'):
    """Run `ops.upfirdn_2d.upsample_conv_2d` such that groups can be trained on a CPU, too."""
    x, w = tf.convert_to_tensor(x), tf.convert_to_tensor(w)
    if not _needs_taps(x, w, data_format):
        return upfirdn_2d.upsample_conv_2d(x, w, k, factor, gain, padding, data_format, impl)
    x = change_layout(x, data_format, 'NHWC')
    c = w.shape.as_list()[0]
    x = _grouped_conv2d(_with_zeros(x, (factor, factor), ((c - 1, c - factor),) * 2), w, (1, 1), 'VALID')
    k = upfirdn_2d._kernel_or_box(k, factor) * (gain * factor ** 2)
    pad0, pad1 = (len(k) + factor - c) // 2 + padding, (len(k) - factor - c + 3) // 2 + padding
    x = upfirdn_2d.upfirdn_2d(x, k, padx0=pad0, padx1=pad1, pady0=pad0, pady1=pad1, impl=impl)
    return change_layout(x, 'NHWC', data_format)


def conv_downsample_2d(x, w, k=None, factor=2, gain=1, padding=0, data_format='NCHW', impl='cuda'):
    """Run `ops.upfirdn_2d.conv_downsample_2d` such that groups can be trained on a CPU, too."""
    x, w = tf.convert_to_tensor(x), tf.convert_to_tensor(w)
    if not _needs_taps(x, w, data_format):
        return upfirdn_2d.conv_downsample_2d(x, w, k, factor, gain, padding, data_format, impl)
    x = change_layout(x, data_format, 'NHWC')
    k, c = upfirdn_2d._kernel_or_box(k, factor) * gain, w.shape.as_list()[0]
    pad0, pad1 = ((len(k) - factor + c - i) // 2 + padding * factor for i in (0, 1))
    x = upfirdn_2d.upfirdn_2d(x, k, padx0=pad0, padx1=pad1, pady0=pad0, pady1=pad1, impl=impl)
    x = _grouped_conv2d(x, w, (factor, factor), 'VALID')
    return change_layout(x, 'NHWC', data_format)


def _needs_taps(x, w, data_format):
    """Return whether this is a grouped convolution on a device that cannot train those."""
    fmaps = x.shape.as_list()[channel_axis(data_format)]  # None if samples are groups.
    return fmaps != w.shape.as_list()[2] and not supports_grouped_training(x)


def _grouped_conv2d(x, w, stride, padding):
    """Correlate with groups, as a sum of matrix products over all taps.

    x [N,H,W,G*I], w [kH,kW,I,G*O] -> [N,H',W',G*O]; H and W are static, everything else need not be.
    """
    kernel, (in_fmaps, out_fmaps) = w.shape.as_list()[:2], dims(w)[2:]
    if padding == 'SAME':
        x = _pad_same(x, kernel, stride)
    batch, height, width, fmaps = dims(x)
    groups = fmaps // in_fmaps
    w = tf.reshape(w, [*kernel, in_fmaps, groups, out_fmaps // groups])  # [kH,kW,I,G*O] -> [kH,kW,I,G,O]
    w = tf.transpose(w, [0, 1, 3, 2, 4])  # [kH,kW,I,G,O] -> [kH,kW,G,I,O]
    x = tf.reshape(x, [batch, height, width, groups, in_fmaps])  # [N,H,W,G*I] -> [N,H,W,G,I]
    x = tf.transpose(x, [3, 0, 1, 2, 4])  # [N,H,W,G,I] -> [G,N,H,W,I]
    size = [(n - k) // s + 1 for n, k, s in zip((height, width), kernel, stride, strict=True)]
    y = 0
    for a, b in np.ndindex(*kernel):
        rows, columns = (slice(first, first + (n - 1) * s + 1, s)
                         for first, n, s in zip((a, b), size, stride, strict=True))
        tap = x[:, :, rows, columns]  # [G,N,H',W',I]
        tap = tf.reshape(tap, [groups, batch * size[0] * size[1], in_fmaps])  # [G,N,H',W',I] -> [G,N*H'*W',I]
        y += tf.matmul(tap, w[a, b])  # [G,N*H'*W',I] @ [G,I,O] -> [G,N*H'*W',O]
    y = tf.reshape(y, [groups, batch, *size, out_fmaps // groups])  # [G,N*H'*W',O] -> [G,N,H',W',O]
    y = tf.transpose(y, [1, 2, 3, 0, 4])  # [G,N,H',W',O] -> [N,H',W',G,O]
    return tf.reshape(y, [batch, *size, out_fmaps])  # [N,H',W',G,O] -> [N,H',W',G*O]


def _pad_same(x, kernel, stride):
    """Pad [N,H,W,C] with the zeros that 'SAME' implies."""
    paddings = [[0, 0]]
    for size, k, s in zip(x.shape.as_list()[1:3], kernel, stride, strict=True):
        total = max((-(-size // s) - 1) * s + k - size, 0)
        paddings.append([total // 2, total - total // 2])
    return tf.pad(x, [*paddings, [0, 0]])


def _grouped_conv2d_transpose(x, w, groups, out_size, stride, padding):
    """Convolve transposed with groups: insert zeros, then correlate with the flipped kernel.

    x [N,H,W,G*I], w [kH,kW,O,G*I] -> [N,H',W',G*O] with `out_size` (H',W').
    """
    kernel, (out_fmaps, fmaps) = w.shape.as_list()[:2], dims(w)[2:]
    pads = []
    for size, out, k, s in zip(x.shape.as_list()[1:3], out_size, kernel, stride, strict=True):
        cut = max((size - 1) * s + k - out, 0) // 2 if padding == 'SAME' else 0
        before = k - 1 - cut
        pads.append((before, out + k - 1 - before - size * s))
    w = w[::-1, ::-1]
    w = tf.reshape(w, [*kernel, out_fmaps, groups, fmaps // groups])  # [kH,kW,O,G*I] -> [kH,kW,O,G,I]
    w = tf.transpose(w, [0, 1, 4, 3, 2])  # [kH,kW,O,G,I] -> [kH,kW,I,G,O]
    w = tf.reshape(w, [*kernel, fmaps // groups, groups * out_fmaps])  # [kH,kW,I,G,O] -> [kH,kW,I,G*O]
    return _grouped_conv2d(_with_zeros(x, stride, pads), w, (1, 1), 'VALID')


def _with_zeros(x, up, pads):
    """Insert up-1 zeros after every pixel, then pad (y, x). [N,H,W,C] -> [N,H*up+pad,W*up+pad,C]"""
    (y0, y1), (x0, x1) = pads
    return upfirdn_2d.upfirdn_2d(x, [[1]], upy=up[0], upx=up[1], pady0=y0, pady1=y1, padx0=x0, padx1=x1)
