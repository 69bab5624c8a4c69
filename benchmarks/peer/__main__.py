"""Compare this project and the PyTorch peer on the same work, in turn (see docs/peer.md)."""

import argparse
import json
import os
import time

from benchmarks import machine, processes
from benchmarks.peer import checks, sides, table
from benchmarks.peer.rounds import PARTS, compare, pieces
from dnnlib import cli
from dnnlib.files import atomic_write
from dnnlib.progress import announced
from dnnlib.util import UserError, format_time

EPILOG = f"""requirements, which this project does not install:
  {checks.CLONE}
  python3 -m venv peer && peer/bin/{checks.INSTALL}
"""


def make_parser():
    """Build the command-line parser."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.peer', description=__doc__, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--repo', metavar='DIR', help='checkout of stylegan2-ada-pytorch')
    add('--python', metavar='FILE', help='Python interpreter with PyTorch')
    add('--quick', action='store_true', help='do less work in fewer rounds (a few minutes)')
    add('--only', type=cli.some_of(*PARTS), default=list(PARTS), metavar='PARTS',
        help=f'comma-separated parts to measure, of {", ".join(PARTS)} (default: all)')
    add('--json', metavar='FILE', help='also write all measurements to this file')
    return parser


def measure(wanted, all_sides, rounds, seconds):
    """Compare the pieces in order. -> {name: result or {'error': ...}}."""
    results = {}
    for number, piece in enumerate(wanted, 1):
        start = time.monotonic()
        print(f'[{number}/{len(wanted)}] {piece.name} ...', flush=True)
        try:
            results[piece.name] = compare(piece, all_sides, rounds, seconds)
            line = table.one_line(results[piece.name])
        except processes.Failed as error:
            results[piece.name] = {'error': str(error)}
            line = f'no result: {error}'
        print(f'    {line}  ({format_time(time.monotonic() - start)})', flush=True)
    return results


def report(results, all_sides, rounds):
    """Print the table. Raises UserError if something has no result."""
    names = [side.name for side in all_sides]
    print(f'\n{table.text(results, names)}\n\n{table.LEGEND.format(rounds=rounds)}')
    for name in table.unsteady(results):
        print(f'{name}: the turns of one side differ by half or more, so the ratio is unreliable; '
              'measure again while nothing else runs')
    failed = [f'{name}: {result["error"]}' for name, result in results.items() if 'error' in result]
    if failed:
        raise UserError(f'no result for {"; ".join(failed)}')


def main(argv=None):
    """Check the peer, measure and report."""
    args = make_parser().parse_args(argv)
    repo = checks.check_repo(args.repo)
    with announced(f'Loading the checkout with {args.python}...'):
        python, peer = checks.check_python(args.python, repo)
    if args.json and not os.path.isdir(os.path.dirname(os.path.abspath(args.json))):
        raise UserError(f'--json={args.json}: its folder does not exist; create it')
    described = machine.describe()
    print(f'{described["processor"]}, {described["cores"]} cores; everything runs on the CPU')
    print(f'ours: {_listed(described["versions"])}; peer: {_listed(peer["versions"])}', flush=True)
    all_sides = [sides.ours(), *sides.peers(python, repo, peer['glibc'])]
    rounds, seconds = (2, 1) if args.quick else (5, 2)
    wanted = [piece for piece in pieces(args.quick) if piece.part in args.only]
    results = measure(wanted, all_sides, rounds, seconds)
    if args.json:
        with atomic_write(args.json, 'w') as file:
            json.dump({'date': machine.today(), 'machine': described, 'peer': peer['versions'],
                       'pieces': results}, file, indent=1)
    report(results, all_sides, rounds)


def _listed(versions):
    return ', '.join(f'{name} {version}' for name, version in versions.items())


if __name__ == '__main__':
    cli.run_script(main)
