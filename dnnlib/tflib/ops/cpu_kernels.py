"""Chooses the kernel of a convolution on a CPU.

Images are [N,H,W,C]. All forms have the values and gradients of the plain `tf.nn` call, which is used unless
another form is faster or safer.
"""

import functools
import os

import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.shapes import dims, dims_for_reshape


def nhwc_conv2d(x, w, stride, padding):
    """Correlate x [N,H,W,G*I] with w [kH,kW,I,G*O]; `padding` 'SAME' or 'VALID'. -> [N,H',W',G*O]."""
    if _is_per_pixel(x, w.shape.as_list()[:3]):
        return _product_per_pixel(x[:, ::stride, ::stride] if stride > 1 else x, w)
    if stride == 1 and padding == 'SAME' and _is_faster_transposed(x, w):
        w = tf.transpose(tf.reverse(w, [0, 1]), [0, 1, 3, 2])  # [3,3,I,O] -> [3,3,O,I]
        return tf.nn.conv2d_transpose(x, w, [*x.shape.as_list()[:3], w.shape.as_list()[2]], strides=1)
    return tf.nn.conv2d(x, w, strides=[1, stride, stride, 1], padding=padding)


def nhwc_conv2d_transpose(x, w, stride, padding, out_shape):
    """Convolve x [N,H,W,G*I] transposed with w [k,k,O,G*I]. -> `out_shape` [N,H',W',G*O]."""
    if _is_per_pixel(x, [*w.shape.as_list()[:2], w.shape.as_list()[3]]):
        return _product_on_grid(x, w, stride, out_shape[1:3])
    return tf.nn.conv2d_transpose(x, w, out_shape, strides=[1, stride, stride, 1], padding=padding)


def fast_margin(x, data_format: str) -> int:
    """Return the `margin` that makes `conv2d_transpose` of x with stride 2 fast.

    For large images of some sizes and AVX2, oneDNN's kernel is half as fast: for 513x513 pixels of 64 feature
    maps, for example, but not with one more row and column.
    """
    return int(data_format == 'NHWC' and (x.shape.as_list()[1] or 0) >= 64)


def _is_per_pixel(x, kernel):
    """Return whether weights [kH,kW,I] = `kernel` are one matrix for each pixel of x [N,H,W,C].

    Not in half precision: convolutions add up its products more exactly. With strides the product is needed:
    on CPUs with AVX2 at most, oneDNN's kernel for the gradient of such weights writes beyond the end of its
    memory.
    """
    return x.dtype == tf.float32 and kernel == [1, 1, x.shape.as_list()[3]]


def _product_per_pixel(x, w):
    """Convolve x [N,H,W,I] with w [1,1,I,O] as a matrix product, which is faster, especially the gradients
    with few channels."""
    *pixels, in_fmaps = dims_for_reshape(x)
    y = tf.matmul(tf.reshape(x, [-1, in_fmaps]), tf.squeeze(w, [0, 1]))
    return tf.reshape(y, [*pixels, y.shape[1]])


def _product_on_grid(x, w, stride, out_size):
    """Convolve x [N,H,W,I] transposed with w [1,1,O,I]: matrix products with zeros between them.

    -> [N,H',W',O], `out_size` = (H',W') with H' <= H*stride.
    """
    y = _product_per_pixel(x, tf.transpose(w, [0, 1, 3, 2]))
    if stride == 1:
        return y
    _, height, width, fmaps = dims(y)
    y = tf.reshape(y, [-1, height, 1, width, 1, fmaps])  # [N,H,W,O] -> [N,H,1,W,1,O]
    y = tf.pad(y, [[0, 0], [0, 0], [0, stride - 1], [0, 0], [0, stride - 1], [0, 0]])
    y = tf.reshape(y, [-1, height * stride, width * stride, fmaps])  # [N,H,s,W,s,O] -> [N,H*s,W*s,O]
    return y[:, :out_size[0], :out_size[1]]


def _is_faster_transposed(x, w):
    """Return whether oneDNN's kernel for this convolution of x [N,H,W,I] with w is slow.

    It is for single samples of 16x16 pixels or more and 3x3 weights, if there are many feature maps or AVX2
    is the widest instruction set. A transposed convolution of stride 1 then reaches the speed of a matrix
    product.
    """
    if w.shape[:3] != [3, 3, x.shape[3]]:
        return False
    if not x.shape.is_fully_defined() or x.shape[:3].num_elements() < 16 * 16 or x.shape[0] > 1:
        return False
    return x.dtype == tf.float32 and _uses_onednn() and (x.shape[3] >= 256 or _is_avx2_the_widest())


def _uses_onednn():
    return os.environ.get('TF_ENABLE_ONEDNN_OPTS') == '1' and 'avx2' in _cpu_flags()


def _is_avx2_the_widest():
    """Return whether oneDNN uses AVX2 at most, for lack of AVX-512 or as its environment variable says."""
    flags = _cpu_flags()
    return 'avx2' in flags and ('avx512f' not in flags or os.environ.get('ONEDNN_MAX_CPU_ISA') == 'AVX2')


def emulates_bfloat16():
    """Return whether this processor is known to have no instructions that multiply bfloat16."""
    flags = _cpu_flags()
    return bool(flags) and not flags & {'avx512_bf16', 'amx_bf16'}


@functools.cache
def _cpu_flags():
    """Return the names of the processor's features as Linux lists them; an empty set elsewhere."""
    if not os.path.exists('/proc/cpuinfo'):
        return set()
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        lines = [line.split() for line in file if line.startswith('flags')]
    return set(lines[0]) if lines else set()
