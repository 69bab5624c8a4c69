"""Files of the noise images that a projection finds: `projected_noises.npz`."""

import re

import numpy as np

from dnnlib.files import atomic_write
from dnnlib.util import UserError
from latents.dlatent_files import DAMAGED

_EXPECTED = 'expected a .npz file with the noise images of a projection: noise0, noise1 and so on'


def write(path, noises) -> None:
    """Write noise images [1,1,H,W], coarsest first, as float32."""
    with atomic_write(path) as file:
        np.savez(file, **{f'noise{idx}': np.float32(noise) for idx, noise in enumerate(noises)})


def read(path):
    """Return the noise images in a file, list of float32 [1,1,H,W]. Raises UserError for any other file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            noises = [np.float32(file[f'noise{idx}']) for idx in range(len(file.files))]
    except OSError as error:
        raise UserError(f'{path}: cannot be opened ({error.strerror or error}); {_EXPECTED}') from error
    except (*DAMAGED, KeyError, AttributeError) as error:
        raise UserError(f'{path}: not readable; {_EXPECTED}') from error
    if not noises or not all(noise.ndim == 4 and np.isfinite(noise).all() for noise in noises):
        raise UserError(f'{path}: {_EXPECTED}')
    return noises


def check_fit(path, noises, Gs) -> None:
    """Raise UserError unless the noise images of a file fit a generator, an inspection.Blueprint."""
    wanted = {name.rpartition('/')[2]: np.shape(value) for name, value in Gs.variables
              if re.fullmatch(r'(.*/)?noise\d+', name)}
    found = {f'noise{idx}': noise.shape for idx, noise in enumerate(noises)}
    if Gs.is_generator and wanted != found:
        raise UserError(f'{path}: has {_in_words(found)}, the network takes {_in_words(wanted)}; use the '
                        'network that the file was made with')


def _in_words(shapes):
    if not shapes:
        return 'no noise'
    height, width = max(shape[2:] for shape in shapes.values())
    return f'{len(shapes)} noise images of up to {height}x{width}'
