"""The truncation trick: images from psi 1 to -1, where 0 is the mean of W (StyleGAN, figure 8)."""

import numpy as np

from dnnlib import faults
from latents import styles
from latents.figures import finishing, layout


def picture_size(size, seeds, psis):
    """Return (width, height) of the picture."""
    return size[0] * len(psis), size[1] * len(seeds)


def truncated(dlatents, dlatent_avg, psis):
    """Truncate dlatents [N,L,C] by every psi -> [N*P,L,C], the psis of a row in succession."""
    factors = np.float32(psis)[:, np.newaxis, np.newaxis]  # [P,1,1]
    return np.concatenate([styles.truncate(row[np.newaxis], dlatent_avg, factors) for row in dlatents])


def compose(painter, seeds, psis):
    """Draw the picture: a row for each seed, a column for each psi."""
    dlatents = painter.dlatents(painter.latents(seeds))
    images = painter.from_dlatents(truncated(dlatents, painter.dlatent_avg, psis), randomize_noise=False)
    return finishing.tiled(painter, images, len(psis), len(seeds))


def legend(size, seeds, psis):
    """Return the legend: psi and seeds."""
    return layout.Legend('Truncation', layout.even_spans([f'psi {psi:g}' for psi in psis], size[0]),
                         layout.even_spans([f'seed {seed}' for seed in seeds], size[1]))


@faults.described()
def draw(network_pkl, seeds, psis, class_idx=None, has_legend=True, scale=None, trust_source=False):
    """Write truncation.png."""
    from latents.figures.painter import Painter
    painter = Painter(network_pkl, class_idx, trust_source)
    picture = compose(painter, seeds, psis)
    texts = legend(painter.size, seeds, psis) if has_legend else None
    finishing.finish(picture, 'truncation.png', painter, texts, scale)
