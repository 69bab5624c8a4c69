"""Measure how fast everything is on this machine: see docs/performance.md."""

import argparse
import json
import os
import shlex
import sys
import tempfile
import time

from benchmarks import machine, processes, report, results_file
from benchmarks.inputs import Inputs
from benchmarks.plan import PARTS, pieces
from dnnlib import cli
from dnnlib.files import atomic_write
from dnnlib.util import UserError, format_time

RESULTS = 'benchmarks/results'


def make_parser():
    """The command line."""
    epilog = 'parts:\n' + '\n'.join(f'  {name:12s}{text}' for name, text in PARTS.items())
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__, epilog=epilog,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--quick', action='store_true', help='one or two minutes: fewer measurements, and shorter')
    add('--only', type=cli.some_of(*PARTS), default=list(PARTS), metavar='PARTS',
        help='parts to measure, separated by commas (default: all)')
    add('--out', metavar='DIR',
        help='folder for performance.json, .md and .png (default: docs for a complete run, else '
             f'{RESULTS})')
    add('--report', metavar='JSON', help='measure nothing; make the report from this file of results')
    return parser


def measure(wanted, quick):
    """Measure one after the other. -> results; a file has those so far, in case that somebody interrupts."""
    results = {'command': shlex.join(['python', '-m', 'benchmarks', *sys.argv[1:]]), 'date': machine.today(),
               'machine': machine.describe(), 'quick': quick, 'pieces': {}}
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='benchmarks-') as folder:
        inputs = Inputs(folder, num_images=200 if quick else 1000)
        for number, piece in enumerate(wanted, 1):
            start = time.monotonic()
            print(f'[{number}/{len(wanted)}] {piece.name} ...', flush=True)
            result = _measure_one(piece, inputs)
            results['pieces'][piece.name] = {'function': piece.function, 'goal': piece.goal, **result}
            results['seconds'] = time.monotonic() - begin
            _write_json(results, RESULTS)
            print(f'    {report.one_line(result)}  ({format_time(time.monotonic() - start)})', flush=True)
    return results


def _measure_one(piece, inputs):
    """-> its result or, so that the others follow, what went wrong."""
    try:
        files = {argument: getattr(inputs, name) for argument, name in piece.inputs.items()}
        return processes.call(piece.function, {**piece.arguments, **files})
    except processes.Failed as error:
        return {'error': str(error)}


def _write_json(results, out):
    os.makedirs(out, exist_ok=True)
    with atomic_write(os.path.join(out, 'performance.json'), 'w') as file:
        json.dump(results, file, indent=1)
        file.write('\n')


def main(argv=None):
    """Parse, measure, report."""
    args = make_parser().parse_args(argv)
    complete = not args.quick and args.only == list(PARTS)
    out = args.out or ('docs' if complete or args.report else RESULTS)
    if args.report:
        results = results_file.read(
            args.report, 'a performance.json of python -m benchmarks', ['pieces'])
    else:
        wanted = [piece for piece in pieces(args.quick) if set(piece.parts) & set(args.only)]
        results = measure(wanted, args.quick)
        _write_json(results, out)
    report.write(results, out)
    print(f'{out}/performance.md has the report.')
    failed = [name for name, result in results['pieces'].items() if 'error' in result]
    if failed:
        raise UserError(f'without a result: {"; ".join(failed)}')


if __name__ == '__main__':
    cli.run_script(main)
