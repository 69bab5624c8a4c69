"""Measure the speed of all parts on this machine. docs/performance.md holds the report."""

import argparse
import glob
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

RESULTS = 'benchmarks/results'  # ignored by git
RECORDS = 'benchmarks/records'  # the results shown in docs/


def make_parser():
    """Build the command-line parser."""
    epilog = 'parts:\n' + '\n'.join(f'  {name:14s}{text}' for name, text in PARTS.items())
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__, epilog=epilog,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--quick', action='store_true', help='make fewer and shorter measurements (one or two minutes)')
    add('--only', type=cli.some_of(*PARTS), default=list(PARTS), metavar='PARTS',
        help='comma-separated parts to measure (default: all)')
    add('--out', metavar='DIR',
        help='folder for performance.json, .md and .png (default for a complete run: docs, with the JSON in '
             f'{RECORDS}; otherwise {RESULTS})')
    add('--report', nargs='+', metavar='JSON',
        help='measure nothing; write the report of these files: the first in full, the others as tables')
    return parser


def measure(wanted, quick):
    """Measure the pieces in order and return the results, which are also saved after each piece."""
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
    """Return the result of one piece, or its error, so that the other pieces still run."""
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


def _read(path):
    return results_file.read(path, 'a performance.json of python -m benchmarks', ['pieces'])


def main(argv=None):
    """Measure, or read earlier results, and write the report."""
    args = make_parser().parse_args(argv)
    if args.report:
        out = args.out or 'docs'
        results, *others = [_read(path) for path in args.report]
    else:
        wanted = [piece for piece in pieces(args.quick) if set(piece.parts) & set(args.only)]
        results = measure(wanted, args.quick)
        complete = not args.quick and args.only == list(PARTS) and not args.out
        out = args.out or ('docs' if complete else RESULTS)
        paths = sorted(glob.glob(f'{RECORDS}/performance-*.json')) if complete else []
        others = [_read(path) for path in paths]
        _write_json(results, RECORDS if complete else out)
    report.write(results, out, others)
    print(f'Report: {out}/performance.md')
    failed = [name for name, result in results['pieces'].items() if 'error' in result]
    if failed:
        raise UserError(f'no result for {"; ".join(failed)}')


if __name__ == '__main__':
    cli.run_script(main)
