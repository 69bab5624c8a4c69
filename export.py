"""Write a network file in a form that other code reads. Nothing is built, and nothing inside it is run."""

import script_start  # noqa: F401  (before all that takes time to load)

# isort: split
import argparse
import os

import pretrained_networks
from bridges import tf1
from dnnlib import cli
from dnnlib.util import UserError

EXAMPLES = """forms:

  tf1   source texts that hold all layers, for the published code and TensorFlow 1.14

examples:

  python export.py --to=tf1 --network=results/00000-run/network-final.pkl --out=network-tf1.pkl
"""
FORMS = {'tf1': tf1.export}


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--to', required=True, choices=FORMS, help='form of the new file, see below')
    parser.add_argument('--network', required=True, metavar='PKL',
                        help='network pickle: a path, a URL or the key of an official network')
    parser.add_argument('--out', required=True, metavar='FILE', help='file to write, which must not exist')
    cli.add_cache_dir(parser)
    return parser


def validate(args):
    """Raise UserError for files that cannot be read or written."""
    pretrained_networks.check_path(args.network)
    folder = os.path.dirname(os.path.abspath(args.out))
    if not args.out or not os.path.isdir(folder):
        raise UserError(f"--out: expected a file in a folder that exists, not '{args.out}'")
    if os.path.lexists(args.out):
        raise UserError(f'--out={args.out}: exists already; delete it or choose another name')


def main(argv=None):
    """Parse, check, export."""
    args = make_parser().parse_args(argv)
    cli.use_cache_dir(args)
    validate(args)
    path = pretrained_networks.find_file(args.network)
    try:
        number = FORMS[args.to](path, args.out)
    except UserError as error:
        raise UserError(f'{args.network}: {error}') from error
    print(f'Wrote {args.out}: {number} networks exported, including sub-networks.')


if __name__ == '__main__':
    cli.run_script(main)
