"""Reading arrays from pickle files without executing anything inside.

A stream fills inert stand-ins, since NumPy's own unpickling trusts the types, flags and sizes in a file. Once
all of it has been read, a `Finisher` replaces them. `contents` reads networks in the same way.
"""

import collections
import contextlib
import pickle
import re
import reprlib
import struct

import numpy as np

from dnnlib.util import UserError, paused_gc

MAX_PIECES = 1_000_000    # Of one byte; such an opcode can make an object of some 60 bytes.
MAX_DEPTH = 100           # Of lists in lists.
MAX_INT_BITS = 4096       # Python refuses to print much longer integers.
MAX_KEY = 1 << 60         # Of integers as keys: larger ones can be chosen to share one hash.
_READ_BYTES = 1 << 25     # At a time.
DAMAGE = (  # What the unpickler raises where the bytes make no sense.
    pickle.UnpicklingError, EOFError, AttributeError, AssertionError, ImportError, LookupError, MemoryError,
    OverflowError, RecursionError, TypeError, ValueError, struct.error)


class _Printer(reprlib.Repr):
    """Prints the first items of dictionaries of every class; `repr` would print all that are in them."""

    def repr_instance(self, x, level):
        return self.repr_dict(x, level) if isinstance(x, dict) else super().repr_instance(x, level)


_printer = _Printer()
_printer.maxstring = _printer.maxother = 80
_printer.maxlevel = 3


def shown(value) -> str:
    """Return the text of a value from a stream for a message: one short line."""
    return ' '.join(_printer.repr(value).split())


def reason(error) -> str:
    """Return the text of an error about a stream, which may quote its bytes: one short line."""
    return ' '.join(ascii(str(error))[1:-1].split())[:150] or type(error).__name__


class Stored:
    """A stand-in for an object; nothing else accepts a state from a stream."""

    def set_state(self, state) -> None:
        """Keep the state, which has not been checked."""
        raise NotImplementedError


class _StoredDtype(Stored):
    """Element type of an array."""

    def __init__(self, text, *_flags):
        if not isinstance(text, str) or not re.fullmatch(r'[<>=|]?[biuf][0-9]{1,2}', text):
            raise UserError(f'refused: an array of type {shown(text)}; arrays of numbers can be read')
        self.numpy = np.dtype(text)

    def set_state(self, state):
        self.numpy = self.numpy.newbyteorder(state[1])


class StoredArray(Stored):
    """An array or a scalar, `numpy`, on the bytes of the stream, which creates it empty and then sets its
    state."""

    numpy = np.zeros(0)

    def __init__(self, *_type_shape_dtype):
        pass

    def set_state(self, state):
        _, shape, dtype, is_fortran, data = state
        self.numpy = _view(data, dtype, shape, 'F' if is_fortran else 'C')


def _view(data, dtype, shape, order):
    if isinstance(data, str):  # Bytes of Python 2.
        data = data.encode('latin1')
    if not isinstance(data, (bytes, bytearray)) or not isinstance(dtype, _StoredDtype):
        raise ValueError('an array without data')
    if not all(type(size) is int and size >= 0 for size in shape):  # NumPy accepts negative ones.
        raise ValueError('an array with an invalid size')
    return np.ndarray(shape, dtype.numpy, data, order=order)


def _array(data, dtype, shape, order):
    array = StoredArray()
    array.numpy = _view(data, dtype, shape, order)
    return array


def _scalar(dtype, data):
    scalar = StoredArray()
    scalar.numpy = _view(data, dtype, (), 'C')[()]
    return scalar


def _encode(text, encoding):
    """Return bytes, which are text in the stream up to protocol 2."""
    if encoding != 'latin1':
        raise UserError(f'refused: text in the encoding {shown(encoding)}')
    return text.encode('latin1')


def _check_key(key):
    """Raise UserError unless a dictionary may have this key.

    Other keys are refused before they are hashed: deeply nested tuples would overflow the stack, and numbers
    can be chosen to have the same hash.
    """
    kind = type(key)
    if kind not in Finisher.leaves and not (kind is int and abs(key) < MAX_KEY):
        raise UserError(f'refused: a dictionary with a key of type {kind.__name__}')


class StoredDict(dict):
    """A stand-in for a dictionary of another class, which `becomes()` creates."""

    becomes = dict

    def __init__(self, items=()):
        for key, value in items:
            self[key] = value

    def __setitem__(self, key, value):
        _check_key(key)
        super().__setitem__(key, value)


class _StoredOrderedDict(StoredDict):
    becomes = collections.OrderedDict


GLOBALS = {  # {(module, name) in a stream: stand-in}
    ('_codecs', 'encode'): _encode,
    ('collections', 'OrderedDict'): _StoredOrderedDict,
    ('numpy', 'ndarray'): StoredArray,
    ('numpy', 'dtype'): _StoredDtype,
    **{(f'numpy.{core}.multiarray', '_reconstruct'): StoredArray for core in ('core', '_core')},
    **{(f'numpy.{core}.multiarray', 'scalar'): _scalar for core in ('core', '_core')},
    **{(f'numpy.{core}.numeric', '_frombuffer'): _array for core in ('core', '_core')},
}


class _Stream:
    """Reads a stream without trusting the lengths it claims, and counts what is read.

    num_bytes: size of the rest of the file. pieces: how many may be read.
    """

    def __init__(self, stream, num_bytes, pieces):
        self._stream = stream
        self.num_bytes = num_bytes
        self.pieces_left = pieces

    def read(self, num_bytes):
        """Return exactly this many bytes. Raises EOFError if the file ends before."""
        if num_bytes == 1 and (byte := self._stream.read(1)):  # Every opcode and most arguments.
            self.num_bytes += 1
            self.count(1)
            return byte
        parts = []
        while num_bytes > 0 and (part := self._stream.read(min(num_bytes, _READ_BYTES))):
            parts.append(part)
            num_bytes -= len(part)
            self.num_bytes += len(part)
        if num_bytes > 0:
            raise EOFError('the file ends too early')
        return b''.join(parts)

    def count(self, pieces):
        """Count pieces. Raises UserError if there have been too many."""
        self.pieces_left -= pieces
        if self.pieces_left < 0:
            raise UserError(f'refused: more than {MAX_PIECES} pieces')

    def readline(self):
        """Return a line. Raises EOFError if the file ends before its end."""
        line = self._stream.readline()
        if not line.endswith(b'\n'):
            raise EOFError('the file ends too early')
        self.num_bytes += len(line)
        return line


class Unpickler(pickle._Unpickler):
    """Resolves the names in `known_globals` and refuses all others.

    It derives from the unpickler in Python: the one in C allocates whatever an index asks for. num_bytes,
    pieces: size of the file beyond the stream, and how many pieces the stream may have.
    """

    known_globals = GLOBALS
    needs = 'arrays, lists and dictionaries do not need that'
    growth = 2  # How many times larger than the file arrays may be: text of Python 2 is made bytes first.
    dispatch = {}  # {opcode: method}, filled below.

    def __init__(self, stream, num_bytes=0, pieces=MAX_PIECES):
        self._stream = _Stream(stream, num_bytes, pieces)
        super().__init__(self._stream, encoding='latin1')  # Strings of Python 2.
        self._made_bytes = 0

    def find_class(self, module, name):
        if (module, name) not in self.known_globals:
            asked = ascii(f'{module}.{name}')[1:-1][:100]
            raise UserError(f'refused: the file asks for {asked}; {self.needs}')
        return self.known_globals[module, name]

    @property
    def pieces_left(self) -> int:
        """How many more pieces the stream may have."""
        return self._stream.pieces_left

    def get_extension(self, code):
        raise UserError(f'refused: the file asks for the extension {code}')

    def load_frame(self):
        self.read(8)  # Its length: the stream does not need frames, and counts what is in them.

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items(self.stack[-1], [key, value])

    def load_setitems(self):
        items = self.pop_mark()
        self._set_items(self.stack[-1], items)

    def load_dict(self):
        items, result = self.pop_mark(), {}
        self._set_items(result, items)
        self.append(result)

    def _set_items(self, target, items):
        for key, value in zip(items[::2], items[1::2], strict=True):
            _check_key(key)
            target[key] = value

    def _refuse_sets(self):
        raise UserError(f'refused: a set; {self.needs}')

    load_empty_set = load_frozenset = load_additems = _refuse_sets  # Hashing the items may be the harm.

    def load_reduce(self):
        args = self.stack.pop()
        self.stack[-1] = self._called(self.stack[-1], args)

    def _instantiate(self, klass, args):
        self.append(self._called(klass, args))

    def _called(self, function, args):
        """Return what a function makes of its arguments. It may copy what is in them, again and again."""
        self._stream.count(sum(len(arg) for arg in args if isinstance(arg, (list, tuple, dict, set))))
        return self._made(function(*args))

    def load_build(self):
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, Stored):
            raise UserError(f'refused: a state for a {type(target).__name__}')
        target.set_state(state)
        self._made(target)

    def load_bytearray8(self):
        self.load_binbytes8()
        self.stack[-1] = bytearray(self.stack[-1])

    def _made(self, result):
        """Return a new object, unless bytes are used twice: a small file could make large arrays that way."""
        if isinstance(result, StoredArray):
            self._made_bytes += result.numpy.nbytes
        elif isinstance(result, bytes):
            self._made_bytes += len(result)
        if self._made_bytes > self.growth * self._stream.num_bytes:
            raise UserError('refused: the arrays are larger than the file')
        return result


Unpickler.dispatch = {code: getattr(Unpickler, load.__name__)
                      for code, load in pickle._Unpickler.dispatch.items()}


class Finisher:
    """Replaces the stand-ins of a stream; shared objects stay shared.

    Raises UserError for objects that are not data, such as functions, and for any that contain themselves.
    """

    leaves = (type(None), bool, float, str, bytes)

    def __init__(self):
        self._done = {}     # {id: (object, its replacement)}
        self._open = set()  # Ids of the objects that contain the current one.

    def __call__(self, obj):
        if type(obj) in self.leaves:
            return obj
        if type(obj) is int:
            if obj.bit_length() > MAX_INT_BITS:
                raise UserError(f'refused: a number of {obj.bit_length()} bits')
            return obj
        if id(obj) not in self._done:
            if id(obj) in self._open or len(self._open) > MAX_DEPTH:
                raise UserError('refused: an object that contains itself, or is nested deeper than '
                                f'{MAX_DEPTH} levels')
            self._open.add(id(obj))
            self._done[id(obj)] = obj, self.finish(obj)
            self._open.remove(id(obj))
        return self._done[id(obj)][1]

    def finish(self, obj):
        """Return the replacement of an object that is not a leaf."""
        if type(obj) is StoredArray:
            if isinstance(obj.numpy, np.ndarray):
                obj.numpy = obj.numpy.copy(order='K')  # Frees the bytes of the stream.
            return obj.numpy
        if type(obj) is dict or isinstance(obj, StoredDict):
            return self._dict(obj)
        if type(obj) in (list, tuple):
            return type(obj)(map(self, obj))
        if type(obj) is bytearray:
            return bytes(obj)
        raise UserError(f'refused: an object of type {type(obj).__name__}; it is not data')

    def _dict(self, obj):
        items = {}
        for key, value in obj.items():
            if type(obj) is not dict and str(key).startswith('__'):
                raise UserError(f'refused: an attribute {shown(key)}')
            items[self(key)] = self(value)
        if type(obj) is dict:
            return items
        result = obj.becomes()
        result.update(items)
        return result


@contextlib.contextmanager
def errors_named(path, kind):
    """Turn errors of reading a file into UserErrors that name it. kind: what the file should be."""
    try:
        yield
    except UserError as error:
        raise UserError(f'{path}: {error}') from error
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from error
    except DAMAGE as error:
        raise UserError(f'{path}: not a readable {kind} ({reason(error)}); copy or download the file again'
                        ) from error


@paused_gc()
def load(path):
    """Return the dict, list or tuple in a pickle file, of arrays, text, numbers and collections of them.

    Strings of Python 2 become latin1 text. Nothing inside the file is executed. Raises UserError if it is
    missing or damaged or asks for anything else.
    """
    with errors_named(path, 'pickle of arrays'), open(path, 'rb') as file:
        stored = Finisher()(Unpickler(file).load())
    if type(stored) not in (dict, list, tuple):
        raise UserError(f'{path}: holds neither a dictionary nor a list of arrays')
    return stored
