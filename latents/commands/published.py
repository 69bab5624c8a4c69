"""The published commands of run_generator.py: images from seeds, and the table of mixed styles."""

import math

from bridges import generators, onnx
from dnnlib import cli
from dnnlib.util import UserError
from latents import dlatent_files, from_files, noise_files
from latents.commands.command import Command, check_has_styles, check_seeds
from training.settings import picture_requests

_SEEDS = dict(type=cli.number_range, metavar='RANGE', required=True)


def _add_generate(parser):
    add = parser.add_mutually_exclusive_group(required=True).add_argument
    add('--seeds', type=cli.number_range, metavar='RANGE', help="random seeds, such as '1-5' or '1,2,7'")
    add('--projected-w', type=cli.comma_list, metavar='FILES',
        help='projected_w.npz of run_projector.py or stylegan2-ada-pytorch, or folders of them; also w and '
             'w+ of others: .npz or .npy [N,size] or [N,layers,size], .pt [1,size], [layers,size] or '
             '[N,layers,size]')
    add('--dlatents', type=cli.comma_list, metavar='FILES',
        help='dlatents.npz of projector.py, or folders; also all files that --projected-w takes')
    add('--latents', type=cli.comma_list, metavar='FILES',
        help="latents z [N,size]: .npz with the key 'z' or 'latents', .npy or .pt")
    parser.add_argument('--noises', type=cli.comma_list, metavar='FILES',
                        help='noise of projections, projected_noises.npz or folders: one file for all '
                             "of these files, or one for each (default: the network's own)")
    parser.add_argument('--grid', type=cli.columns_by_rows, metavar='WxH',
                        help='also write all images as grid.png, W columns by H rows (default: no grid)')
    parser.add_argument('--engine', choices=('tensorflow', 'onnx'), default='tensorflow',
                        help='what evaluates the network; onnx starts faster, converts a network once, and '
                             'draws --seeds only (default: tensorflow)')
    _add_xla(parser)


def _add_xla(parser):
    parser.add_argument('--xla', choices=('on', 'off', 'auto'), default='auto',
                        help='compile the network with XLA; auto is off: on CPUs XLA is slower, and on GPUs '
                             'it has not been measured (default: auto)')


def _check_generate(args):
    if args.engine == 'onnx':
        generators.check_packages('--engine=onnx', onnx.NEEDS)
        if args.xla == 'on':
            raise UserError('--xla=on: compiles for --engine=tensorflow; leave out one of the two')
        if args.seeds is None:
            raise UserError('--engine=onnx: draws --seeds only; leave it out for files of latents')
    if args.seeds is not None:
        check_seeds(args.seeds)
        if args.noises is not None:
            raise UserError('--noises: a seed has noise of its own; use --projected-w, --dlatents or '
                            '--latents')
    num_images = _check_files(args) if args.seeds is None else len(args.seeds)
    if args.grid is not None and math.prod(args.grid) < num_images:
        raise UserError(f'--grid={args.grid[0]}x{args.grid[1]}: too small for {num_images} images')


def _check_files(args):
    """Replace folders of dlatents and noise by their files. -> number of latents in them."""
    num_images = 0
    for name, pattern in from_files.PATTERNS.items():
        if getattr(args, name) is not None:
            flag = f'--{name.replace("_", "-")}'
            setattr(args, name, from_files.files_in(flag, getattr(args, name), pattern))
            num_files = len(getattr(args, name))
            num_images = sum(len(dlatent_files.read(path)) for path in getattr(args, name))
    if args.latents is not None:
        num_files = len(args.latents)
        num_images = sum(len(dlatent_files.read_latents(path)) for path in args.latents)
    if args.noises is not None:
        args.noises = from_files.files_in('--noises', args.noises, from_files.NOISES)
        if len(args.noises) not in (1, num_files):
            raise UserError(f'--noises: has {len(args.noises)} files; expected 1 or {num_files}')
    return num_images


def _check_generate_network(args, Gs):
    if args.engine == 'onnx':
        generators.check(args.network_pkl)
    for path in args.projected_w or args.dlatents or []:
        dlatent_files.check_fit(path, dlatent_files.read(path), Gs)
    for path in args.latents or []:
        dlatent_files.check_fit_of_latents(path, dlatent_files.read_latents(path), Gs.latent_size)
    for path in args.noises or []:
        noise_files.check_fit(path, noise_files.read(path), Gs)
    if args.grid is not None and Gs.is_generator and Gs.image_shape:
        picture_requests.check_grid(*args.grid, Gs.image_shape)


def _add_mixing(parser):
    parser.add_argument('--row-seeds', help='seeds of the images whose styles are replaced', **_SEEDS)
    parser.add_argument('--col-seeds', help='seeds of the images that lend their styles', **_SEEDS)
    parser.add_argument('--col-styles', type=cli.number_range, metavar='RANGE',
                        help='layers whose styles come from the column (default: 0-6)')
    _add_xla(parser)


def _check_mixing(args):
    check_seeds(args.row_seeds + args.col_seeds)


def _check_mixing_network(args, Gs):
    check_has_styles(args, Gs)
    if Gs.is_generator:
        picture_requests.check_layers(args.col_styles, Gs.num_styles)


COMMANDS = (
    Command('generate-images', 'generate images from seeds, latents or projected dlatents',
            'run_generator.generate_images', _add_generate, _check_generate, _check_generate_network),
    Command('style-mixing-example', 'generate a table of images that share styles',
            'run_generator.style_mixing_example', _add_mixing, _check_mixing, _check_mixing_network),
)
