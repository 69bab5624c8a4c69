"""Reading arrays out of pickle files without executing anything inside.

A stream fills inert stand-ins: NumPy's own unpickling trusts the types, flags and sizes that it is told.
`GLOBALS`, `StoredArray` and `DAMAGE` are for unpicklers that read more than arrays.
"""

import pickle
import re
import struct

import numpy as np

from .util import UserError

DAMAGE = (  # what the unpickler raises where the bytes make no sense
    pickle.UnpicklingError, EOFError, AttributeError, ImportError, LookupError, MemoryError, OverflowError,
    RecursionError, TypeError, ValueError, struct.error)


class _StoredDtype:
    """Element type of an array."""

    def __init__(self, text, *_flags):
        if not isinstance(text, str) or not re.fullmatch(r'[<>=|]?[biuf][0-9]{1,2}', text):
            raise UserError(f'refused: an array of type {text!r}; arrays of numbers can be read')
        self.numpy = np.dtype(text)

    def __setstate__(self, state):
        self.numpy = self.numpy.newbyteorder(state[1])


class StoredArray:
    """An array, `numpy`. The stream makes it empty and then sets its state."""

    numpy = None

    def __init__(self, *_type_shape_dtype):
        pass

    def __setstate__(self, state):
        _, shape, dtype, is_fortran, data = state
        self.numpy = _array(data, dtype, shape, 'F' if is_fortran else 'C')


def _array(data, dtype, shape, order):
    if isinstance(data, str):  # bytes of Python 2
        data = data.encode('latin1')
    if not isinstance(data, (bytes, bytearray)):
        raise ValueError('an array without data')
    return np.ndarray(shape, dtype.numpy, data, order=order).copy(order=order)


def _scalar(dtype, data):
    return _array(data, dtype, (), 'C')[()]


def _encode(text, encoding):
    """Up to protocol 2, bytes are text in the stream."""
    if encoding != 'latin1':
        raise UserError(f'refused: text in the encoding {encoding!r}')
    return text.encode('latin1')


GLOBALS = {  # {(module, name) in a stream: what it stands for}
    ('_codecs', 'encode'): _encode,
    ('numpy', 'ndarray'): StoredArray,
    ('numpy', 'dtype'): _StoredDtype,
    **{(f'numpy.{core}.multiarray', '_reconstruct'): StoredArray for core in ('core', '_core')},
    **{(f'numpy.{core}.multiarray', 'scalar'): _scalar for core in ('core', '_core')},
    **{(f'numpy.{core}.numeric', '_frombuffer'): _array for core in ('core', '_core')},
}


class _Unpickler(pickle.Unpickler):
    """Resolves the names that arrays need, and refuses every other."""

    def find_class(self, module, name):
        if (module, name) not in GLOBALS:
            raise UserError(f'refused: the file asks for {module}.{name}; arrays, lists and dictionaries do '
                            'not need that')
        return GLOBALS[module, name]


def _without_stand_in(item):
    return item.numpy if isinstance(item, StoredArray) else item


def load(path):
    """The dict, list or tuple in a pickle file; its items are arrays, lists, text or numbers.

    Strings of Python 2 become latin1 text. Raises UserError where the file is missing or damaged or asks for
    anything else. Nothing inside it is executed.
    """
    try:
        with open(path, 'rb') as file:
            stored = _Unpickler(file, encoding='latin1').load()
    except UserError as error:
        raise UserError(f'{path}: {error}') from error
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from error
    except DAMAGE as error:
        raise UserError(f'{path}: not a readable pickle of arrays ({error}); copy or download the file '
                        'again') from error
    if type(stored) is dict:
        return {key: _without_stand_in(item) for key, item in stored.items()}
    if type(stored) in (list, tuple):
        return type(stored)(map(_without_stand_in, stored))
    raise UserError(f'{path}: holds neither a dictionary nor a list of arrays')
