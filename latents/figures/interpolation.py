"""The path between two latents: on a great circle in Z, and on a straight line in W."""

import numpy as np

from dnnlib import faults
from latents.figures import finishing, layout


def slerp(start, end, num):
    """Interpolate between two latents [latent_size] on a great circle -> [num,latent_size], both included.

    Lengths are interpolated linearly, so that the path begins and ends at the latents themselves.
    """
    lengths = [np.linalg.norm(start), np.linalg.norm(end)]
    a, b = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(np.dot(a, b), -1, 1))
    t = np.linspace(0, 1, num)[:, np.newaxis]  # [num,1]
    if np.sin(angle) < 1e-6:
        return start + (end - start) * t
    directions = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return directions * (lengths[0] + (lengths[1] - lengths[0]) * t)


def rows(has_styles):
    """Return the texts of the rows. Without a mapping network there is no W."""
    return ['in Z', 'in W'] if has_styles else ['in Z']


def picture_size(size, num_steps, has_styles):
    """Return (width, height) of the picture."""
    return size[0] * num_steps, size[1] * len(rows(has_styles))


def compose(painter, seeds, num_steps, psi=1):
    """Draw the picture: a row for each path, both with the same ends and the same noise."""
    ends = painter.latents(seeds)
    path = slerp(*ends, num_steps)
    if painter.has_styles:
        in_W = np.linspace(*painter.dlatents(ends, psi), num_steps)  # [num,L,C]
        dlatents = np.concatenate([painter.dlatents(path, psi), in_W])
        images = painter.from_dlatents(dlatents, randomize_noise=False)
    else:
        images = painter.from_latents(path)
    return finishing.tiled(painter, images, num_steps, len(rows(painter.has_styles)))


def legend(size, seeds, num_steps, has_styles):
    """Return the legend: the position on the path, between seeds."""
    positions = [f'{t:.2g}' for t in np.linspace(0, 1, num_steps)]
    return layout.Legend(f'From seed {seeds[0]} to seed {seeds[1]}', layout.even_spans(positions, size[0]),
                         layout.even_spans(rows(has_styles), size[1]))


@faults.described()
def draw(network_pkl, seeds, num_steps, truncation_psi=1, class_idx=None, has_legend=True, scale=None,
         trust_source=False):
    """Write interpolation.png."""
    from latents.figures.painter import Painter
    painter = Painter(network_pkl, class_idx, trust_source)
    if not painter.has_styles:
        print('This network has no W: only the path in Z is drawn.')
    picture = compose(painter, seeds, num_steps, truncation_psi)
    texts = legend(painter.size, seeds, num_steps, painter.has_styles) if has_legend else None
    finishing.finish(picture, 'interpolation.png', painter, texts, scale)
