"""What generate.py and style_mixing.py, scripts of StyleGAN2-ADA, have in common: flags and checks.

They write to a folder, not to a run directory.
"""

import math
import os

from dnnlib import cli
from dnnlib.submission import run_dirs
from dnnlib.util import UserError
from latents import dlatent_files, from_files, noise_files
from latents.commands.command import check_has_styles, check_seeds
from training.misc import pickles
from training.settings import picture_requests


def add_published(parser) -> None:
    """Add --network, --trunc and --outdir to a parser."""
    add = parser.add_argument
    add('--network', dest='network_pkl', required=True, metavar='PKL',
        help='network file: a path, a URL or the key of a published one')
    add('--trunc', dest='truncation_psi', type=float, default=0.5, metavar='PSI',
        help='strength of the truncation trick, 1 = off (default: 0.5)')
    add('--outdir', required=True, type=cli.folder, metavar='DIR', help='folder of the images')


def add_class(parser) -> None:
    """Add --class to a parser."""
    parser.add_argument('--class', dest='class_idx', metavar='NAME|N',
                        help='class, by name or number, for a network trained with labels (default: none)')


def check_generate(args) -> None:
    """Raise UserError for arguments of generate.py that cannot be fulfilled.

    `args.class_idx` becomes a number, and without `args.noises` the noise beside the dlatents is taken.
    """
    if args.seeds is not None:
        check_seeds(args.seeds)
        if args.noises is not None:
            raise UserError('--noises: a seed has noise of its own; use --dlatents or --latents')
        _check(args)
        return
    Gs = _check_latents(args) if args.dlatents is None else _check_dlatents(args)
    if args.noises is not None:
        noise_files.check_fit(args.noises, noise_files.read(args.noises), Gs)


def _check_latents(args):
    latents, Gs = dlatent_files.read_latents(args.latents), _check(args)
    dlatent_files.check_fit_of_latents(args.latents, latents, Gs.latent_size)
    return Gs


def _check_dlatents(args):
    if args.class_idx is not None:
        raise UserError('--class: dlatents have been made for a class already; leave it out')
    beside = os.path.join(os.path.dirname(args.dlatents), from_files.NOISES.lstrip('*'))
    if args.noises is None and os.path.isfile(beside):
        args.noises = beside
    dlatents, Gs = dlatent_files.read(args.dlatents), _check_network(args)
    dlatent_files.check_fit(args.dlatents, dlatents, Gs)
    return Gs


def check_style_mixing(args) -> None:
    """Raise UserError for arguments of style_mixing.py that cannot be fulfilled. `args.class_idx` becomes a
    number."""
    check_seeds(args.row_seeds + args.col_seeds)
    Gs = _check(args)
    check_has_styles(args, Gs)
    if Gs.is_generator:
        picture_requests.check_layers(args.styles, Gs.num_styles, '--styles')


def _check(args):
    Gs = _check_network(args)
    args.class_idx = picture_requests.number_of_class(args.class_idx, args.network_pkl, Gs.label_size)
    if Gs.is_generator:
        picture_requests.check_class(args.class_idx, Gs.label_size)
    return Gs


def _check_network(args):
    """Return what the file says about the generator, an inspection.Blueprint."""
    run_dirs.check_root(args.outdir)
    if not math.isfinite(args.truncation_psi):
        raise UserError(f'--trunc must be a number, not {args.truncation_psi}')
    pickles.check_path(args.network_pkl)
    return pickles.check_generator(args.network_pkl, args.trust_source)
