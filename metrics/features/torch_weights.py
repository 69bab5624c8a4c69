"""Reads weights from PyTorch files of the default format before PyTorch 1.6, without PyTorch.

Such a file holds five pickles, followed by the numbers: a magic number, the version, facts about the machine,
a dictionary of tensors, each a view of a storage, and the keys of the storages in the order of their numbers.
Nothing is executed.
"""

import dataclasses
import math
import os
import zipfile

import numpy as np

from dnnlib.pickles.arrays import Stored, StoredDict, Unpickler, errors_named
from dnnlib.util import UserError

MAGIC = 0x1950a86a20f9469cfc6c
VERSION = 1001


class _Weights(StoredDict, Stored):
    """Names and tensors. Its pickled state does not concern the numbers."""

    def set_state(self, state):
        pass


@dataclasses.dataclass
class _Storage:
    """A row of numbers, stored after all pickles."""
    dtype: np.dtype
    length: int
    numpy: np.ndarray | None = None


class _Tensor:
    """A view of a storage: offset, shape and strides count numbers."""

    def __init__(self, storage, offset, shape, strides, *_flags):
        if not isinstance(storage, _Storage):
            raise ValueError('a tensor without a storage')
        if not all(type(number) is int and number >= 0 for number in (offset, *shape, *strides)):
            raise ValueError('a tensor with an invalid offset, size or stride')
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self):
        """Return a copy of the numbers. Raises ValueError if they exceed the storage in place or in number:
        strides of zero could turn small files into large arrays."""
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if math.prod(self.shape) > self.storage.length or last >= self.storage.length:
            raise ValueError('a tensor larger than its storage')
        numbers = self.storage.numpy[self.offset:]
        strides = [step * numbers.itemsize for step in self.strides]
        view = np.lib.stride_tricks.as_strided(numbers, self.shape, strides, writeable=False)
        return np.array(view, order='C')


class _WeightsUnpickler(Unpickler):
    known_globals = {
        ('collections', 'OrderedDict'): _Weights,
        ('torch._utils', '_rebuild_tensor_v2'): _Tensor,
        ('torch', 'FloatStorage'): np.dtype('<f4'),
        ('torch', 'LongStorage'): np.dtype('<i8'),
    }
    needs = 'dictionaries of tensors do not need that'

    def __init__(self, stream):
        super().__init__(stream)
        self.storages = {}  # by key

    def persistent_load(self, pid):
        kind, dtype, key, _device, length, view = pid
        if kind != 'storage' or not isinstance(dtype, np.dtype) or view is not None:
            raise ValueError('a storage of no known kind')
        storage = self.storages.setdefault(key, _Storage(dtype, length))
        if (storage.dtype, storage.length) != (dtype, length):
            raise ValueError('two storages of one key')
        return storage


def load(path) -> dict[str, np.ndarray]:
    """Return {name: array} of a state dict in a PyTorch file: contiguous float32 and int64 arrays.

    Raises UserError if the file is missing, damaged, in PyTorch's later zip format, or contains anything that
    a dictionary of tensors does not need.
    """
    with errors_named(path, 'file of PyTorch weights'), open(path, 'rb') as file:
        return _load(file)


def _load(file):
    if zipfile.is_zipfile(file):
        raise UserError("of PyTorch's zip format; write it again by torch.save with "
                        '_use_new_zipfile_serialization=False')
    file.seek(0)
    if Unpickler(file).load() != MAGIC or Unpickler(file).load() != VERSION:
        raise ValueError('it begins with other numbers')
    if Unpickler(file).load()['little_endian'] is not True:
        raise UserError('written by a big-endian machine, which is not supported')
    unpickler = _WeightsUnpickler(file)
    weights = unpickler.load()
    if not isinstance(weights, dict):
        raise UserError(f'holds no dictionary of tensors but a {type(weights).__name__}')
    for key in Unpickler(file).load():
        _read_storage(file, unpickler.storages.pop(key))
    if unpickler.storages:
        raise ValueError('numbers are missing')
    return dict(_named_array(*item) for item in weights.items())


def _read_storage(file, storage):
    num_bytes = storage.length * storage.dtype.itemsize
    if not 0 <= num_bytes <= os.fstat(file.fileno()).st_size - file.tell() - 8:
        raise ValueError('the file ends too early')
    if int.from_bytes(file.read(8), 'little') != storage.length:
        raise ValueError('two lengths of one storage')
    storage.numpy = np.frombuffer(file.read(num_bytes), storage.dtype)


def _named_array(name, tensor):
    if type(name) is not str or not isinstance(tensor, _Tensor):
        raise UserError(f'holds something else than tensors: a {type(tensor).__name__}')
    return name, tensor.array()
