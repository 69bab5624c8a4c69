"""How a convolution runs on a device: the one place that knows which layouts exist where.

GPUs are fastest with NCHW. TensorFlow's CPU kernels know NHWC only, forward and backward, and have no
gradients of grouped convolutions. Networks ask `device_layout` once at their inputs and keep their tensors in
that layout; tensors in the other layout work here, too, at the cost of two transposes per call. `cpu_kernels`
chooses among the kernels of a CPU.
"""

import contextlib
import functools

import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.cpu_kernels import nhwc_conv2d, nhwc_conv2d_transpose
from dnnlib.tflib.ops.shapes import dims

_assumed = []  # the last layout counts


@functools.cache
def _has_gpu():
    return bool(tf.config.list_physical_devices('GPU'))


@contextlib.contextmanager
def assumed_layout(data_format: str):
    """Build what is built in this context for devices of this layout: a graph for elsewhere."""
    channel_axis(data_format)
    _assumed.append(data_format)
    try:
        yield
    finally:
        _assumed.pop()


def device_layout(x) -> str:
    """Return the layout in which the device of this tensor convolves, 'NCHW' or 'NHWC'."""
    if _assumed:
        return _assumed[-1]
    on_cpu = 'CPU' in (x.device or '').upper()
    return 'NHWC' if on_cpu or not _has_gpu() else 'NCHW'


def supports_grouped_training(x) -> bool:
    """Return whether the device of this tensor has grouped convolutions with all their gradients."""
    return device_layout(x) == 'NCHW'


def channel_axis(data_format: str) -> int:
    """Return the axis of the channels of a rank-4 tensor."""
    assert data_format in ('NCHW', 'NHWC')
    return 1 if data_format == 'NCHW' else 3


def spatial_axes(data_format: str) -> tuple[int, int]:
    """Return the axes of height and width of a rank-4 tensor."""
    return (2, 3) if channel_axis(data_format) == 1 else (1, 2)


def change_layout(x, source: str, target: str):
    """Transpose [N,C,H,W] <-> [N,H,W,C]; return `x` itself where the layouts agree."""
    if source == target:
        return x
    inside_network = tf.get_default_graph().get_name_scope()
    # The underscore hides the scope from list_layers(); at top level TensorFlow does not accept it.
    with tf.name_scope('_Layout' if inside_network else 'Layout'):
        return tf.transpose(x, [0, 2, 3, 1] if target == 'NHWC' else [0, 3, 1, 2])


def per_channel(values, x, data_format: str):
    """Reshape [N,C] to [N,C,1,1], in the layout and dtype of x [N,C,H,W], to be added or multiplied."""
    fmaps = values.shape.as_list()[1]
    shape = [-1, fmaps, 1, 1] if data_format == 'NCHW' else [-1, 1, 1, fmaps]
    return tf.reshape(tf.cast(values, x.dtype), shape)


def _in_device_layout(op):
    """Give `op(x, ..., data_format)` a layout that the device has, and the caller a result in its own."""
    @functools.wraps(op)
    def wrapper(x, *args, data_format='NCHW', **kwargs):
        channel_axis(data_format)
        native = device_layout(x) if data_format == 'NCHW' else 'NHWC'
        y = op(change_layout(x, data_format, native), *args, data_format=native, **kwargs)
        return change_layout(y, native, data_format)
    return wrapper


def _strides(stride, data_format):
    return [1, 1, stride, stride] if data_format == 'NCHW' else [1, stride, stride, 1]


@_in_device_layout
def conv2d(x, w, stride=1, padding='SAME', data_format='NCHW'):
    """Correlate images with w [kH,kW,I,O]; `padding` 'SAME' or 'VALID'.

    x [N,C,H,W] (or NHWC) -> [N,O,H',W']. With C = G*I the convolution has G groups, outputs ordered by group.
    """
    w = tf.convert_to_tensor(w, x.dtype)
    if data_format == 'NHWC':
        return nhwc_conv2d(x, w, stride, padding)
    return tf.nn.conv2d(x, w, strides=[1, 1, stride, stride], padding=padding, data_format='NCHW')


@_in_device_layout
def conv2d_transpose(x, w, stride=2, padding='VALID', fmaps=None, margin=0, data_format='NCHW'):
    """Transposed convolution. w [k,k,O,G*I]: input channel i of group g adds w[a,b,o,g*I+i] to output pixel
    (stride*y + a, stride*x + b), channel g*O+o. `fmaps` = G*O determines the number of groups; None = 1.

    x [N,G*I,H,W] (or NHWC) -> [N,G*O,(H-1)*stride+k,(W-1)*stride+k], cropped around the middle to
    [N,G*O,H*stride,W*stride] with `padding` 'SAME'. `margin`: number of rows and columns of zeros that follow
    with 'VALID', less than `stride`.
    """
    k, _, out_fmaps, _ = w.shape.as_list()
    fmaps = out_fmaps if fmaps is None else fmaps
    overhang = k - stride + margin if padding == 'VALID' else 0
    size = [x.shape.as_list()[axis] * stride + overhang for axis in spatial_axes(data_format)]
    if data_format == 'NHWC':
        return nhwc_conv2d_transpose(x, w, stride, padding, [dims(x)[0], *size, fmaps])
    return tf.nn.conv2d_transpose(x, w, [dims(x)[0], fmaps, *size], strides=[1, 1, stride, stride],
                                  padding=padding, data_format='NCHW')


@_in_device_layout
def depthwise_conv2d(x, w, stride=1, pad=((0, 0), (0, 0)), data_format='NCHW'):
    """Correlate every channel with the same kernel w [kH,kW], after padding with zeros.

    `pad`: pixels before and after, for y and for x. x [N,C,H,W] (or NHWC) -> [N,C,H',W'] with
    H' = (H+pad[0][0]+pad[0][1]-kH)//stride+1, W' likewise.
    """
    fmaps = dims(x)[channel_axis(data_format)]
    w = tf.tile(w[:, :, tf.newaxis, tf.newaxis], [1, 1, fmaps, 1])  # [kH,kW] -> [kH,kW,C,1]
    paddings = [[0, 0]] * 4
    for axis, (before, after) in zip(spatial_axes(data_format), pad, strict=True):
        paddings[axis] = [before, after]
    y = tf.nn.depthwise_conv2d(x, w, strides=_strides(stride, data_format), padding=paddings,
                               data_format=data_format)
    # A function of TensorFlow 2.21 fuses the convolution with a bias and loses its padding, which is fatal.
    return tf.ensure_shape(y, y.shape) if _assumed and data_format == 'NHWC' else y


@_in_device_layout
def average_pool(x, factor, data_format='NCHW'):
    """Average blocks of factor x factor pixels and drop what is left over at the end.

    x [N,C,H,W] (or NHWC) -> [N,C,H//factor,W//factor].
    """
    size = _strides(factor, data_format)
    return tf.nn.avg_pool(x, ksize=size, strides=size, padding='VALID', data_format=data_format)
