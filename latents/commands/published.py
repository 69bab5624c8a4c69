"""The published commands of run_generator.py: images from seeds, and the table of mixed styles."""

import math

from dnnlib import cli
from dnnlib.util import UserError
from latents.commands.command import Command, check_has_styles, check_seeds
from training.settings import picture_requests

_SEEDS = dict(type=cli.number_range, metavar='RANGE', required=True)


def _add_generate(parser):
    parser.add_argument('--seeds', help="random seeds, such as '1-5' or '1,2,7'", **_SEEDS)
    parser.add_argument('--grid', type=cli.columns_by_rows, metavar='WxH',
                        help='also write all images as grid.png, W columns by H rows (default: no grid)')


def _check_generate(args):
    check_seeds(args.seeds)
    if args.grid is not None and math.prod(args.grid) < len(args.seeds):
        raise UserError(f'--grid={args.grid[0]}x{args.grid[1]}: too small for {len(args.seeds)} images')


def _check_generate_network(args, Gs):
    if args.grid is not None and Gs.is_generator and Gs.image_shape:
        picture_requests.check_grid(*args.grid, Gs.image_shape)


def _add_mixing(parser):
    parser.add_argument('--row-seeds', help='seeds of the images whose styles are replaced', **_SEEDS)
    parser.add_argument('--col-seeds', help='seeds of the images that lend their styles', **_SEEDS)
    parser.add_argument('--col-styles', type=cli.number_range, metavar='RANGE',
                        help='layers whose styles come from the column (default: 0-6)')


def _check_mixing(args):
    check_seeds(args.row_seeds + args.col_seeds)


def _check_mixing_network(args, Gs):
    check_has_styles(args, Gs)
    if Gs.is_generator:
        picture_requests.check_layers(args.col_styles, Gs.num_styles)


COMMANDS = (
    Command('generate-images', 'generate images from seeds', 'run_generator.generate_images',
            _add_generate, _check_generate, _check_generate_network),
    Command('style-mixing-example', 'generate a table of images that share styles',
            'run_generator.style_mixing_example', _add_mixing, _check_mixing, _check_mixing_network),
)
