"""Compare forms of the FIR filters of StyleGAN2 on GPUs by what XLA says that they cost.

    python -m benchmarks.fir_forms      # needs jaxlib: pip install -e '.[bench]'

Nothing is timed, and what XLA for CPUs says is a hint at what XLA for GPUs does. `FORMS` holds the forms, for
timing elsewhere.
"""

import argparse
from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.eager import context

from benchmarks.hlo import modules
from benchmarks.xla_on_gpu import Trouble, Xla
from dnnlib import cli
from dnnlib.progress import shown
from dnnlib.tflib.ops.conv2d import assumed_layout
from dnnlib.tflib.ops.upfirdn_2d import _gradient_padding, _insert_zeros, _upfirdn_forward
from dnnlib.util import UserError

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
    x = tf.reshape(x, [n * c, 1, h, w])  # [N,C,H,W] -> [N*C,1,H,W]
    y = tf.nn.conv2d(x, kernel, strides=[1, 1, down, down], padding=[[0, 0], [0, 0], pad, pad],
                     data_format='NCHW')
    return tf.reshape(y, [n, c, *y.shape.as_list()[2:]])  # [N*C,1,H',W'] -> [N,C,H',W']


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


def compiled(case, form, dtype, is_gradient=False):
    """Return the HloModuleProto of a form in this case, or of its gradient, as TensorFlow gives it to XLA."""
    shape, args = case.shape, (TAPS * case.gain, case.up, case.down, case.pad)
    if is_gradient:
        back = _gradient_padding(case.shape[2], len(TAPS), case.up, case.down, case.pad)
        side = (case.shape[2] * case.up + sum(case.pad) - len(TAPS)) // case.down + 1
        shape, args = (*case.shape[:2], side, side), (TAPS[::-1] * case.gain, case.down, case.up, back)
    with context.eager_mode(), assumed_layout('NCHW'):
        function = tf.function(lambda x: form(x, *args), jit_compile=True, autograph=False)
        compiler = function.experimental_get_compiler_ir(tf.TensorSpec(shape, dtype))
        return modules.parse(compiler(stage='hlo_serialized'))


def costs(xla, module) -> dict:
    """Return what XLA says of a module before and after its optimization, and what the kernels move that it
    runs: every operand and result counts once."""
    hlo = module.SerializeToString()
    executable = xla.compile(hlo)
    counted = xla.get('XlaComputation')(hlo).get_hlo_module()
    before = xla.get('hlo_module_cost_analysis')(xla.client, counted)
    after = executable.cost_analysis()
    optimized = executable.hlo_modules()[0].as_serialized_hlo_module_proto()
    kernels = modules.kernels(modules.parse(optimized))
    return {'flops': [before['flops'], after['flops']],
            'bytes_accessed': [before['bytes accessed'], after['bytes accessed']],
            'kernels': len(kernels), 'moved_bytes': sum(size for _, size in kernels)}


def multiplications(form, up, down) -> float:
    """Return how many an output pixel takes by definition, those of zeros included."""
    taps = len(TAPS)
    # In two passes: the first computes 1/up of the columns, or `down` times as many.
    return taps / up * (down / up + 1) if form is slices else taps ** 2


def measure(xla) -> list:
    """Return a dict for every case, type, direction and form."""
    wanted = [(case, dtype, is_gradient, name) for case in CASES for dtype in (tf.float32, tf.float16)
              for is_gradient in (False, True) for name in FORMS]
    return [{'case': case.title, 'dtype': dtype.name, 'gradient': is_gradient, 'form': name,
             'multiplications': multiplications(FORMS[name], *_factors(case, is_gradient)),
             **costs(xla, compiled(case, FORMS[name], dtype, is_gradient))}
            for case, dtype, is_gradient, name in shown(wanted, 'Compiling')]


def _factors(case, is_gradient):
    return (case.down, case.up) if is_gradient else (case.up, case.down)


def table(rows) -> str:
    """Return the rows as Markdown."""
    lines = ['| filter | type | form | multiplications per pixel | GFLOP by XLA, before / after | '
             'bytes accessed by XLA, before / after | kernels | they move |',
             '|---|---|---|---|---|---|---|---|']
    for row in rows:
        title = f"{row['case']}{', its gradient' if row['gradient'] else ''}"
        flops = ' / '.join(f'{count / 1e9:.3g}' for count in row['flops'])
        accessed = ' / '.join(f'{size / 2 ** 20:,.0f}' for size in row['bytes_accessed'])
        lines.append(f"| {title} | {row['dtype']} | {row['form']} | {row['multiplications']:.3g} | {flops} | "
                     f"{accessed} MiB | {row['kernels']} | {row['moved_bytes'] / 2 ** 20:,.0f} MiB |")
    return '\n'.join(lines)


def chart(rows, path):
    """Draw what the kernels of each form move, relative to reading the input and writing the output once."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout='constrained')
    for axes, dtype in zip(panels, ('float32', 'float16'), strict=True):
        for place, name in enumerate(FORMS):
            sizes = [row['moved_bytes'] / _least_bytes(row) for row in rows
                     if (row['form'], row['dtype'], row['gradient']) == (name, dtype, False)]
            axes.barh(np.arange(len(sizes)) + 0.25 * (1 - place), sizes, 0.23, label=name,
                      color=('#1f5a94', '#d08c1d', '#888888')[place])
        axes.set_yticks(range(len(CASES)), [case.title for case in CASES])
        axes.axvline(1, color='#444444', linewidth=0.8)
        axes.set(title=dtype, xlabel='bytes moved / bytes of input and output')
    figure.legend(*panels[0].get_legend_handles_labels(), loc='outside lower center', ncols=3, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _least_bytes(row):
    case = next(case for case in CASES if case.title == row['case'])
    side = (case.shape[2] * case.up + sum(case.pad) - len(TAPS)) // case.down + 1
    return (case.shape[2] ** 2 + side ** 2) * np.prod(case.shape[:2]) * np.dtype(row['dtype']).itemsize


def main():
    """Run the command line."""
    parser = cli.ArgumentParser(prog='python -m benchmarks.fir_forms', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--chart', metavar='PNG', help='draw the bytes that are moved, too')
    args = parser.parse_args()
    try:
        xla = Xla('cpu')
    except Trouble as trouble:
        raise UserError(str(trouble)) from None
    print(f"XLA of jaxlib {xla.versions['jaxlib']} for CPUs")
    rows = measure(xla)
    print(table(rows))
    if args.chart:
        chart(rows, args.chart)


if __name__ == '__main__':
    cli.run_script(main)
