"""Styles of sources in destinations: coarse, middle and fine layers (StyleGAN, figure 3)."""

import numpy as np

from dnnlib import faults
from dnnlib.util import UserError
from latents import styles
from latents.figures import finishing, layout


def default_ranges(num_rows):
    """Return a name for every row: coarse, middle and fine in the proportion of the paper, 3 : 2 : 1."""
    return ['coarse' if 2 * row + 1 < num_rows else 'middle' if 6 * row + 3 < 5 * num_rows else 'fine'
            for row in range(num_rows)]


def resolved(style_ranges, num_rows, num_layers):
    """Return [(text, layers)] of every row.

    style_ranges: names and lists of layers, one for each row or one for all; None = those of the paper.
    Raises UserError for another number of them, or for layers that the network lacks.
    """
    style_ranges = style_ranges or default_ranges(num_rows)
    if len(style_ranges) not in (1, num_rows):
        raise UserError(f'--style-ranges: expected {num_rows} ranges, one for each of --dst-seeds, or 1 for '
                        f'all, not {len(style_ranges)}')
    named, rows = styles.ranges(num_layers), []
    for item in style_ranges * (num_rows if len(style_ranges) == 1 else 1):
        layers = list(named[item] if isinstance(item, str) else item)
        if layers and max(layers) >= num_layers:
            raise UserError(f'--style-ranges: there is no layer {max(layers)}; this network has '
                            f'0-{num_layers - 1}')
        name = f'{item}\n' if isinstance(item, str) else ''
        rows.append((f'{name}layers {styles.layer_text(layers)}', layers))
    return rows


def picture_size(size, src_seeds, dst_seeds):
    """Return (width, height) of the picture."""
    return size[0] * (len(src_seeds) + 1), size[1] * (len(dst_seeds) + 1)


def mixed(src, dst, ranges):
    """Return sources, destinations and their mixtures row by row. src [S,L,C], dst [D,L,C] -> [N,L,C]."""
    rows = [styles.mix(row[np.newaxis], src, layers) for row, (_, layers) in zip(dst, ranges, strict=True)]
    return np.concatenate([src, dst, *rows])


def cells(num_sources, num_destinations):
    """Return (column, row) of the images in the order of `mixed`."""
    columns, rows = range(1, num_sources + 1), range(1, num_destinations + 1)
    return [*((column, 0) for column in columns), *((0, row) for row in rows),
            *((column, row) for row in rows for column in columns)]


def compose(painter, src_seeds, dst_seeds, style_ranges=None, psi=1):
    """Draw the picture: sources along the top, destinations along the left, the corner white."""
    ranges = resolved(style_ranges, len(dst_seeds), painter.num_layers)
    src, dst = (painter.dlatents(painter.latents(seeds), psi) for seeds in (src_seeds, dst_seeds))
    picture = finishing.blank(painter, *picture_size(painter.size, src_seeds, dst_seeds))
    images = painter.from_dlatents(mixed(src, dst, ranges), randomize_noise=False)
    width, height = painter.size
    for image, (column, row) in zip(images, cells(len(src), len(dst)), strict=True):
        picture.paste(image, (column * width, row * height))
    return picture


def legend(size, src_seeds, dst_seeds, ranges):
    """Return the legend: seeds, and the layers that each row takes from its sources."""
    rows = ['', *(f'seed {seed}\n{text}' for seed, (text, _) in zip(dst_seeds, ranges, strict=True))]
    columns = ['', *(f'seed {seed}' for seed in src_seeds)]
    return layout.Legend('Styles of the images above, in the layers named on the left',
                         layout.even_spans(columns, size[0]), layout.even_spans(rows, size[1]))


@faults.described()
def draw(network_pkl, src_seeds, dst_seeds, style_ranges=None, truncation_psi=1, class_idx=None,
         has_legend=True, scale=None, trust_source=False):
    """Write style-mixing-figure.png."""
    from latents.figures.painter import Painter
    painter = Painter(network_pkl, class_idx, trust_source)
    ranges = resolved(style_ranges, len(dst_seeds), painter.num_layers)
    picture = compose(painter, src_seeds, dst_seeds, style_ranges, truncation_psi)
    texts = legend(painter.size, src_seeds, dst_seeds, ranges) if has_legend else None
    finishing.finish(picture, 'style-mixing-figure.png', painter, texts, scale)
