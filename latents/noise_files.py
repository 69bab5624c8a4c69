"""Files of the noise images that a projection finds: `projected_noises.npz`."""

import re

import numpy as np

from dnnlib.files import atomic_write
from dnnlib.util import UserError
from latents import array_files

_MAX_LAYERS, _MAX_VALUES = 64, 1 << 24  # 18 layers and 1024x1024 pixels are the most published
_EXPECTED = 'expected a .npz file with the noise images of a projection: noise0, noise1 and so on'


def write(path, noises) -> None:
    """Write noise images [1,1,H,W], coarsest first, as float32."""
    with atomic_write(path) as file:
        np.savez(file, **{f'noise{idx}': np.float32(noise) for idx, noise in enumerate(noises)})


def read(path):
    """Return the noise images in a file, list of float32 [1,1,H,W]. Raises UserError for any other file."""
    with array_files.opened(path, _EXPECTED) as archive:
        keys = [f'noise{idx}' for idx in range(len(archive.namelist()))]
        if not 1 <= len(keys) <= _MAX_LAYERS or {f'{key}.npy' for key in keys} != set(archive.namelist()):
            raise UserError(f'{path}: {_EXPECTED}')
        return [array_files.read_array(path, archive, key, [4], _EXPECTED, _MAX_VALUES) for key in keys]


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
