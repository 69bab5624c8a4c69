"""Checks what run_generator.py is asked for, before TensorFlow is loaded."""

import math

from dnnlib.util import UserError, is_url
from training.data import class_names
from training.misc import pickles

MAX_PIXELS = 1 << 30  # of a grid: 3 GB in memory
NO_STYLES = 'this network has no styles to mix'
NO_NOISE = 'this network has no noise'


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


def check_layers(layers, num_layers, flag='--col-styles'):
    """Raise UserError for layers that a network with `num_layers` lacks. None = the default layers."""
    absent = [layer for layer in layers or [] if not 0 <= layer < num_layers]
    if absent:
        raise UserError(f'{flag}: there is no layer {absent[0]}; this network has 0-{num_layers - 1}')


def check_grid(columns, rows, image_shape):
    """Raise UserError for a grid of images [height, width] that is too large for one picture."""
    height, width = rows * image_shape[0], columns * image_shape[1]
    if width * height > MAX_PIXELS:
        raise UserError(f'--grid={columns}x{rows}: a picture of {width} x {height} pixels is too large; '
                        f'choose a grid of at most {MAX_PIXELS // math.prod(image_shape)} images')
