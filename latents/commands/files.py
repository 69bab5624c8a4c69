"""The command of run_generator.py for files of latents."""

import os

from dnnlib import cli
from dnnlib.util import UserError
from latents import conversion
from latents.commands.command import Command, check_output


def _add_conversion(parser):
    add = parser.add_mutually_exclusive_group(required=True).add_argument
    add('--dlatents', metavar='FILE', help='file of w [N,size] or w+ [N,layers,size]: .npz, .npy or .pt')
    add('--latents', metavar='FILE', help='file of latents z [N,size]: .npz, .npy or .pt')
    parser.add_argument('--layers', type=cli.int_between(2, 64), metavar='N',
                        help='repeat w for the N layers of a network, which makes it w+ (default: leave it)')
    parser.add_argument('--output', required=True, metavar='NAME',
                        help=f'name of the file in the run directory: {", ".join(conversion.SUFFIXES)}')


def _check_conversion(args):
    check_output(args.output)
    if os.path.splitext(args.output)[1].lower() not in conversion.SUFFIXES:
        raise UserError(f'--output={args.output}: expected a name that ends in '
                        f'{", ".join(conversion.SUFFIXES)}')
    if args.latents is not None and args.layers is not None:
        raise UserError('--layers: latents z have no layers; leave it out')
    found = conversion.read(args.latents, args.dlatents, args.layers)
    if args.layers not in (None, found.shape[1]):
        raise UserError(f'--layers={args.layers}: {args.dlatents} has dlatents of {found.shape[1]} layers '
                        'already; leave it out')


COMMANDS = (
    Command('convert-latents', 'write latents or dlatents as a file of another kind',
            'latents.conversion.convert', _add_conversion, _check_conversion, psi=None, needs_network=False),
)
