"""Images of one to several latents each, as mixing regularization is measured (StyleGAN, table 2)."""

import numpy as np

from dnnlib import faults
from dnnlib.util import UserError
from latents.figures import finishing, layout


def check_latents(num_latents, num_layers) -> None:
    """Raise UserError unless a network has a layer for each of so many latents."""
    if num_latents > num_layers:
        raise UserError(f'--latents={num_latents}: this network has only {num_layers} layers with a style')


def random_crossovers(rnd, count, num_latents, num_layers):
    """Draw the layers where the next latent takes over, sorted -> int [count,num_latents-1].

    The definition of `metrics.mixed_latents.random_crossovers`, with the numbers of a RandomState.
    """
    drawn = [np.sort(rnd.permutation(num_layers - 1)[:num_latents - 1]) for _ in range(count)]
    return np.int32(drawn).reshape(count, num_latents - 1) + 1


def mix(dlatents, crossovers):
    """Mix dlatents [K,N,L,C] at sorted crossovers [N,k-1] of the first k -> [N,L,C].

    The same as `metrics.mixed_latents.mix`, in NumPy.
    """
    _, count, num_layers, _ = dlatents.shape
    layers = np.arange(num_layers)
    segments = np.sum(crossovers[:, np.newaxis] <= layers[:, np.newaxis], axis=2)  # [N,L,k-1] -> [N,L]
    return dlatents[segments, np.arange(count)[:, np.newaxis], layers]


def picture_size(size, num_columns, num_latents):
    """Return (width, height) of the picture."""
    return size[0] * num_columns, size[1] * num_latents


def compose(painter, seed, num_columns, num_latents, psi=1):
    """Draw the picture: row k has images of k latents, of which the first are those of the row above.

    Every image has its own random noise, as for the metrics.
    """
    rnd = np.random.RandomState(seed)
    check_latents(num_latents, painter.num_layers)
    latents = painter.random_latents(num_columns * num_latents, rnd)
    dlatents = painter.dlatents(latents, psi)
    dlatents = dlatents.reshape(num_latents, num_columns, *dlatents.shape[1:])  # [K*N,L,C] -> [K,N,L,C]
    crossovers = [random_crossovers(rnd, num_columns, num, painter.num_layers)
                  for num in range(1, num_latents + 1)]
    mixed = np.concatenate([mix(dlatents, table) for table in crossovers])
    images = painter.from_dlatents(mixed, randomize_noise=True)
    return finishing.tiled(painter, images, num_columns, num_latents)


def legend(size, seed, num_latents):
    """Return the legend: numbers of latents."""
    rows = [f'{num} latent{"s" * (num > 1)}' for num in range(1, num_latents + 1)]
    return layout.Legend(f'Images of several latents, seed {seed}', [], layout.even_spans(rows, size[1]))


@faults.described()
def draw(network_pkl, seed, num_columns, num_latents, truncation_psi=1, class_idx=None, has_legend=True,
         scale=None, trust_source=False):
    """Write mixing-regularization.png."""
    from latents.figures.painter import Painter
    painter = Painter(network_pkl, class_idx, trust_source)
    picture = compose(painter, seed, num_columns, num_latents, truncation_psi)
    texts = legend(painter.size, seed, num_latents) if has_legend else None
    finishing.finish(picture, 'mixing-regularization.png', painter, texts, scale)
