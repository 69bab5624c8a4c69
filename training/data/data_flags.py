"""The flags of scripts that say which data sets are read: --data-dir, --dataset, --images."""

import argparse
import os

from dnnlib import cli
from dnnlib.util import UserError


def data_set(text: str) -> str:
    """Accept the name or path of a data set, and remove slashes at its end."""
    if not text.strip() or not os.path.basename(os.path.abspath(text)):
        raise argparse.ArgumentTypeError(f"expected the name or path of a folder or zip file, not '{text}'")
    return text.rstrip('/')


def data_sets(text: str) -> list[str]:
    """Split 'a,b' into names or paths of data sets; '' and 'none' are []."""
    return [data_set(name) for name in cli.comma_list(text)]


def add_flags(parser, required):
    """Add --data-dir and --dataset to a parser. required: says when."""
    parser.add_argument('--data-dir', metavar='DIR', help=f'folder of the data sets; {required}, unless '
                        '--dataset is a path')
    parser.add_argument('--dataset', type=data_set, help='data set: the name of a folder or zip file in '
                        f'--data-dir, or a path; {required}')


def parsed(parser, argv):
    """Return the arguments on a command line that must have these flags."""
    args = parser.parse_args(argv)
    require(parser, args, 'dataset', 'data-dir')
    return args


def require(parser, args, *names):
    """End the script with a message unless these flags are given. --data-dir may be missing if --dataset is a
    path."""
    missing = [name for name in names if getattr(args, name.replace('-', '_')) is None]
    if args.dataset is not None and (os.path.dirname(args.dataset) or os.path.exists(args.dataset)):
        missing = [name for name in missing if name != 'data-dir']
    if missing:
        parser.error(f'the following arguments are required: {", ".join(f"--{name}" for name in missing)}')


def given(parser, argv):
    """Return {name: value} of the flags on a command line, without defaults."""
    missing = object()
    nothing = argparse.Namespace(**dict.fromkeys(vars(parser.parse_args(argv)), missing))
    values = vars(parser.parse_args(argv, nothing))
    return {name.replace('_', '-'): value for name, value in values.items() if value is not missing}


def place(data_dir, dataset, images=()):
    """Return the folder of a data set, its name in it, and a list of other data sets: their names if they are
    in the same folder, otherwise absolute paths.

    All are given as names in `data_dir` or absolute paths or, if `data_dir` is None, as any paths. The folder
    of a path is absolute, so that a run can be resumed from any working directory. Raises UserError.
    """
    folder, name = _located('dataset', dataset, data_dir)
    others = [_located('images', each, data_dir) for each in images]
    return folder, name, [each if where == folder else os.path.abspath(os.path.join(where, each))
                          for where, each in others]


def _located(flag, name, data_dir):
    """Return the folder and the name of a data set."""
    if data_dir is None or os.path.isabs(name):
        return os.path.split(os.path.abspath(name))
    if os.path.dirname(name) or name in ('.', '..'):
        raise UserError(f'--{flag}={name}: expected the name of a folder or zip file in --data-dir, or an '
                        'absolute path')
    return data_dir, name
