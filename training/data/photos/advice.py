"""Looks at the headers of images, and says which flags to give if they cannot be taken as they are."""

import itertools
import math
import statistics
from dataclasses import dataclass

from dnnlib.progress import shown
from dnnlib.util import UserError
from training.data import sizes
from training.data.photos import decoding, options
from training.data.photos.reasons import Unusable

MAX_PIXELS = 1 << 20      # of a size to suggest
MAX_BASE = 8
ENOUGH = 2 / 3            # share of the images that should be large enough
ALIKE = 0.1               # difference of proportions, as logarithms, within which images have one shape
MOST = 0.75               # share of the images that have to have one shape to suggest it
GREY_MODES = ('1', 'L', 'LA', 'I;16', 'I;16B', 'I', 'F')


@dataclass(frozen=True)
class Header:
    """What a file says about its image before it is decoded."""
    size: tuple        # (width, height) as stored
    upright_size: tuple
    mode: str          # Pillow's name


def recipe_for_all(source, names, chosen, report):
    """Return the Recipe for images that all keep their size. Raises UserError if they cannot.

    chosen: Options without a resolution. Files that are no images are left out by the `report`.
    """
    headers = _headers(source, names, report)
    if not headers:
        raise report.nothing_usable()
    problem = _problem(source, headers, options.converts_colours(chosen))
    if problem is not None:
        raise UserError(f'{problem}; {suggestion(headers.values())}')
    first = next(iter(headers.values()))
    if options.converts_colours(chosen):
        return options.recipe(chosen, first.upright_size)
    return options.Recipe(*first.size, channels=1 if first.mode == 'L' else 3, store=chosen.store, as_is=True)


def suggestion(headers):
    """Return in words which resolution suits the images best, and the flags for it."""
    headers = list(headers)
    flags = ' --channels=1' if all(header.mode in GREY_MODES for header in headers) else ''
    own_sizes = [header.upright_size for header in headers]
    proportions = [math.log(width / height) for width, height in own_sizes]
    shape = statistics.median(proportions)
    alike = sum(abs(other - shape) < ALIKE for other in proportions)
    if abs(shape) < ALIKE or alike < MOST * len(headers):
        shape = 0
    for width, height in _sizes(shape):
        count = sum(own_width >= width and own_height >= height for own_width, own_height in own_sizes)
        if count >= ENOUGH * len(headers):
            break
    text = f'{width}' if width == height else f'{width}x{height}'
    what = 'pixels' if width == height else 'pixels, and most have about these proportions'
    return f'{count} of {len(headers)} images are at least {text} {what}: --resolution={text}{flags}'


def _sizes(shape):
    """Yield each (width, height) to suggest, the largest first. shape: log(width / height); 0 = squares."""
    bases = itertools.product(range(sizes.SMALLEST, MAX_BASE + 1), repeat=2)
    width, height = sizes.SQUARE if shape == 0 else min(
        bases, key=lambda base: (abs(math.log(base[0] / base[1]) - shape), sum(base)))
    for doublings in range(MAX_PIXELS.bit_length() // 2, -1, -1):
        if width * height << 2 * doublings <= MAX_PIXELS:
            yield width << doublings, height << doublings


def _headers(source, names, report):
    headers = {}
    for name in shown(names, 'Checking', 'files'):
        try:
            with decoding.header(source, name) as image:
                headers[name] = Header(image.size, decoding.upright_size(image), image.mode)
        except Unusable as error:
            report.leave_out(name, error.kind, error.detail)
    return headers


def _problem(source, headers, converts_colours):
    """Return what keeps the images from being taken with the size that they have; None if nothing does."""
    first_name, first = next(iter(headers.items()))
    for name, header in headers.items():
        path, size = source.file_path(name), '{}x{}'.format(*header.size)
        if converts_colours:
            if header.upright_size != first.upright_size or sizes.split(*header.upright_size)[0] is None:
                return f'{path}: has {size}, and images keep their size without --resolution'
            continue
        width, height = header.size
        if width != height:
            return f'Input images must have the same width and height: {path} has {size}'
        if width < 4 or width & (width - 1) != 0:
            return f'Input image resolution must be a power-of-two: {path} has {size}'
        if header.mode not in ('L', 'RGB'):
            return f'Input images must be stored as RGB or grayscale: {path} has mode {header.mode}'
        if (header.size, header.mode) != (first.size, first.mode):
            return (f'{path}: has {size} and mode {header.mode}, but {source.file_path(first_name)} has '
                    f'{first.size[0]}x{first.size[1]} and mode {first.mode}; all input images must match')
    return None
