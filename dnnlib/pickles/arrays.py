"""Reading arrays out of pickle files without executing anything inside.

A stream fills inert stand-ins: NumPy's own unpickling trusts the types, flags and sizes that it is told. When
the whole of it is there, a `Finisher` replaces them. `network_pickle` reads more than arrays in the same way.
"""

import collections
import pickle
import re
import reprlib
import struct

import numpy as np

from dnnlib.util import UserError, paused_gc

MAX_OPCODES = 500_000     # each can make an object of some 100 bytes out of one
MAX_DEPTH = 100           # of lists in lists
MAX_INT_BITS = 4096       # Python refuses to print much longer ones
MAX_KEY = 1 << 60         # of whole numbers as keys: a dictionary tells only smaller ones well apart
_READ_BYTES = 1 << 25     # at a time
DAMAGE = (  # what the unpickler raises where the bytes make no sense
    pickle.UnpicklingError, EOFError, AttributeError, AssertionError, ImportError, LookupError, MemoryError,
    OverflowError, RecursionError, TypeError, ValueError, struct.error)

_printer = reprlib.Repr()
_printer.maxstring = _printer.maxother = 80
_printer.maxlevel = 3


def shown(value) -> str:
    """A value of a stream for a message: one line, never long."""
    return ' '.join(_printer.repr(value).split())


def reason(error) -> str:
    """Text of an error about a stream, whose bytes may be part of it: one line, never long."""
    return ' '.join(ascii(str(error))[1:-1].split())[:150] or type(error).__name__


class Stored:
    """A stand-in for an object. Only these take a state from a stream."""

    def set_state(self, state) -> None:
        """Take the state, unchecked as it is."""
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
    """An array or a scalar, `numpy`, on the bytes of the stream. The stream makes it empty and then sets its
    state."""

    numpy = np.zeros(0)

    def __init__(self, *_type_shape_dtype):
        pass

    def set_state(self, state):
        _, shape, dtype, is_fortran, data = state
        self.numpy = _view(data, dtype, shape, 'F' if is_fortran else 'C')


def _view(data, dtype, shape, order):
    if isinstance(data, str):  # bytes of Python 2
        data = data.encode('latin1')
    if not isinstance(data, (bytes, bytearray)) or not isinstance(dtype, _StoredDtype):
        raise ValueError('an array without data')
    if not all(type(size) is int and size >= 0 for size in shape):  # NumPy takes negative ones
        raise ValueError('an array of no size')
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
    """Up to protocol 2, bytes are text in the stream."""
    if encoding != 'latin1':
        raise UserError(f'refused: text in the encoding {shown(encoding)}')
    return text.encode('latin1')


def _check_key(key):
    """Raise UserError unless a dictionary can have this key. Others are refused before they are hashed:
    tuples in tuples overflow the stack then, and numbers chosen for that have one hash."""
    kind = type(key)
    if kind not in Finisher.leaves and not (kind is int and abs(key) < MAX_KEY):
        raise UserError(f'refused: a dictionary with a key of type {kind.__name__}')


class StoredDict(dict):
    """A dictionary of a class of its own, as which it is finished."""

    becomes = dict

    def __init__(self, items=()):
        for key, value in items:
            self[key] = value

    def __setitem__(self, key, value):
        _check_key(key)
        super().__setitem__(key, value)


class _StoredOrderedDict(StoredDict):
    becomes = collections.OrderedDict


GLOBALS = {  # {(module, name) in a stream: what it stands for}
    ('_codecs', 'encode'): _encode,
    ('collections', 'OrderedDict'): _StoredOrderedDict,
    ('numpy', 'ndarray'): StoredArray,
    ('numpy', 'dtype'): _StoredDtype,
    **{(f'numpy.{core}.multiarray', '_reconstruct'): StoredArray for core in ('core', '_core')},
    **{(f'numpy.{core}.multiarray', 'scalar'): _scalar for core in ('core', '_core')},
    **{(f'numpy.{core}.numeric', '_frombuffer'): _array for core in ('core', '_core')},
}


class _Stream:
    """Reads only what is there, as a length in a stream can be anything. Counts the bytes."""

    def __init__(self, stream):
        self._stream = stream
        self.num_bytes = 0

    def read(self, num_bytes):
        """So many bytes. Raises EOFError where the file ends before."""
        if num_bytes == 1 and (opcode := self._stream.read(1)):  # most calls are of this kind
            self.num_bytes += 1
            return opcode
        pieces = []
        while num_bytes > 0 and (piece := self._stream.read(min(num_bytes, _READ_BYTES))):
            pieces.append(piece)
            num_bytes -= len(piece)
            self.num_bytes += len(piece)
        if num_bytes > 0:
            raise EOFError('the file ends too early')
        return b''.join(pieces)

    def readline(self):
        """A line. Raises EOFError where the file ends before."""
        line = self._stream.readline()
        if not line.endswith(b'\n'):
            raise EOFError('the file ends too early')
        self.num_bytes += len(line)
        return line


def _counted(load):
    """An opcode that counts before it calls the unpickler's method `load`."""
    def load_opcode(unpickler):
        unpickler.opcodes_left -= 1
        if unpickler.opcodes_left < 0:
            raise UserError(f'refused: more than {MAX_OPCODES} pieces')
        load(unpickler)
    return load_opcode


class _Opcodes(dict):
    def __missing__(self, opcode):
        raise pickle.UnpicklingError(f'{bytes([opcode])!r} is no opcode')


class Unpickler(pickle._Unpickler):
    """Resolves the names in `known_globals`, and refuses every other.

    It stands on the one in Python: the other allocates whatever an index asks for, and knows no limits.
    """

    known_globals = GLOBALS
    needs = 'arrays, lists and dictionaries do not need that'
    dispatch = {}  # filled below: {opcode: method}

    def __init__(self, stream):
        self._stream = _Stream(stream)
        super().__init__(self._stream, encoding='latin1')  # strings of Python 2
        self.opcodes_left = MAX_OPCODES
        self._made_bytes = 0

    def find_class(self, module, name):
        if (module, name) not in self.known_globals:
            asked = ascii(f'{module}.{name}')[1:-1][:100]
            raise UserError(f'refused: the file asks for {asked}; {self.needs}')
        return self.known_globals[module, name]

    def get_extension(self, code):
        raise UserError(f'refused: the file asks for the extension {code}')

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

    load_empty_set = load_frozenset = load_additems = _refuse_sets  # hashing the items may be the harm

    def load_reduce(self):
        args = self.stack.pop()
        self.stack[-1] = self._made(self.stack[-1](*args))

    def _instantiate(self, klass, args):
        self.append(self._made(klass(*args)))

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
        """No bytes of the stream are used twice: otherwise small files could make large arrays."""
        if isinstance(result, StoredArray):
            self._made_bytes += result.numpy.nbytes
        elif isinstance(result, bytes):
            self._made_bytes += len(result)
        if self._made_bytes > 2 * self._stream.num_bytes:  # those of Python 2 become bytes and then an array
            raise UserError('refused: the arrays are larger than the file')
        return result


Unpickler.dispatch = _Opcodes({code: _counted(getattr(Unpickler, load.__name__))
                               for code, load in pickle._Unpickler.dispatch.items()})


class Finisher:
    """Replaces the stand-ins of a stream. Raises UserError for what is no data, such as a function, and for
    what contains itself. What was shared stays shared."""

    leaves = (type(None), bool, float, str, bytes)

    def __init__(self):
        self._done = {}     # id: (object, what it became)
        self._open = set()  # ids of those that contain the one that is looked at

    def __call__(self, obj):
        if type(obj) in self.leaves:
            return obj
        if type(obj) is int:
            return self._number(obj)
        if id(obj) not in self._done:
            if id(obj) in self._open or len(self._open) > MAX_DEPTH:
                raise UserError(f'refused: what contains itself, or is nested deeper than {MAX_DEPTH} levels')
            self._open.add(id(obj))
            self._done[id(obj)] = obj, self.finish(obj)
            self._open.remove(id(obj))
        return self._done[id(obj)][1]

    def finish(self, obj):
        """What becomes of an object that is no leaf."""
        if type(obj) is StoredArray:
            if isinstance(obj.numpy, np.ndarray):
                obj.numpy = obj.numpy.copy(order='K')  # lets the bytes of the stream go
            return obj.numpy
        if type(obj) is dict or isinstance(obj, StoredDict):
            return self._dict(obj)
        if type(obj) in (list, tuple):
            return type(obj)(map(self, obj))
        if type(obj) is bytearray:
            return bytes(obj)
        raise UserError(f'refused: an object of type {type(obj).__name__}; it is no data')

    def _number(self, number):
        if number.bit_length() > MAX_INT_BITS:
            raise UserError(f'refused: a number of {number.bit_length()} bits')
        return number

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


@paused_gc()
def load(path):
    """The dict, list or tuple in a pickle file; its items are arrays, text, numbers or collections of them.

    Strings of Python 2 become latin1 text. Raises UserError where the file is missing or damaged or asks for
    anything else. Nothing inside it is executed.
    """
    try:
        with open(path, 'rb') as file:
            stored = Finisher()(Unpickler(file).load())
    except UserError as error:
        raise UserError(f'{path}: {error}') from error
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from error
    except DAMAGE as error:
        raise UserError(f'{path}: not a readable pickle of arrays ({reason(error)}); copy or download the '
                        'file again') from error
    if type(stored) not in (dict, list, tuple):
        raise UserError(f'{path}: holds neither a dictionary nor a list of arrays')
    return stored
