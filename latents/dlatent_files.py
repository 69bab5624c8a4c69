"""Files of dlatents: `projected_w.npz` of StyleGAN2-ADA (PyTorch) and `dlatents.npz` of StyleGAN2-ADA."""

import zipfile

import numpy as np

from dnnlib.files import atomic_write
from dnnlib.util import UserError

KEYS = ('w', 'dlatents')  # of stylegan2-ada-pytorch; of stylegan2-ada
_EXPECTED = "expected a .npz file with dlatents [N,layers,dlatent_size] under the key 'w' or 'dlatents'"


def write(path, dlatents, key='w') -> None:
    """Write dlatents [N,layers,dlatent_size] as float32 under a key of `KEYS`."""
    with atomic_write(path) as file:
        np.savez(file, **{key: np.asarray(dlatents, np.float32)})


def read(path):
    """Return dlatents [N,layers,dlatent_size], float32. Raises UserError for any other file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = [file[key] for key in KEYS if key in file]
    except OSError as error:
        raise UserError(f'{path}: cannot be opened ({error.strerror or error}); {_EXPECTED}') from error
    except (ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f'{path}: not readable; {_EXPECTED}') from error
    if not found:
        raise UserError(f'{path}: {_EXPECTED}')
    dlatents = found[0]
    if dlatents.ndim != 3 or not dlatents.size or not np.issubdtype(dlatents.dtype, np.floating):
        raise UserError(f'{path}: {_EXPECTED}, found {dlatents.dtype} {list(dlatents.shape)}')
    if not np.isfinite(dlatents).all():
        raise UserError(f'{path}: dlatents are not finite numbers')
    return dlatents.astype(np.float32)


def check_fit(path, dlatents, Gs) -> None:
    """Raise UserError unless the dlatents of a file fit a generator, an inspection.Blueprint."""
    if not Gs.is_generator:
        return
    wanted = [Gs.num_styles, Gs.kwargs.get('dlatent_size', 512)]
    if wanted != list(dlatents.shape[1:]):
        raise UserError('{}: has dlatents of {} layers and {} numbers, the network has {} and {}; use the '
                        'network that the file was made with'.format(path, *dlatents.shape[1:], *wanted))
