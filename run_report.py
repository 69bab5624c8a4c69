"""Write the report of training runs as one HTML page: curves, metrics, pictures and settings."""

import script_start  # noqa: F401  (must come first)

# isort: split
import argparse
import os

from dnnlib import cli
from dnnlib.util import UserError, printable
from reports import report, runs

EXAMPLES = """examples:

  # Write report.html into a run directory
  python run_report.py results/00000-stylegan2-ffhq-8gpu-config-f

  # Compare runs in one page
  python run_report.py results/00001-run results/00002-run --output=comparison.html

  # Compare all runs in a folder
  python run_report.py results --output=all.html

run_training.py --report writes the report at every snapshot.
"""


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runs', nargs='+', metavar='RUN',
                        help='run directory of a training, finished or not, or a folder that contains some')
    parser.add_argument('--output', metavar='FILE',
                        help='file to write (default: report.html in the run directory; for several runs, in '
                             'the current folder)')
    return parser


def output_path(output, run_dirs):
    """Return the path of the file to write. Raises UserError if it cannot be one."""
    if output is None:
        return os.path.join(run_dirs[0] if len(run_dirs) == 1 else '', report.FILE_NAME)
    folder = os.path.dirname(output) or '.'
    if not output or os.path.isdir(output):
        raise UserError(f'--output={output}: expected the name of a file such as {report.FILE_NAME}')
    if not os.path.isdir(folder):
        raise UserError(f'--output={output}: there is no folder {folder}')
    return output


def main(argv=None):
    """Parse, check, write."""
    args = make_parser().parse_args(argv)
    report.require()
    run_dirs = runs.find(args.runs)
    path = output_path(args.output, run_dirs)
    found = report.write_for(run_dirs, path)
    for run in found:
        for note in run.notes:
            print(printable(f'{run.name}: {note}'))
    number = 'one run' if len(found) == 1 else f'{len(found)} runs'
    print(f'Wrote {printable(path)} ({os.path.getsize(path) / 1e6:.1f} MB) about {number}.')


if __name__ == '__main__':
    cli.run_script(main)
