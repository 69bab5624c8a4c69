"""Tables of mixed styles, which run_generator.py and style_mixing.py write."""

import numpy as np

from dnnlib.progress import shown
from dnnlib.util import UserError
from training import generation
from training.settings import picture_requests

DEFAULT_STYLES = 7  # the first layers


def write(Gs, network_pkl, row_seeds, col_seeds, truncation_psi, class_idx=None, styles=None,
          minibatch_size=4, folder=None, flag='--col-styles'):
    """Write `<row>-<col>.png`, the row's image with `styles` (layers) of the column's, and all as `grid.png`.

    network_pkl, flag: names for errors. folder: None = the run directory. Raises UserError for a network
    without styles and for layers that it lacks.
    """
    if 'mapping' not in Gs.components:
        raise UserError(f'{network_pkl}: {picture_requests.NO_STYLES}')
    num_layers = Gs.components.synthesis.input_shape[1]
    picture_requests.check_layers(styles, num_layers, flag)
    if styles is None:
        styles = range(min(DEFAULT_STYLES, num_layers))
    pairs = [(row, col) for row in row_seeds for col in col_seeds]

    print('Generating W vectors...')
    label = generation.label_of_class(Gs, class_idx)
    dlatents = generation.dlatents_from_seeds(Gs, row_seeds + col_seeds, label, truncation_psi)
    mixed = np.stack([dlatents[row] for row, _ in pairs])
    mixed[:, styles] = np.stack([dlatents[col][styles] for _, col in pairs])

    print('Generating images...')
    images = generation.images_from_dlatents(Gs, np.stack(list(dlatents.values())), minibatch_size)
    sources = dict(zip(dlatents, images, strict=True))

    print('Generating style-mixed images...')
    images = generation.images_from_dlatents(Gs, mixed, minibatch_size)
    mixed = dict(zip(pairs, images, strict=True))

    print('Saving images...')
    pictures = {**{(seed, seed): image for seed, image in sources.items()}, **mixed}
    for (row, col), image in shown(pictures.items(), 'Saving', 'images'):
        generation.save_images(image[np.newaxis], f'{row}-{col}.png', folder=folder)

    print('Saving image grid...')
    cells = [np.zeros_like(sources[row_seeds[0]]), *(sources[col] for col in col_seeds)]
    for row in row_seeds:
        cells += [sources[row], *(mixed[row, col] for col in col_seeds)]
    generation.save_images(np.stack(cells), 'grid.png', (len(col_seeds) + 1, len(row_seeds) + 1), folder)
