"""Noise in all layers, in none, in the fine ones only and in the coarse ones only (StyleGAN, figure 5)."""

from dnnlib import faults
from latents import styles
from latents.figures import finishing, layout


def ranges(num_layers, num_noises):
    """Return [(text, layers)] of the four settings. The last layer of StyleGAN2 has a style and no noise."""
    fine_start = styles.ranges(num_layers)['fine'].start
    return [('all layers', range(num_noises)), ('none', range(0)), ('fine', range(fine_start, num_noises)),
            ('coarse', range(min(fine_start, num_noises)))]


def picture_size(size, seeds):
    """Return (width, height) of the picture."""
    return size[0] * len(seeds), size[1] * 2


def box(idx, column, size):
    """Return (x, y, first column of pixels of the half, number of them) of setting `idx` of four."""
    half = size[0] // 2
    start, length = (half, size[0] - half) if idx % 2 else (0, half)
    return column * size[0] + start, idx // 2 * size[1], start, length


def compose(painter, seeds, flips=(), psi=1):
    """Draw the picture: a tile's left half has one setting and its right half the next.

    flips: positions in `seeds` of images that are mirrored. The generator's noise is restored at the end.
    """
    from PIL import ImageOps
    picture = finishing.blank(painter, *picture_size(painter.size, seeds))
    painter.check_noise()
    latents = painter.latents(seeds)
    for idx, (text, layers) in enumerate(ranges(painter.num_layers, painter.num_noises)):
        with painter.only_noise(layers):
            images = list(painter.from_latents(latents, psi, f'Noise: {text}', randomize_noise=False))
        for column, image in enumerate(images):
            x, y, start, length = box(idx, column, painter.size)
            image = ImageOps.mirror(image) if column in flips else image
            picture.paste(image.crop((start, 0, start + length, painter.size[1])), (x, y))
    return picture


def legend(size, seeds, flips, settings):
    """Return the legend: seeds, and the layers with noise of either half."""
    texts = [text if text in ('all layers', 'none') else f'{text} {styles.layer_text(layers)}'
             for text, layers in settings]
    rows = [f'left: {texts[idx]}\nright: {texts[idx + 1]}' for idx in (0, 2)]
    columns = [f'seed {seed}{", mirrored" if idx in flips else ""}' for idx, seed in enumerate(seeds)]
    return layout.Legend('Layers with noise', layout.even_spans(columns, size[0]),
                         layout.even_spans(rows, size[1]))


@faults.described()
def draw(network_pkl, seeds, flips=(), truncation_psi=1, class_idx=None, has_legend=True, scale=None,
         trust_source=False):
    """Write noise-components.png."""
    from latents.figures.painter import Painter
    painter = Painter(network_pkl, class_idx, trust_source)
    picture = compose(painter, seeds, flips, truncation_psi)
    settings = ranges(painter.num_layers, painter.num_noises)
    texts = legend(painter.size, seeds, flips, settings) if has_legend else None
    finishing.finish(picture, 'noise-components.png', painter, texts, scale)
