"""Pickles with PyTorch's objects, alone or as `torch.save` writes them, read into inert stand-ins.

`torch.save` writes either five pickles, followed by the numbers of all storages (until version 1.5), or a zip
archive. `pickle.dump` writes each storage as a string of bytes that `torch.save` made. Nothing is executed.
"""

import collections
import io
import pickle
import re
import zipfile

from dnnlib.pickles import arrays
from dnnlib.pickles.arrays import shown
from dnnlib.pickles.pytorch import tensors
from dnnlib.util import UserError

MAGIC = 0x1950a86a20f9469cfc6c  # The first of the five pickles...
VERSION = 1001                  # ...and the second.
MAX_NAME = 200                  # Characters of the name of a class or of an item of a set.
MAX_ENTRIES = 100_000           # Of a zip archive.
_ZIP = b'PK\x03\x04'
_ZIP_ENTRY = b'PK\x01\x02'      # Begins each entry of the directory.
_ENCRYPTED = 1
_LEGACY = pickle.LONG1 + b'\x0a' + pickle.encode_long(MAGIC) + pickle.STOP  # After the protocol.
_ORDERS = {b'little': '<', b'big': '>'}


class NeedsData(ValueError):
    """The bytes of a storage read as zeros."""


class StoredModule:
    """A stand-in for a module or another persistent object: its class by name, and its attributes.

    The source text of the class is neither kept nor run.
    """

    class_name = state = None

    def __init__(self, meta):
        meta = meta if isinstance(meta, dict) else {}
        self.class_name, self.state = meta.get('class_name'), meta.get('state')
        is_named = isinstance(self.class_name, str) and len(self.class_name) <= MAX_NAME
        if meta.get('type') != 'class' or not is_named or not isinstance(self.state, dict):
            raise UserError(f'refused: a persistent object of type {shown(meta.get("type"))} and class '
                            f'{shown(self.class_name)}; expected a class with a name and a state')


class _StoredStateDict(arrays.StoredDict, arrays.Stored):
    """A dictionary whose attributes, such as the versions of modules, do not matter."""

    becomes = collections.OrderedDict

    def set_state(self, state):
        pass


class Namespace(arrays.Stored):
    """A stand-in for the arguments of a script, as a dictionary, `arguments`."""

    arguments = None

    def set_state(self, state):
        if not isinstance(state, dict):
            raise ValueError('arguments that are not a dictionary')
        self.arguments = state


class _Name:
    """A name that is kept but not used."""

    def __init__(self, *parts):
        self.parts = parts


def _set(items=()):
    """Return a set of short texts, whose hashes a file cannot choose. Raises UserError for other items."""
    if not all(type(item) is str and len(item) <= MAX_NAME for item in items):
        raise UserError(f'refused: a set of anything but texts of up to {MAX_NAME} characters')
    return set(items)


def _shape(sizes=()):
    """Return a shape as a tuple. Raises ValueError for other collections, which a file could make long."""
    if type(sizes) not in (tuple, list):
        raise ValueError('a shape that is not a list')
    return tuple(sizes)


_METHODS = {  # Of the unpickler.
    ('torch.storage', '_load_from_bytes'): '_inner_storage',
    ('torch._utils', '_rebuild_parameter'): '_parameter'}
GLOBALS = {
    **arrays.GLOBALS,
    ('collections', 'OrderedDict'): _StoredStateDict,
    ('torch_utils.persistence', '_reconstruct_persistent_obj'): StoredModule,
    ('torch._utils', '_rebuild_tensor_v2'): tensors.rebuilt_tensor,
    **_METHODS,
    **{('torch', name): kind for name, kind in tensors.TYPES.items()},
    **{(module, name): tensors.TYPES[kind] for name, kind in tensors.STORAGES.items()
       for module in ('torch', 'torch.cuda')},
    **{('torch.storage', f'{begin}UntypedStorage'): tensors.TYPES['uint8'] for begin in ('', '_')},
    **{('torch.storage', f'{begin}TypedStorage'): tensors.WrappedStorage for begin in ('', '_')},
    ('torch', 'Size'): _shape,
    ('torch', 'device'): _Name,
    ('argparse', 'Namespace'): Namespace,
    **{(module, 'set'): _set for module in ('builtins', '__builtin__')},
}


class Unpickler(arrays.Unpickler):
    """Reads arrays, modules and tensors.

    `storage`: function from (key, type, number of elements) to the storage; None = the stream has none of its
    own. options: as for `arrays.Unpickler`.
    """

    known_globals = GLOBALS
    needs = 'neither modules nor tensors need that'
    growth = 6  # For bfloat16: the bytes of a storage, its numbers as float32, and a tensor of them.

    def __init__(self, stream, storage=None, **options):
        super().__init__(stream, **options)
        self._storage = storage
        self.is_pytorch = storage is not None  # So far.

    def find_class(self, module, name):
        found = super().find_class(module, name)
        self.is_pytorch |= module.startswith('torch')
        return getattr(self, found) if (module, name) in _METHODS else found

    def persistent_load(self, pid):
        if self._storage is None:
            return super().persistent_load(pid)
        tag, kind, key, _device, length, *view = pid
        is_known = isinstance(kind, tensors.Type) and type(key) is str and view in ([], [None])
        if tag != 'storage' or not is_known:
            raise ValueError('a storage of no known kind')
        return self._storage(key, kind, length)

    def _inner_storage(self, data):
        """Return the storage that `torch.save` wrote as these bytes, which count as often as they are read.
        Their pieces are pieces of the file."""
        if not isinstance(data, (bytes, bytearray)):
            raise ValueError('a storage that is not bytes')
        if data[:1] == b'\0':
            raise NeedsData
        self._made_bytes += len(data)
        saved = _Saved(data, _StorageUnpickler, self._stream.pieces_left)
        storage, self._stream.pieces_left = saved.load(), saved.pieces_left
        return tensors.unwrapped(storage)

    def _parameter(self, array, *_flags):
        """Return the tensor that is the parameter, which was counted when it was made."""
        if not isinstance(array, arrays.StoredArray):
            raise UserError('refused: a parameter that is not a tensor')
        self._made_bytes -= array.numpy.nbytes
        return array

    def _made(self, result):
        storage = result.storage if isinstance(result, tensors.WrappedStorage) else result
        if isinstance(storage, tensors.Storage):
            self._made_bytes += storage.copied_bytes
        return super()._made(result)

    def load_empty_set(self):
        self._check_sets()
        self.append(set())

    def load_additems(self):
        self._check_sets()
        items = self.pop_mark()
        self.stack[-1].update(_set(items))

    def _check_sets(self):
        if not self.is_pytorch:
            self._refuse_sets()


Unpickler.dispatch = {code: getattr(Unpickler, load.__name__)
                      for code, load in pickle._Unpickler.dispatch.items()}


class _StorageUnpickler(Unpickler):
    """Reads a storage alone."""

    known_globals = {name: found for name, found in GLOBALS.items()
                     if isinstance(found, tensors.Type) or found is tensors.WrappedStorage}
    needs = 'storages do not need that'


class _Saved:
    """What `torch.save` wrote, in one of its two forms, as bytes.

    `unpickler`: class that reads the object. `pieces_left`: how many pieces may be read.
    """

    def __init__(self, data, unpickler, pieces_left=arrays.MAX_PIECES):
        self._data, self._unpickler, self.pieces_left = data, unpickler, pieces_left
        self._storages = {}  # {key: storage}

    def load(self):
        """Return the object."""
        return self._zip() if self._data.startswith(_ZIP) else self._legacy()

    def _read(self, stream, unpickler=arrays.Unpickler, **options):
        """Return the object in a pickle."""
        reader = unpickler(stream, num_bytes=len(self._data), pieces=self.pieces_left, **options)
        result, self.pieces_left = reader.load(), reader.pieces_left
        return result

    def _legacy(self):
        stream = io.BytesIO(self._data)
        if self._read(stream) != MAGIC or self._read(stream) != VERSION:
            raise ValueError('it begins with other numbers')
        if self._read(stream)['little_endian'] is not True:
            raise UserError('written by PyTorch on a big-endian machine, which is not supported; write it '
                            'again on another')
        result = self._read(stream, self._unpickler, storage=self._later)
        keys = self._read(stream)
        if type(keys) is not list or not all(type(key) is str for key in keys):  # Hashing may be the harm.
            raise ValueError('keys of storages that are not a list of texts')
        for key in keys:
            self._fill(self._storages.pop(key), stream)
        if self._storages or stream.read(1):
            raise ValueError('numbers are missing or left over')
        return result

    def _later(self, key, kind, length):
        """Return a storage whose numbers follow after all pickles."""
        storage = self._storages.setdefault(key, tensors.Storage(kind, length))
        if (storage.type, storage.length) != (kind, length):
            raise ValueError('two storages of one key')
        return storage

    def _fill(self, storage, stream):
        if int.from_bytes(stream.read(8), 'little') != storage.length:
            raise ValueError('two lengths of one storage')
        begin = stream.tell()
        storage.fill(memoryview(self._data)[begin:begin + storage.num_bytes])
        stream.seek(begin + storage.num_bytes)

    def _zip(self):
        if self._data.count(_ZIP_ENTRY) > MAX_ENTRIES:
            raise UserError(f'refused: a zip archive of more than {MAX_ENTRIES} files')
        try:
            with zipfile.ZipFile(io.BytesIO(self._data)) as archive:
                return self._object_in(archive)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise ValueError(f'a damaged zip archive: {error}') from error

    def _object_in(self, archive):
        root = _root(archive, len(self._data))
        order = _content(archive, f'{root}byteorder', default=b'little')
        if order not in _ORDERS:
            raise UserError(f'refused: the byte order {shown(order)}')

        def storage(key, kind, length):
            if key not in self._storages:
                self._storages[key] = tensors.Storage(kind, length)
                self._storages[key].fill(_content(archive, f'{root}data/{key}'), _ORDERS[order])
            return self._later(key, kind, length)

        stream = io.BytesIO(_content(archive, f'{root}data.pkl'))
        return self._read(stream, self._unpickler, storage=storage)


def _root(archive, num_bytes):
    """Return the folder of a zip archive that holds the object, with a slash. Raises UserError unless it is
    one of `torch.save`, which has each file once and compresses none."""
    names = archive.namelist()
    roots = [name.removesuffix('data.pkl') for name in names if re.fullmatch('([^/]*/)?data[.]pkl', name)]
    if len(roots) != 1:
        raise UserError(f'a zip archive that PyTorch did not write: it has {len(roots)} files data.pkl')
    if len(set(names)) != len(names):
        raise UserError('refused: a zip archive that holds two files of one name')
    if sum(info.file_size for info in archive.infolist()) > num_bytes:
        raise UserError('refused: a zip archive whose files are larger than itself')
    return roots[0]


def _content(archive, name, default=None):
    """Return the content of a file in a zip archive, `default` where there is none. Raises ValueError without
    a default, and UserError for compressed files."""
    if name not in archive.NameToInfo:
        if default is None:
            raise ValueError(f'a zip archive without {shown(name)}')
        return default
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED:
        raise UserError(f'refused: {shown(name)} is compressed or encrypted, which PyTorch does not do')
    return archive.read(info)


def load(stream, unpickler=Unpickler):
    """Return the object in a stream with `peek`, with stand-ins: `StoredModule`, `arrays.StoredArray` for
    tensors.

    unpickler: class that reads it, `Unpickler` or a subclass. Raises UserError for what is refused, and one
    of `arrays.DAMAGE` for what makes no sense.
    """
    return read(stream, unpickler)[0]


def read(stream, unpickler=Unpickler):
    """Return what `load` does, and whether there was anything of PyTorch in the stream."""
    begin = stream.peek(len(_LEGACY) + 2)
    if begin.startswith(_ZIP) or begin[2:].startswith(_LEGACY):
        return _Saved(stream.read(-1), unpickler).load(), True
    reader = unpickler(stream)
    return reader.load(), reader.is_pytorch
