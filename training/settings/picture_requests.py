"""Checks what run_generator.py is asked for, before TensorFlow is loaded."""

import math

from dnnlib.submission import submit
from dnnlib.util import UserError, is_url
from training.data import class_names
from training.misc import pickles

MAX_PIXELS = 1 << 30  # of a grid: 3 GB in memory
NO_STYLES = 'this network has no styles to mix'


def validate(args):
    """Raise UserError for arguments that the parser accepts and the script or the network cannot fulfil.

    The name of a class in args.class_idx is replaced by its number.
    """
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
    args.class_idx = number_of_class(args.class_idx, args.network_pkl, Gs.label_size)
    if not Gs.is_generator:  # only its own source text knows what it draws
        return
    check_class(args.class_idx, Gs.label_size)
    if is_mixing and not Gs.num_styles:
        raise UserError(f'{args.network_pkl}: {NO_STYLES}')
    if is_mixing:
        check_layers(args.col_styles, Gs.num_styles)
    elif grid is not None and Gs.image_shape:
        _check_grid(*grid, Gs.image_shape)


def number_of_class(text, network_pkl, label_size):
    """Return the number of a class that is given by its name or number; None for None.

    Names are those in classes.json beside the network file. A name comes before a number, so that classes can
    be called 2023 and 2024. Raises UserError for text that is neither.
    """
    is_file = not is_url(pickles.get_path_or_url(network_pkl))
    names = class_names.beside(pickles.find_file(network_pkl), label_size) if label_size and is_file else None
    if text is None:
        if label_size:
            known = class_names.listed(names) if names else f'0 to {label_size - 1}'
            print('Without --class, a network that was trained with labels gets zeros, which it has not seen '
                  f'in training. Its classes: {known}.')
        return None
    number = names.index(text) if names and text in names else _whole_number(text)
    if number is None:
        raise UserError(f'--class={text}: {_why_unknown(text, names, label_size, is_file)}')
    if names and number < len(names):
        print(f'Class {number}: {names[number]}.')
    return number


def _whole_number(text):
    """Return a number of at least 0; None if the text is anything else."""
    try:
        return int(text) if int(text) >= 0 else None
    except ValueError:
        return None


def _why_unknown(text, names, label_size, is_file):
    """Return why a text is no class, and what is."""
    if not label_size:
        return 'this network has no classes'
    if names:
        near = class_names.closest(text, names)
        question = f'; did you mean {near}?' if near else '.'
        return f'this network has no such class{question} Its classes: {class_names.listed(names)}'
    reason = 'there is no classes.json beside the network' if is_file else 'URLs and keys come without names'
    return f'expected a number from 0 to {label_size - 1}; {reason}'


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
