"""Files of dlatents: `projected_w.npz` of StyleGAN2-ADA (PyTorch) and `dlatents.npz` of StyleGAN2-ADA."""

import contextlib
import math
import tokenize
import zipfile
import zlib

import numpy as np

from dnnlib.files import atomic_write
from dnnlib.util import UserError

KEYS = ('w', 'dlatents')  # of stylegan2-ada-pytorch; of stylegan2-ada
MAX_VALUES = 1 << 27  # 512 MB, or 14,000 sets of dlatents of the largest network
_EXPECTED = "expected a .npz file with dlatents [N,layers,dlatent_size] under the key 'w' or 'dlatents'"
# What damaged .npz files raise, besides OSError.
DAMAGED = (ValueError, TypeError, EOFError, SyntaxError, RuntimeError, OverflowError, tokenize.TokenError,
           zipfile.BadZipFile, zlib.error)


def write(path, dlatents, key='w') -> None:
    """Write dlatents [N,layers,dlatent_size] as float32 under a key of `KEYS`."""
    assert key in KEYS and np.ndim(dlatents) == 3, (key, np.shape(dlatents))
    with atomic_write(path) as file:
        np.savez(file, **{key: np.asarray(dlatents, np.float32)})


def read(path):
    """Return dlatents [N,layers,dlatent_size], float32. Raises UserError for any other file."""
    with opened(path, _EXPECTED) as archive:
        key = next((key for key in KEYS if f'{key}.npy' in archive.namelist()), None)
        if key is None:
            raise UserError(f'{path}: {_EXPECTED}')
        return read_array(path, archive, key, num_axes=3, expected=_EXPECTED)


@contextlib.contextmanager
def opened(path, expected):
    """Open a .npz file as a zip archive. Raises UserError if it or what is read in the block is damaged.

    expected: words for the error.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except OSError as error:
        raise UserError(f'{path}: cannot be opened ({error.strerror or error}); {expected}') from error
    except DAMAGED as error:
        raise UserError(f'{path}: not readable; {expected}') from error


def read_array(path, archive, key, num_axes, expected, max_values=MAX_VALUES):
    """Return an array of an archive as float32, after a look at its size. Raises UserError if it is too
    large, has another number of axes, or holds anything but finite numbers."""
    with archive.open(f'{key}.npy') as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if len(shape) != num_axes or min(shape) < 1 or not np.issubdtype(dtype, np.floating):
        raise UserError(f'{path}: {expected}, found {dtype} {list(shape)}')
    if math.prod(shape) > max_values:
        raise UserError(f'{path}: {key} {list(shape)} is too large; expected at most {max_values} numbers')
    with archive.open(f'{key}.npy') as file, np.errstate(over='ignore'):
        array = np.lib.format.read_array(file, allow_pickle=False).astype(np.float32)
    if not np.isfinite(array).all():
        raise UserError(f'{path}: the numbers of {key} are not finite')
    return array


def check_fit(path, dlatents, Gs) -> None:
    """Raise UserError unless the dlatents of a file fit a generator, an inspection.Blueprint."""
    if not Gs.is_generator:
        return
    wanted = [Gs.num_styles, Gs.kwargs.get('dlatent_size', 512)]
    if wanted != list(dlatents.shape[1:]):
        raise UserError('{}: has dlatents of {} layers and {} numbers, the network has {} and {}; use the '
                        'network that the file was made with'.format(path, *dlatents.shape[1:], *wanted))
