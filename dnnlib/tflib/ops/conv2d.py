"""How a convolution runs on a device: the one place that knows which layouts and kernels exist where.

GPUs are fastest with NCHW. TensorFlow's CPU kernels know NHWC only, forward and backward; grouped convolution
has no CPU gradients at all. Networks ask `device_layout` once at their inputs and keep their tensors in that
layout; tensors in the other layout still work here and cost two transposes per call.
"""

import functools
import os

import tensorflow.compat.v1 as tf


@functools.cache
def _has_gpu():
    return bool(tf.config.list_physical_devices('GPU'))


def device_layout(x) -> str:
    """'NCHW' or 'NHWC': the layout in which the device of this tensor convolves."""
    on_cpu = 'CPU' in (x.device or '').upper()
    return 'NHWC' if on_cpu or not _has_gpu() else 'NCHW'


def channel_axis(data_format: str) -> int:
    """Axis of the channels of a rank-4 tensor."""
    assert data_format in ('NCHW', 'NHWC')
    return 1 if data_format == 'NCHW' else 3


def spatial_axes(data_format: str) -> tuple[int, int]:
    """Axes of height and width of a rank-4 tensor."""
    return (2, 3) if channel_axis(data_format) == 1 else (1, 2)


def dims(x) -> list:
    """Shape of a tensor as a list: an int where the size is static, else a scalar tensor."""
    return [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape.as_list())]


def dims_for_reshape(x) -> list:
    """`dims`, with -1 in place of the size where only one is unknown, which takes no operations."""
    shape = x.shape.as_list()
    return [-1 if size is None else size for size in shape] if shape.count(None) == 1 else dims(x)


def change_layout(x, source: str, target: str):
    """Transpose [N,C,H,W] <-> [N,H,W,C]; returns `x` itself where the layouts agree."""
    if source == target:
        return x
    inside_network = tf.get_default_graph().get_name_scope()
    # The underscore hides the scope from list_layers(); at top level TensorFlow does not accept it.
    with tf.name_scope('_Layout' if inside_network else 'Layout'):
        return tf.transpose(x, [0, 2, 3, 1] if target == 'NHWC' else [0, 3, 1, 2])


def per_channel(values, x, data_format: str):
    """[N,C] -> what can be added to x or multiply it: [N,C,1,1], in the layout and dtype of x [N,C,H,W]."""
    fmaps = values.shape.as_list()[1]
    shape = [-1, fmaps, 1, 1] if data_format == 'NCHW' else [-1, 1, 1, fmaps]
    return tf.reshape(tf.cast(values, x.dtype), shape)


def supports_grouped_training(x) -> bool:
    """Does the device of this tensor have grouped convolutions with all their gradients?"""
    return device_layout(x) == 'NCHW'


def _in_device_layout(op):
    """Give `op(x, ..., data_format)` a layout that the device has; the result returns to the caller's."""
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
    """Correlation of images with w [kH,kW,I,O]; `padding` 'SAME' or 'VALID'.

    x [N,C,H,W] (or NHWC) -> [N,O,H',W']. With C = G*I the convolution has G groups, outputs ordered by group.
    """
    w = tf.convert_to_tensor(w, x.dtype)
    if data_format == 'NHWC' and stride == 1:
        if _is_per_pixel(x, w):
            return _product_per_pixel(x, w)
        if padding == 'SAME' and w.shape[:3] == [3, 3, x.shape[3]] and _lacks_kernels_for(x, w):
            return _as_transposed(x, w)
    return tf.nn.conv2d(x, w, strides=_strides(stride, data_format), padding=padding, data_format=data_format)


def _is_per_pixel(x, w):
    """Is w [kH,kW,I,O] a matrix for each pixel of x [N,H,W,C], in one group? Not in half precision, of which
    convolutions add up the products more exactly."""
    return x.dtype == tf.float32 and w.shape.as_list()[:3] == [1, 1, x.shape.as_list()[3]]


def _product_per_pixel(x, w):
    """Convolution of x [N,H,W,I] with w [1,1,I,O] as a matrix product, which is faster, most of all in the
    gradients where there are few channels."""
    *pixels, in_fmaps = dims_for_reshape(x)
    y = tf.matmul(tf.reshape(x, [-1, in_fmaps]), tf.squeeze(w, [0, 1]))
    return tf.reshape(y, [*pixels, y.shape[1]])


def _lacks_kernels_for(x, w):
    """Is x [N,H,W,C] a single sample with more values than its weights w, on a CPU with AVX2 and no AVX-512?

    For those oneDNN copies the pixels into a matrix, mostly on one core, and needs two to four times as long
    as a transposed convolution of stride 1 does. Its transposed convolutions of stride 2 are slow as well.
    """
    if not (x.shape.is_fully_defined() and w.shape.is_fully_defined()):
        return False
    is_large_sample = x.shape[0] == 1 and x.shape.num_elements() >= w.shape.num_elements()
    return is_large_sample and x.dtype == tf.float32 and _is_avx2_the_widest()


def _is_avx2_the_widest():
    """Does oneDNN work with AVX2 here, for want of AVX-512 or because its environment variable says so?"""
    flags = _cpu_flags()
    return 'avx2' in flags and ('avx512f' not in flags or os.environ.get('ONEDNN_MAX_CPU_ISA') == 'AVX2')


@functools.cache
def _cpu_flags():
    """What Linux says that the processor can do, {name}; empty elsewhere."""
    if not os.path.exists('/proc/cpuinfo'):
        return set()
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        lines = [line.split() for line in file if line.startswith('flags')]
    return set(lines[0]) if lines else set()


def _as_transposed(x, w):
    """Convolution of x [N,H,W,I] with w [3,3,I,O] as a transposed one with the opposite weights."""
    w = tf.transpose(tf.reverse(w, [0, 1]), [0, 1, 3, 2])  # [3,3,I,O] -> [3,3,O,I]
    return conv2d_transpose(x, w, stride=1, padding='SAME', data_format='NHWC')


def _transposed_in_phases(x, w):
    """Transposed convolution of stride 2 with w [3,3,O,I]: one of stride 1 for each parity of row and column.

    x [N,H,W,I] -> [N,2*H+1,2*W+1,O].
    """
    _, height, width, _ = x.shape.as_list()
    size = [height + 1, width + 1]
    rows = [tf.stack([_phase(x, w[first_row::2, first_col::2], size) for first_col in (0, 1)], axis=3)
            for first_row in (0, 1)]  # [N,H,W,2,O]
    woven = tf.reshape(tf.stack(rows, axis=2), [-1, 2 * size[0], 2 * size[1], w.shape[2]])  # of [N,H,2,W,2,O]
    return woven[:, :-1, :-1]


def _phase(x, w, size):
    """Transposed convolution of x [N,H,W,I] with w [a,b,O,I], with zeros after it up to size (y, x)."""
    own_size = [x.shape[axis + 1] + w.shape[axis] - 1 for axis in (0, 1)]
    shape = [dims(x)[0], *own_size, w.shape[2]]
    y = tf.nn.conv2d_transpose(x, w, output_shape=shape, strides=1, padding='VALID')
    return tf.pad(y, [[0, 0], *([0, size[axis] - own_size[axis]] for axis in (0, 1)), [0, 0]])


@_in_device_layout
def conv2d_transpose(x, w, stride=2, padding='VALID', fmaps=None, data_format='NCHW'):
    """Transposed convolution. w [k,k,O,G*I]: input channel i of group g adds w[a,b,o,g*I+i] to output pixel
    (stride*y + a, stride*x + b), channel g*O+o. `fmaps` = G*O tells the number of groups; None = 1.

    x [N,G*I,H,W] (or NHWC) -> [N,G*O,(H-1)*stride+k,(W-1)*stride+k], cropped around the middle to
    [N,G*O,H*stride,W*stride] with `padding` 'SAME'.
    """
    k, _, out_fmaps, _ = w.shape.as_list()
    fmaps = out_fmaps if fmaps is None else fmaps
    is_common = (data_format, stride, padding, k) == ('NHWC', 2, 'VALID', 3)
    if is_common and _lacks_kernels_for(x, w) and fmaps == out_fmaps:
        return _transposed_in_phases(x, w)
    overhang = k - stride if padding == 'VALID' else 0
    size = [x.shape.as_list()[axis] * stride + overhang for axis in spatial_axes(data_format)]
    shape = [dims(x)[0], *([fmaps, *size] if data_format == 'NCHW' else [*size, fmaps])]
    return tf.nn.conv2d_transpose(x, w, output_shape=shape, strides=_strides(stride, data_format),
                                  padding=padding, data_format=data_format)


@_in_device_layout
def depthwise_conv2d(x, w, stride=1, pad=((0, 0), (0, 0)), data_format='NCHW'):
    """Correlation of every channel with the same kernel w [kH,kW], after padding with zeros.

    `pad`: pixels before and after, for y and for x. x [N,C,H,W] (or NHWC) -> [N,C,H',W'] with
    H' = (H+pad[0][0]+pad[0][1]-kH)//stride+1, W' likewise.
    """
    fmaps = dims(x)[channel_axis(data_format)]
    w = tf.tile(w[:, :, tf.newaxis, tf.newaxis], [1, 1, fmaps, 1])  # [kH,kW] -> [kH,kW,C,1]
    paddings = [[0, 0]] * 4
    for axis, (before, after) in zip(spatial_axes(data_format), pad, strict=True):
        paddings[axis] = [before, after]
    if tf.__version__.startswith('1.'):  # its kernels do not pad
        x, paddings = tf.pad(x, paddings), 'VALID'
    return tf.nn.depthwise_conv2d(x, w, strides=_strides(stride, data_format), padding=paddings,
                                  data_format=data_format)


@_in_device_layout
def average_pool(x, factor, data_format='NCHW'):
    """Mean over blocks of factor x factor pixels; what is left over at the end is dropped.

    x [N,C,H,W] (or NHWC) -> [N,C,H//factor,W//factor].
    """
    size = _strides(factor, data_format)
    return tf.nn.avg_pool(x, ksize=size, strides=size, padding='VALID', data_format=data_format)
