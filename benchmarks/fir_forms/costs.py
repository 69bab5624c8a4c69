"""What XLA for CPUs says that the forms cost, as a table and a chart."""

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.eager import context

from benchmarks.fir_forms.forms import CASES, FORMS, TAPS, slices
from benchmarks.hlo import modules
from dnnlib.progress import shown
from dnnlib.tflib.ops.conv2d import assumed_layout
from dnnlib.tflib.ops.upfirdn_2d import _gradient_padding


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
