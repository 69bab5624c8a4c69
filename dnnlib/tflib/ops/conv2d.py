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
    if data_format == 'NHWC' and _is_per_pixel(x, w.shape.as_list()[:3]):
        return _product_per_pixel(x[:, ::stride, ::stride] if stride > 1 else x, w)
    if data_format == 'NHWC' and stride == 1 and padding == 'SAME' and _is_faster_transposed(x, w):
        return _as_transposed(x, w)
    return tf.nn.conv2d(x, w, strides=_strides(stride, data_format), padding=padding, data_format=data_format)


def _is_per_pixel(x, kernel):
    """Are weights with this `kernel` [kH,kW,I] a matrix for each pixel of x [N,H,W,C], in one group? Not in
    half precision, of which convolutions add up the products more exactly.

    With strides it has to be one: where AVX2 is the widest that there is, oneDNN's kernel for the gradient of
    such weights writes beyond the end of its memory.
    """
    return x.dtype == tf.float32 and kernel == [1, 1, x.shape.as_list()[3]]


def _product_per_pixel(x, w):
    """Convolution of x [N,H,W,I] with w [1,1,I,O] as a matrix product, which is faster, most of all in the
    gradients where there are few channels."""
    *pixels, in_fmaps = dims_for_reshape(x)
    y = tf.matmul(tf.reshape(x, [-1, in_fmaps]), tf.squeeze(w, [0, 1]))
    return tf.reshape(y, [*pixels, y.shape[1]])


def _product_on_grid(x, w, stride, padding):
    """Transposed convolution of x [N,H,W,I] with w [1,1,O,I]: matrix products, with zeros between them.
    -> [N,(H-1)*stride+1,(W-1)*stride+1,O] or, with `padding` 'SAME', [N,H*stride,W*stride,O]."""
    y = _product_per_pixel(x, tf.transpose(w, [0, 1, 3, 2]))
    if stride == 1:
        return y
    _, height, width, fmaps = dims(y)
    y = tf.reshape(y, [-1, height, 1, width, 1, fmaps])  # [N,H,W,O] -> [N,H,1,W,1,O]
    y = tf.pad(y, [[0, 0], [0, 0], [0, stride - 1], [0, 0], [0, stride - 1], [0, 0]])
    y = tf.reshape(y, [-1, height * stride, width * stride, fmaps])  # [N,H,s,W,s,O] -> [N,H*s,W*s,O]
    overhang = stride - 1 if padding == 'VALID' else 0
    return y[:, :height * stride - overhang, :width * stride - overhang]


def _is_faster_transposed(x, w):
    """Is the convolution of x [N,H,W,I] with w one that oneDNN has a slow kernel for?

    It has for single samples of 16x16 pixels or more and 3x3 weights, if feature maps are many or AVX2 is the
    widest that there is: a transposed convolution of stride 1 reaches the speed of a matrix product there.
    """
    if w.shape[:3] != [3, 3, x.shape[3]]:
        return False
    if not x.shape.is_fully_defined() or x.shape[:3].num_elements() < 16 * 16 or x.shape[0] > 1:
        return False
    return x.dtype == tf.float32 and _uses_onednn() and (x.shape[3] >= 256 or _is_avx2_the_widest())


def _uses_onednn():
    """Does TensorFlow use oneDNN on this x86 CPU, as it has been asked to?"""
    return os.environ.get('TF_ENABLE_ONEDNN_OPTS') == '1' and 'avx2' in _cpu_flags()


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


def fast_margin(x, data_format: str) -> int:
    """The `margin` that makes `conv2d_transpose` of x with stride 2 fast.

    oneDNN has a kernel that is half as fast for some sizes of large images and AVX2: for 513x513 pixels of 64
    feature maps, for example, but not for one row and column more.
    """
    return int(data_format == 'NHWC' and (x.shape.as_list()[1] or 0) >= 64)


@_in_device_layout
def conv2d_transpose(x, w, stride=2, padding='VALID', fmaps=None, margin=0, data_format='NCHW'):
    """Transposed convolution. w [k,k,O,G*I]: input channel i of group g adds w[a,b,o,g*I+i] to output pixel
    (stride*y + a, stride*x + b), channel g*O+o. `fmaps` = G*O tells the number of groups; None = 1.

    x [N,G*I,H,W] (or NHWC) -> [N,G*O,(H-1)*stride+k,(W-1)*stride+k], cropped around the middle to
    [N,G*O,H*stride,W*stride] with `padding` 'SAME'. `margin`: how many rows and columns of zeros follow with
    'VALID', less than `stride`.
    """
    k, _, out_fmaps, in_fmaps = w.shape.as_list()
    fmaps = out_fmaps if fmaps is None else fmaps
    if data_format == 'NHWC' and _is_per_pixel(x, [k, k, in_fmaps]):
        return _product_on_grid(x, w, stride, padding)
    overhang = k - stride + margin if padding == 'VALID' else 0
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
