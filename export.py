"""Write a network file in a form that other code reads. Nothing inside the file is run."""

import script_start  # noqa: F401  (before all that takes time to load)

# isort: split
import argparse
import os

import pretrained_networks
from bridges import generators, onnx, pkl, pytorch, safetensors, savedmodel, tensor_output, tf1
from dnnlib import cli, faults
from dnnlib.util import UserError

FORMS = {'savedmodel': savedmodel, 'onnx': onnx, 'pytorch': pytorch, 'safetensors': safetensors, 'pkl': pkl,
         'tf1': tf1}
SUFFIXES = {'pytorch': tensor_output.SUFFIX, 'safetensors': tensor_output.SUFFIX, 'pkl': '.pkl'}
EXAMPLES = """examples:

  python export.py --to=savedmodel --network=results/00000-run/network-final.pkl --out=generator
  python export.py --to=onnx --network=results/00000-run/network-final.pkl --out=generator.onnx
  python export.py --to=tf1 --network=results/00000-run/network-final.pkl --out=network-tf1.pkl
  python export.py --to=pytorch --network=results/00000-run/network-final.pkl --out=network.safetensors
"""


def make_parser():
    """Return the parser of the command line."""
    forms = '\n'.join(f'  {name:12s}{form.ABOUT}' for name, form in FORMS.items())
    parser = cli.ArgumentParser(description=__doc__, epilog=f'forms:\n\n{forms}\n\n{EXAMPLES}',
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--to', required=True, choices=FORMS, help='form of the new file, see below')
    parser.add_argument('--network', required=True, metavar='FILE',
                        help='network file: a path, a URL or the key of an official network')
    parser.add_argument('--out', required=True, metavar='FILE',
                        help='file or folder to write, which must not exist')
    for name, form in FORMS.items():
        group = parser.add_argument_group(f'with --to={name}')
        for flag, kwargs in form.FLAGS.items():
            group.add_argument(flag, default=None, **kwargs)
    cli.add_cache_dir(parser)
    return parser


def _check_flags(args):
    """Raise UserError for flags of another form and for packages that are missing."""
    others = [(name, flag) for name, form in FORMS.items() if name != args.to for flag in form.FLAGS]
    for name, flag in others:
        if getattr(args, flag.removeprefix('--').replace('-', '_')) is not None:
            raise UserError(f'{flag}: is for --to={name}, not for --to={args.to}')
    generators.check_packages(f'--to={args.to}', FORMS[args.to].NEEDS)


def validate(args):
    """Raise UserError for flags that do not fit and for files that cannot be read or written."""
    _check_flags(args)
    pretrained_networks.check_path(args.network)
    folder = os.path.dirname(os.path.abspath(args.out))
    if not args.out or not os.path.isdir(folder):
        raise UserError(f"--out: expected a file in a folder that exists, not '{args.out}'")
    if os.path.lexists(args.out):
        raise UserError(f'--out={args.out}: exists already; delete it or choose another name')
    if args.to in SUFFIXES and not args.out.endswith(SUFFIXES[args.to]):
        raise UserError(f'--out={args.out}: expected a name that ends in {SUFFIXES[args.to]}')
    beside = tensor_output.json_path(args.out)
    if SUFFIXES.get(args.to) == tensor_output.SUFFIX and os.path.lexists(beside):
        raise UserError(f'--out={args.out}: {beside} exists already; delete it or choose another name')


@faults.described()
def main(argv=None):
    """Parse, check, export."""
    args = make_parser().parse_args(argv)
    cli.use_cache_dir(args)
    validate(args)
    path = pretrained_networks.find_file(args.network)
    try:
        text = FORMS[args.to].export(path, args.out, args)
    except UserError as error:
        raise UserError(f'{args.network}: {str(error).removeprefix(f"{path}: ")}') from error
    print(f'Wrote {args.out}: {text}')


if __name__ == '__main__':
    cli.run_script(main)
