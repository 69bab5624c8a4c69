"""Uncurated images in columns of several sizes (StyleGAN, figures 2 and 10 to 12)."""

import numpy as np

from dnnlib import faults
from dnnlib.util import UserError
from latents.figures import finishing, layout

_LARGE = 512                            # pixels
_FOR_LARGE = 3, [0, 1, 2, 2, 3, 3]      # rows and lods of figure 2...
_FOR_SMALL = 5, [0, 0, 1, 1, 2, 2, 2]   # ...and of figures 10 and 12
_FEWEST_PIXELS = 16                     # of the smallest images


def settings(size, crop=None, rows=None, lods=None):
    """Return (crop, rows, lods) with defaults for images of this size. Raises UserError if they do not fit.

    lods: how often the images of each column are halved.
    """
    crop = crop or (0, 0, *size)
    default_rows, default_lods = _FOR_LARGE if max(size) >= _LARGE else _FOR_SMALL
    if lods is None:
        lods = [lod for lod in default_lods if lod == 0 or min(crop[2:]) >> lod >= _FEWEST_PIXELS]
    layout.check_crop(crop, size)
    if max(lods) >= min(crop[2:]).bit_length():
        raise UserError(f'--lods: images of {crop[2]} x {crop[3]} pixels cannot be halved {max(lods)} times')
    return crop, default_rows if rows is None else rows, lods


def picture_size(crop, rows, lods):
    """Return (width, height) of the picture."""
    return sum(crop[2] >> lod for lod in lods), crop[3] * rows


def boxes(crop, rows, lods):
    """Yield (x, y, width, height) of every image, column by column."""
    x, (width, height) = 0, crop[2:]
    for lod in lods:
        for row in range(rows << lod):
            yield x, (row * height) >> lod, width >> lod, height >> lod
        x += width >> lod


def compose(painter, seed, crop, rows, lods, psi=None):
    """Draw the picture. psi: None = the generator's own truncation. Every image has its own random noise."""
    from PIL import Image
    picture = finishing.blank(painter, *picture_size(crop, rows, lods))
    places = list(boxes(crop, rows, lods))
    latents = painter.random_latents(len(places), np.random.RandomState(seed))
    left, top, width, height = crop
    for image, (x, y, *size) in zip(painter.from_latents(latents, psi), places, strict=True):
        image = image.crop((left, top, left + width, top + height))
        picture.paste(image.resize(size, Image.Resampling.LANCZOS), (x, y))
    return picture


def legend(crop, lods, seed):
    """Return the legend: the size of each column's images."""
    columns, x = [], 0
    for lod in lods:
        columns.append((f'{crop[2] >> lod} x {crop[3] >> lod}', x, crop[2] >> lod))
        x += crop[2] >> lod
    return layout.Legend(f'Uncurated images, seed {seed}', columns, [])


@faults.described()
def draw(network_pkl, seed, crop=None, rows=None, lods=None, truncation_psi=None, class_idx=None,
         has_legend=True, scale=None, trust_source=False):
    """Write uncurated.png."""
    from latents.figures.painter import Painter
    painter = Painter(network_pkl, class_idx, trust_source)
    crop, rows, lods = settings(painter.size, crop, rows, lods)
    picture = compose(painter, seed, crop, rows, lods, truncation_psi)
    texts = legend(crop, lods, seed) if has_legend else None
    finishing.finish(picture, 'uncurated.png', painter, texts, scale)
