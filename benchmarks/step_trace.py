"""Trace minibatches of training on several devices: when each one computes, and when its next images arrive.

Trains a narrow config F on noise of 32x32 pixels, on virtual CPU devices. Writes step_trace.json, which
chrome://tracing and ui.perfetto.dev open, and step_trace.png.
"""

import argparse
import os

from dnnlib import cli
from dnnlib.files import atomic_write, create_folder
from dnnlib.progress import announced

RESULTS = 'benchmarks/results'  # ignored by git


def make_parser():
    """Build the command-line parser."""
    parser = cli.ArgumentParser(prog='python -m benchmarks.step_trace', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--devices', default=4, type=cli.int_at_least(1), metavar='N',
                        help='devices to train on (default: 4)')
    parser.add_argument('--out', default=RESULTS, type=cli.folder, metavar='DIR',
                        help=f'folder for step_trace.json and .png (default: {RESULTS})')
    return parser


def main(argv=None):
    """Trace both ways of bringing images to the devices, and write what was seen."""
    args = make_parser().parse_args(argv)
    create_folder(args.out)
    with announced('Loading TensorFlow...'):
        from benchmarks import results_file, trace_calls
    with announced(f'Training on {args.devices} devices...'):
        runs = trace_calls.both_ways(args.devices)
    with atomic_write(os.path.join(args.out, 'step_trace.json'), 'w') as file:
        file.write(trace_calls.chrome_trace(runs[trace_calls.AHEAD]))
    plot = results_file.plot_module('trace_plot')
    if plot is not None:
        plot.write(runs, os.path.join(args.out, 'step_trace.png'))
    for way, calls in runs.items():
        shares = trace_calls.waiting_shares(calls)
        print(f'{way}: devices wait for images for', ', '.join(f'{share:.1%}' for share in shares.values()),
              'of the time')
    print(f'Trace: {args.out}/step_trace.json')


if __name__ == '__main__':
    cli.run_script(main)
