"""Arrays in files of others: `.npz` and `.npy` of NumPy, `.pt` of PyTorch. Nothing inside is executed."""

import contextlib
import itertools
import math
import tokenize
import zipfile
import zlib

import numpy as np

from dnnlib.pickles import arrays
from dnnlib.pickles.arrays import shown
from dnnlib.pickles.pytorch import streams
from dnnlib.util import UserError

MAX_VALUES = 1 << 27  # 512 MB, or 14,000 sets of dlatents of the largest network
# What damaged files raise, besides OSError.
DAMAGED = (*arrays.DAMAGE, SyntaxError, RuntimeError, tokenize.TokenError, zipfile.BadZipFile, zlib.error)
_NPY = b'\x93NUMPY'
_MAX_NESTING = 3  # Of lists and dictionaries around tensors.
_MAX_TENSORS = 100_000


@contextlib.contextmanager
def _errors_named(path, expected):
    """Turn errors of reading a file into UserErrors that name it. expected: words for them."""
    try:
        yield
    except OSError as error:
        raise UserError(f'{path}: cannot be opened ({error.strerror or error}); {expected}') from error
    except DAMAGED as error:
        raise UserError(f'{path}: not readable; {expected}') from error


@contextlib.contextmanager
def opened(path, expected):
    """Open a .npz file as a zip archive. Raises UserError if it or what is read in the block is damaged."""
    with _errors_named(path, expected), zipfile.ZipFile(path) as archive:
        yield archive


def read_array(path, archive, key, num_axes, expected, max_values=MAX_VALUES):
    """Return an array of an archive as float32, after a look at its size. Raises UserError if it is too
    large, has a number of axes that is not among `num_axes`, or holds anything but finite numbers."""
    with archive.open(f'{key}.npy') as file:
        _check_header(path, file, key, num_axes, expected, max_values)
    with archive.open(f'{key}.npy') as file:
        return _read_npy(path, file, key)


def _check_header(path, file, what, num_axes, expected, max_values=MAX_VALUES):
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    _check(path, what, shape, dtype, num_axes, expected, max_values)


def _check(path, what, shape, dtype, num_axes, expected, max_values=MAX_VALUES):
    if len(shape) not in num_axes or min(shape) < 1 or not np.issubdtype(dtype, np.floating):
        raise UserError(f'{path}: {expected}, found {dtype} {list(shape)}')
    if math.prod(shape) > max_values:
        raise UserError(f'{path}: {what} {list(shape)} is too large; expected at most {max_values} numbers')


def _read_npy(path, file, what):
    return _float32(path, np.lib.format.read_array(file, allow_pickle=False), what)


def _float32(path, array, what):
    with np.errstate(over='ignore'):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise UserError(f'{path}: the numbers of {what} are not finite')
    return array


def read(path, keys, num_axes, expected):
    """Return the arrays in a file, list of float32, and whether they are tensors of PyTorch.

    The first of `keys` that the file has is taken from a .npz file or a dictionary; a list and a dictionary
    of dictionaries, such as one by names of pictures, hold several arrays. Raises UserError for other files,
    as `read_array` does.
    """
    with _errors_named(path, expected), open(path, 'rb') as file:
        if file.peek(len(_NPY)).startswith(_NPY):
            _check_header(path, file, 'the array', num_axes, expected)
            file.seek(0)
            return [_read_npy(path, file, 'the array')], False
        if _is_npz(file):
            return [_one_of(path, file, keys, num_axes, expected)], False
        file.seek(0)
        return _tensors(path, file, keys, num_axes, expected), True


def _is_npz(file):
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith('.npy') for name in archive.namelist())


def _one_of(path, file, keys, num_axes, expected):
    """Return the array of a .npz file that has the first of `keys` that it has."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        key = next((key for key in keys if f'{key}.npy' in names), None)
        if key is None:
            found = ', '.join(shown(name.removesuffix('.npy'))[1:-1] for name in names[:5])
            raise UserError(f'{path}: {expected}, found {found}')
        return read_array(path, archive, key, num_axes, expected)


def _tensors(path, file, keys, num_axes, expected):
    try:
        found = list(itertools.islice(_in(streams.load(file), keys, set()), _MAX_TENSORS + 1))
    except UserError as error:
        raise UserError(f'{path}: {error}; {expected}') from error
    if not found:
        raise UserError(f'{path}: {expected}, found no tensors')
    for array in found:
        _check(path, 'a tensor', array.shape, array.dtype, num_axes, expected)
    if len(found) > _MAX_TENSORS or sum(array.size for array in found) > MAX_VALUES:
        raise UserError(f'{path}: the tensors are too many; expected at most {MAX_VALUES} numbers in '
                        f'{_MAX_TENSORS} tensors')
    return [_float32(path, array, 'a tensor') for array in found]


def _in(found, keys, seen, nesting=0):
    """Yield the arrays in what a file holds. seen: ids of lists and dictionaries, none of which may come
    twice: a small file could make many arrays that way. Raises UserError for anything else."""
    if isinstance(found, arrays.StoredArray):
        yield np.asarray(found.numpy)
        return
    if not isinstance(found, (dict, list, tuple)) or nesting > _MAX_NESTING or id(found) in seen:
        raise UserError(f'found an object of type {type(found).__name__}')
    seen.add(id(found))
    for each in _parts(found, keys):
        yield from _in(each, keys, seen, nesting + 1)


def _parts(found, keys):
    """Return the objects in a list or dictionary that hold arrays."""
    if not isinstance(found, dict):
        return found
    key = next((key for key in keys if key in found), None)
    if key is not None:
        return [found[key]]
    if not all(isinstance(each, dict) for each in found.values()):
        raise UserError(f'found {", ".join(shown(name) for name in list(found)[:5])}')
    return found.values()
