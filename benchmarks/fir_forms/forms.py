"""Forms of the FIR filters of StyleGAN2, and the places of config F in which they are compared."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops.conv2d import device_layout, spatial_axes
from dnnlib.tflib.ops.upfirdn_2d import _gradient_padding, _insert_zeros, _upfirdn_forward

TAPS = np.float32([1, 3, 3, 1]) / 8


def depthwise(x, taps, up, down, pad):
    """Insert zeros, then convolve every channel with the same kernel: the form in dnnlib.tflib.ops.

    x [N,C,H,W]; taps [n] for both axes; pad: before and after. -> [N,C,H',W'] as of `upfirdn_2d`.
    """
    return _upfirdn_forward(x, np.outer(taps, taps), (up, up), (down, down), (pad, pad), 'NCHW')


def folded(x, taps, up, down, pad):
    """Do the same with one plain convolution, for which the channels are samples."""
    x = _insert_zeros(x, (up, up), 'NCHW')
    n, c, h, w = x.shape.as_list()
    kernel = tf.constant(np.outer(taps, taps)[::-1, ::-1, np.newaxis, np.newaxis], x.dtype)
    layout = device_layout(x)

    def ordered(sample, channel, space):
        return [sample, channel, *space] if layout == 'NCHW' else [sample, *space, channel]

    x = tf.reshape(x, ordered(n * c, 1, [h, w]))  # [N,C,H,W] -> [N*C,1,H,W], or [N*C,H,W,1] on CPUs
    y = tf.nn.conv2d(x, kernel, strides=ordered(1, 1, [down, down]),
                     padding=ordered([0, 0], [0, 0], [pad, pad]), data_format=layout)
    size = [y.shape.as_list()[axis] for axis in spatial_axes(layout)]
    return tf.reshape(y, [n, c, *size])  # [N*C,1,H',W'] -> [N,C,H',W']


def slices(x, taps, up, down, pad):
    """Do the same as sums of shifted slices, first along y, then along x, without zeros in between."""
    for axis in (2, 3):
        x = _sum_of_slices(x, taps[::-1], up, down, pad, axis)
    return x


FORMS = {'depthwise': depthwise, 'folded': folded, 'slices': slices}


def _sum_of_slices(x, taps, up, down, pad, axis):
    """Correlate along one axis. Output pixel up*q + r, before decimation, is the sum of the taps j for which
    r + j - pad[0] is a multiple of `up`, times input pixels q + (r + j - pad[0]) / up."""
    size = x.shape.as_list()[axis]
    out_size = (size * up + sum(pad) - len(taps)) // down + 1
    phases = [[((r + j - pad[0]) // up, tap) for j, tap in enumerate(taps) if (r + j - pad[0]) % up == 0]
              for r in range(up)]
    assert out_size % up == 0 and 1 in (up, down)
    offsets = [offset for phase in phases for offset, _ in phase]
    first, reach = min(offsets), (out_size // up - 1) * down + 1
    paddings = [[0, 0]] * 4
    paddings[axis] = [max(-first, 0), max(max(offsets) + reach - size, 0)]
    x = tf.pad(x, paddings)

    def piece(offset):
        start = offset + paddings[axis][0]
        keep = [slice(None)] * 4
        keep[axis] = slice(start, start + reach, down)
        return x[tuple(keep)]

    sums = [tf.add_n([piece(offset) * tf.constant(tap, x.dtype) for offset, tap in phase])
            for phase in phases]
    if up == 1:
        return sums[0]
    shape = x.shape.as_list()
    shape[axis] = out_size
    return tf.reshape(tf.stack(sums, axis=axis + 1), shape)  # [...,H,up,...] -> [...,H*up,...]


def with_gradient(form, x, taps, up, down, pad):
    """Run a form whose gradient is the form with flipped taps and exchanged factors, as in `upfirdn_2d`."""
    back = _gradient_padding(x.shape.as_list()[2], len(taps), up, down, pad)

    @tf.custom_gradient
    def apply(x):
        def grad(dy):
            return with_gradient(form, dy, taps[::-1], down, up, back)
        return form(x, taps, up, down, pad), grad
    return apply(x)


@dataclass(frozen=True)
class Case:
    """A filter of config F at 256x256."""
    title: str
    shape: tuple      # [N,C,H,W]
    up: int
    down: int
    pad: tuple
    gain: float = 1


CASES = (
    Case('filter behind an upsampling convolution', (8, 128, 257, 257), 1, 1, (1, 1), gain=2),
    Case('filter before a downsampling convolution', (8, 128, 256, 256), 1, 1, (2, 2)),
    Case('upsampling of RGB images', (8, 3, 128, 128), 2, 1, (2, 1), gain=2),
    Case('downsampling of RGB images', (8, 3, 256, 256), 1, 2, (1, 1)),
)
