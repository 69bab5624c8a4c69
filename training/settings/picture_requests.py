"""Checks what run_generator.py is asked for, before TensorFlow is loaded."""

import math

from dnnlib.submission import submit
from dnnlib.util import UserError
from training.misc import pickles

MAX_PIXELS = 1 << 30  # of a grid: 3 GB in memory
NO_STYLES = 'this network has no styles to mix'


def validate(args):
    """Raise UserError for arguments that the parser accepts and the script or the network cannot fulfil."""
    if args.command is None:
        raise UserError('missing subcommand.  Re-run with --help for usage.')
    submit.check_root(args.result_dir)
    pickles.check_path(args.network_pkl)
    is_mixing = args.command == 'style-mixing-example'
    seeds = args.row_seeds + args.col_seeds if is_mixing else args.seeds
    if not 0 <= min(seeds) <= max(seeds) < 2 ** 32:
        raise UserError(f'seeds must be from 0 to {2 ** 32 - 1}, not {min(seeds)} to {max(seeds)}')
    if not math.isfinite(args.truncation_psi):
        raise UserError(f'--truncation-psi must be a number, not {args.truncation_psi}')
    grid = None if is_mixing else args.grid
    if grid is not None and math.prod(grid) < len(seeds):
        raise UserError(f'--grid={grid[0]}x{grid[1]}: too small for {len(seeds)} images')
    Gs = pickles.check_generator(args.network_pkl, args.trust_source)
    if not Gs.is_generator:  # only its own source text knows what it draws
        return
    check_class(args.class_idx, Gs.label_size)
    if is_mixing and not Gs.num_styles:
        raise UserError(f'{args.network_pkl}: {NO_STYLES}')
    if is_mixing:
        check_layers(args.col_styles, Gs.num_styles)
    elif grid is not None and Gs.image_shape:
        _check_grid(*grid, Gs.image_shape)


def check_class(class_idx, label_size):
    """Raise UserError for a class that a network with labels of this size lacks. None = no class."""
    if class_idx is not None and class_idx >= label_size:
        known = f'has the classes 0 to {label_size - 1}' if label_size else 'has no classes'
        raise UserError(f'--class={class_idx}: this network {known}')


def check_layers(col_styles, num_layers):
    """Raise UserError for layers that a network with `num_layers` lacks. None = the default layers."""
    absent = [layer for layer in col_styles or [] if not 0 <= layer < num_layers]
    if absent:
        raise UserError(f'--col-styles: there is no layer {absent[0]}; this network has 0-{num_layers - 1}')


def _check_grid(columns, rows, image_shape):
    height, width = rows * image_shape[0], columns * image_shape[1]
    if width * height > MAX_PIXELS:
        raise UserError(f'--grid={columns}x{rows}: a picture of {width} x {height} pixels is too large; '
                        f'choose a grid of at most {MAX_PIXELS // math.prod(image_shape)} images')
