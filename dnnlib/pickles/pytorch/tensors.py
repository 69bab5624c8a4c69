"""Stand-ins for what PyTorch's tensors are made of: types, storages and strided views of them."""

import itertools
from dataclasses import dataclass, field

import numpy as np

from dnnlib.pickles import arrays
from dnnlib.pickles.arrays import shown

MAX_DIMS = 32
_BFLOAT16 = 'bfloat16'  # The upper half of float32, which NumPy does not know.


@dataclass(frozen=True)
class Type:
    """Type of numbers, or of the bytes of a storage without a type."""
    name: str        # Of the dtype in PyTorch.
    num_bytes: int   # Of one number.

    @property
    def numpy(self) -> np.dtype:
        """Type of the numbers here."""
        return np.dtype('float32' if self.name == _BFLOAT16 else self.name)

    @property
    def is_copied(self) -> bool:
        """Whether `numbers` copies, as NumPy does not have the type or does not trust the bytes."""
        return self.name in (_BFLOAT16, 'bool')

    def numbers(self, data, order: str) -> np.ndarray:
        """Return bytes as numbers. order: '<' = the lowest byte first, '>' = the highest."""
        if self.name == _BFLOAT16:
            upper = np.frombuffer(data, f'{order}u2').astype(np.uint32)
            return (upper << 16).view(np.float32)
        if self.name == 'bool':
            return np.frombuffer(data, np.uint8) != 0
        return np.frombuffer(data, self.numpy.newbyteorder(order))


_SIZES = {'float64': 8, 'float32': 4, 'float16': 2, _BFLOAT16: 2, 'int64': 8, 'int32': 4, 'int16': 2,
          'int8': 1, 'uint8': 1, 'bool': 1}
TYPES = {name: Type(name, num_bytes) for name, num_bytes in _SIZES.items()}
STORAGES = {  # {class of storages: type}
    'DoubleStorage': 'float64', 'FloatStorage': 'float32', 'HalfStorage': 'float16',
    'BFloat16Storage': _BFLOAT16, 'LongStorage': 'int64', 'IntStorage': 'int32', 'ShortStorage': 'int16',
    'CharStorage': 'int8', 'ByteStorage': 'uint8', 'BoolStorage': 'bool'}


@dataclass(eq=False)
class Storage:
    """A row of numbers. Some files name it before they give the numbers: its views wait for `fill`."""
    type: Type
    length: int                      # In numbers.
    data: object = None              # Bytes; None as long as they are not known.
    order: str = '<'
    numbers: np.ndarray | None = None
    views: list = field(default_factory=list)   # [(StoredArray, offset, shape, strides)]
    others: list = field(default_factory=list)  # The same bytes with other types.

    def __post_init__(self):
        if type(self.length) is not int or self.length < 0:
            raise ValueError('a storage with an invalid length')

    @property
    def num_bytes(self) -> int:
        """Size of all numbers in the file."""
        return self.length * self.type.num_bytes

    @property
    def copied_bytes(self) -> int:
        """Size of a copy of all numbers, 0 if there is none."""
        return self.length * self.type.numpy.itemsize if self.type.is_copied else 0

    def fill(self, data, order: str = '<') -> None:
        """Set the bytes of all numbers. order: as for `Type.numbers`."""
        if len(data) != self.num_bytes:
            raise ValueError('a storage of another length than it says')
        self.data, self.order = data, order
        self.numbers = self.type.numbers(data, order)
        for array, *place in self.views:
            array.numpy = self._view(*place)
        for other in self.others:
            other.fill(data, order)

    def with_type(self, new: Type) -> 'Storage':
        """Return the same bytes as numbers of another type."""
        other = Storage(new, self.num_bytes // new.num_bytes)
        self.others.append(other)
        if self.data is not None:
            other.fill(self.data, self.order)
        return other

    def view(self, offset, shape, strides) -> arrays.StoredArray:
        """Return an array of some of the numbers; offset and strides count numbers, too.

        Raises ValueError where it would reach beyond the storage.
        """
        if len(shape) > MAX_DIMS or not all(type(number) is int and number >= 0
                                            for number in (offset, *shape, *strides)):
            raise ValueError('a tensor with an invalid offset, size or stride')
        last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
        if 0 not in shape and last >= self.length:
            raise ValueError('a tensor that reaches beyond its storage')
        array = arrays.StoredArray()
        place = (offset, shape, strides)
        if self.numbers is None:
            self.views.append((array, *place))
            array.numpy = np.broadcast_to(np.zeros([], self.type.numpy), shape)  # Its size counts now.
        else:
            array.numpy = self._view(*place)
        return array

    def _view(self, offset, shape, strides):
        if 0 in shape:
            return np.zeros(shape, self.numbers.dtype)
        steps = [step * self.numbers.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(self.numbers[offset:], shape, steps, writeable=False)


class WrappedStorage(arrays.Stored):
    """A storage in an object that may give its bytes another type: `storage` is the result."""

    storage = None

    def __init__(self, *parts):
        self._use(parts)

    def set_state(self, state):
        self._use(state.values() if isinstance(state, dict) else state)

    def _use(self, parts):
        parts = list(itertools.islice(parts, 10))
        storages = [part for part in parts if isinstance(part, Storage)]
        types = [part for part in parts if isinstance(part, Type)]
        if storages:
            self.storage = storages[0].with_type(types[0]) if types else storages[0]


def unwrapped(storage) -> Storage:
    """Return the storage that an object is or holds. Raises ValueError for other objects."""
    storage = storage.storage if isinstance(storage, WrappedStorage) else storage
    if not isinstance(storage, Storage):
        raise ValueError(f'{shown(type(storage).__name__)} instead of a storage')
    return storage


def rebuilt_tensor(storage, offset, shape, strides, *_flags):
    """Return the array of a tensor (`torch._utils._rebuild_tensor_v2`)."""
    return unwrapped(storage).view(offset, shape, strides)
