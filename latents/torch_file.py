"""Writing one tensor as a `.pt` file, which `torch.load(..., weights_only=True)` opens, without PyTorch."""

import pickle
import struct
import zipfile

import numpy as np

_PROTOCOL, _VERSION = b'\x80\x02', b'3\n'  # Of the pickle, and of the archive.


def write(file, array) -> None:
    """Write an array as a float32 tensor, in the zip form of `torch.save`, to a binary stream."""
    array = np.asarray(array, '<f4', order='C')
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_STORED) as archive:
        archive.writestr('archive/data.pkl', _tensor(array))
        archive.writestr('archive/byteorder', b'little')
        archive.writestr('archive/data/0', array.tobytes())
        archive.writestr('archive/version', _VERSION)


def _tensor(array):
    """Return the pickle of a call of `_rebuild_tensor_v2` with the storage `data/0`, offset, shape, strides,
    requires_grad and hooks."""
    strides = [step // array.itemsize for step in array.strides]
    storage = _tuple(_text('storage'), _name('torch', 'FloatStorage'), _text('0'), _text('cpu'),
                     _number(array.size)) + pickle.BINPERSID
    hooks = _name('collections', 'OrderedDict') + pickle.EMPTY_TUPLE + pickle.REDUCE
    arguments = _tuple(storage, _number(0), _tuple(*map(_number, array.shape)),
                       _tuple(*map(_number, strides)), pickle.NEWFALSE, hooks)
    return _PROTOCOL + _name('torch._utils', '_rebuild_tensor_v2') + arguments + pickle.REDUCE + pickle.STOP


def _tuple(*items):
    return pickle.MARK + b''.join(items) + pickle.TUPLE


def _name(module, name):
    return pickle.GLOBAL + f'{module}\n{name}\n'.encode()


def _text(text):
    return pickle.BINUNICODE + struct.pack('<I', len(text)) + text.encode()


def _number(number):
    return pickle.BININT + struct.pack('<i', number)
