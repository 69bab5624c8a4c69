"""Compare forms of the FIR filters of StyleGAN2 on GPUs by what XLA says that they cost.

    python -m benchmarks.fir_forms      # needs jaxlib: pip install -e '.[bench]'

Nothing is timed, and what XLA for CPUs says is a hint at what XLA for GPUs does. The part `speeds` of
`make gpu-check` times the forms.
"""

import argparse
import importlib.util
import os

from benchmarks.xla_on_gpu import Trouble, Xla
from dnnlib import cli
from dnnlib.util import UserError


def picture(text):
    """Accept the path of a PNG file that can be written."""
    folder = os.path.dirname(text) or '.'
    if not text.endswith('.png') or os.path.isdir(text) or not os.access(folder, os.W_OK):
        raise argparse.ArgumentTypeError(
            f"expected a file *.png in a folder that can be written to, not '{text}'")
    if importlib.util.find_spec('matplotlib') is None:
        raise argparse.ArgumentTypeError("needs matplotlib: pip install -e '.[bench]'")
    return text


def main(argv=None):
    """Run the command line."""
    parser = cli.ArgumentParser(prog='python -m benchmarks.fir_forms', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--chart', type=picture, metavar='PNG', help='draw the bytes that are moved, too')
    args = parser.parse_args(argv)
    try:
        xla = Xla('cpu')
    except Trouble as trouble:
        raise UserError(str(trouble)) from None
    print(f"XLA of jaxlib {xla.versions['jaxlib']} for CPUs", flush=True)
    from benchmarks.fir_forms import costs  # loads TensorFlow
    rows = costs.measure(xla)
    print(costs.table(rows))
    if args.chart:
        costs.chart(rows, args.chart)


if __name__ == '__main__':
    cli.run_script(main)
