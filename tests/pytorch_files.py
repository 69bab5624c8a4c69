"""Write what `streams.load` returned as PyTorch does: plain, in the legacy form or as a zip archive."""

import collections
import io
import pickle
import zipfile

import numpy as np

from dnnlib.pickles.arrays import StoredArray
from dnnlib.pickles.pytorch import streams
from tests import crafted_pickles

STORAGES = {'f8': 'Double', 'f4': 'Float', 'f2': 'Half', 'i8': 'Long', 'u1': 'Byte', 'u2': 'BFloat16'}


def as_global(module, name):
    """Return an object that is pickled as this name."""
    def function():
        pass
    function.__module__, function.__qualname__ = module, name
    return function


class Call:
    """Is pickled as a call of the function of this name."""

    def __init__(self, module, name, *args):
        self.reduced = as_global(module, name), args

    def __reduce__(self):
        return self.reduced


class Storage:
    """A row of numbers, without a pickle of its own or, in `plain`, as a string of bytes.

    length: number of elements that the file claims.
    """

    def __init__(self, numbers, length=None, kind=None):
        self.numbers = np.ascontiguousarray(numbers).reshape(-1)
        self.length = self.numbers.size if length is None else length
        self.kind = as_global('torch', f'{kind or STORAGES[self.numbers.dtype.str[1:]]}Storage')

    def __reduce__(self):
        return as_global('torch.storage', '_load_from_bytes'), (legacy(self),)


def tensor(storage, shape, strides, offset=0):
    """Return a view of a storage."""
    return Call('torch._utils', '_rebuild_tensor_v2', storage, offset, shape, strides, False,
                collections.OrderedDict())


def encoded(found, dtype=None):
    """Return an object from `streams.load` in the form that the functions below write.

    dtype: type of the numbers of tensors, instead of their own.
    """
    if isinstance(found, streams.StoredModule):
        return Call('torch_utils.persistence', '_reconstruct_persistent_obj', dict(
            type='class', version=6, module_src='raise SystemExit', class_name=found.class_name,
            state=encoded(found.state, dtype)))
    if isinstance(found, StoredArray):
        if isinstance(found.numpy, np.generic):
            return found.numpy
        array = np.ascontiguousarray(found.numpy.astype(dtype or found.numpy.dtype))
        strides = tuple(step // array.itemsize for step in array.strides)
        view = tensor(Storage(array), found.numpy.shape, strides[:found.numpy.ndim])
        return Call('torch._utils', '_rebuild_parameter', view, True, collections.OrderedDict())
    if isinstance(found, dict):
        return {key: encoded(value, dtype) for key, value in found.items()}
    if isinstance(found, (list, tuple)):
        return type(found)(encoded(value, dtype) for value in found)
    return found


class _Pickler(crafted_pickles.Pickler):
    def __init__(self, file, protocol=2, core='numpy._core'):
        super().__init__(file, protocol, core)
        self.storages = {}

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        key = next((key for key, each in self.storages.items() if each is obj), str(len(self.storages)))
        self.storages[key] = obj
        return 'storage', obj.kind, key, 'cpu', obj.length


class _LegacyPickler(_Pickler):
    def persistent_id(self, obj):
        found = super().persistent_id(obj)
        return found and (*found, None)


def plain(obj, protocol=4, core='numpy._core'):
    """Return what `pickle.dump` writes."""
    return crafted_pickles.dumps(obj, protocol, core=core)


def legacy(obj, magic=streams.MAGIC, little_endian=True):
    """Return what `torch.save` wrote until PyTorch 1.5."""
    file = io.BytesIO()
    for header in (magic, streams.VERSION, dict(protocol_version=1001, little_endian=little_endian)):
        pickle.dump(header, file, 2)
    pickler = _LegacyPickler(file)
    pickler.dump(obj)
    pickle.dump(list(pickler.storages), file, 2)
    for storage in pickler.storages.values():
        file.write(storage.length.to_bytes(8, 'little', signed=True) + storage.numbers.tobytes())
    return file.getvalue()


def zipped(obj, order='little', method=zipfile.ZIP_STORED, extra=()):
    """Return what `torch.save` writes. order: of bytes. extra: [(name, content)] of more files."""
    data, file = io.BytesIO(), io.BytesIO()
    pickler = _Pickler(data)
    pickler.dump(obj)
    with zipfile.ZipFile(file, 'w', method) as archive:
        archive.writestr('net/data.pkl', data.getvalue())
        archive.writestr('net/byteorder', order)
        for key, storage in pickler.storages.items():
            numbers = storage.numbers.byteswap() if order == 'big' else storage.numbers
            archive.writestr(f'net/data/{key}', numbers.tobytes())
        for name, content in [('net/version', b'3\n'), *extra]:
            archive.writestr(name, content)
    return file.getvalue()


def read(path):
    """Return what is in a file, with stand-ins."""
    with open(path, 'rb') as file:
        return streams.load(file)


def changed(path, change):
    """Return the bytes of a file after change(what `read` returned)."""
    found = read(path)
    change(found)
    return plain(encoded(found))


def at(module, path):
    """Return the attributes of a module by its path."""
    for name in path.split('.') if path else ():
        module = module.state['_modules'][name]
    return module.state


def setting(key, path, name, value):
    """Return the change of an attribute."""
    def change(found):
        at(found[key], path)[name] = value
    return change


def parameter(key, path, name, value, group='_parameters'):
    """Return the change of a parameter, or of a buffer, to an array."""
    def change(found):
        array = StoredArray()
        array.numpy = value
        at(found[key], path)[group][name] = array
    return change
