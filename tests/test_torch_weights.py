"""Test metrics.features.torch_weights: what it reads, what it refuses, and that it executes nothing."""

import collections
import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from dnnlib.util import UserError
from metrics.features import torch_weights
from tests import crafted_pickles

numbers = np.arange(24, dtype='<f4')


def _as_global(module, name):
    """Return an object that is pickled as this name."""
    def function():
        pass
    function.__module__, function.__qualname__ = module, name
    return function


REBUILD = _as_global('torch._utils', '_rebuild_tensor_v2')
STORAGES = {'f4': _as_global('torch', 'FloatStorage'), 'i8': _as_global('torch', 'LongStorage')}


class Storage:
    """Is pickled as a reference to these numbers."""

    def __init__(self, key, array, length=None, kind=None):
        self.key, self.array = key, array
        self.pid = ('storage', kind or STORAGES[array.dtype.str[1:]], key, 'cpu', length or array.size, None)


class Call:
    """Is pickled as a call of a function."""

    def __init__(self, *call):
        self.call = call[0], call[1:]

    def __reduce__(self):
        return self.call


class _Pickler(crafted_pickles.Pickler):
    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages = {}

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        self.storages[obj.key] = obj
        return obj.pid


def tensor(storage, shape, strides, offset=0):
    return Call(REBUILD, storage, offset, shape, strides, False, collections.OrderedDict())


def content(weights, magic=torch_weights.MAGIC, little_endian=True):
    """Write a file as PyTorch does, optionally with another header."""
    file = io.BytesIO()
    for header in (magic, 1001, {'protocol_version': 1001, 'little_endian': little_endian}):
        pickle.dump(header, file, 2)
    pickler = _Pickler(file)
    pickler.dump(weights)
    pickle.dump(sorted(pickler.storages), file, 2)
    for _, storage in sorted(pickler.storages.items()):
        file.write(storage.array.size.to_bytes(8, 'little') + storage.array.tobytes())
    return file.getvalue()


def state_dict():
    weights = collections.OrderedDict()
    weights['layer.weight'] = tensor(Storage('20', numbers), (2, 3), (1, 2), offset=4)
    weights['layer.count'] = tensor(Storage('10', np.array([7])), (), ())
    weights._metadata = collections.OrderedDict(version=1)
    return weights


@pytest.fixture
def load(tmp_path):
    def load(data):
        path = tmp_path / 'weights.pth'
        path.write_bytes(data)
        return torch_weights.load(path)
    return load


def test_tensors_come_back_with_their_strides_and_types(load):
    loaded = load(content(state_dict()))
    assert list(loaded) == ['layer.weight', 'layer.count']
    np.testing.assert_array_equal(loaded['layer.weight'], np.float32([[4, 6, 8], [5, 7, 9]]))
    assert loaded['layer.weight'].dtype == np.float32
    assert loaded['layer.count'].dtype == np.int64
    assert loaded['layer.count'] == 7


def test_tensors_can_share_a_storage(load):
    shared = Storage('1', numbers)
    loaded = load(content({'a': tensor(shared, (4,), (1,)), 'b': tensor(shared, (2,), (3,), offset=20)}))
    np.testing.assert_array_equal(loaded['a'], [0, 1, 2, 3])
    np.testing.assert_array_equal(loaded['b'], [20, 23])


@pytest.mark.parametrize('call, name', [
    (Call(os.mkdir, 'executed'), f'{os.mkdir.__module__}.mkdir'),
    (Call(_as_global('torch', 'load'), 'executed'), 'torch.load'),
    (Call(np.dtype, 'f4'), 'numpy.dtype')])
def test_nothing_inside_a_file_is_executed(load, tmp_path, monkeypatch, call, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f'weights.pth: refused: the file asks for {name}; dictionaries'):
        load(content({'a': call}))
    assert not os.path.exists('executed')


@pytest.mark.parametrize('shape, strides, offset', [
    ((24,), (1,), 1), ((5, 6), (0, 1), 0), ((2, 2), (24, 1), 0), ((2,), (-1,), 3), ((-1,), (1,), 0),
    ((2,), (1,), -1), ((2, 2), (1,), 0), ((2**40,), (0,), 0), ((2.0,), (1,), 0)])
def test_tensors_outside_their_storage_are_refused(load, shape, strides, offset):
    weights = {'a': tensor(Storage('1', numbers), shape, strides, offset)}
    with pytest.raises(UserError, match='weights.pth: not a readable file of PyTorch weights'):
        load(content(weights))


@pytest.mark.parametrize('storage', [
    Storage('1', numbers, length=2**50), Storage('1', numbers, length=23), Storage('1', numbers, length=-1),
    Storage('1', numbers, length='24'), Storage('1', numbers, kind='FloatStorage'), numbers.tolist()])
def test_storages_that_are_not_as_they_say_are_refused(load, storage):
    with pytest.raises(UserError, match='weights.pth: not a readable file of PyTorch weights'):
        load(content({'a': tensor(storage, (2,), (1,))}))


@pytest.mark.parametrize('data, match', [
    (content(['a']), 'holds no dictionary of tensors but a list'),
    (content({'a': 1}), 'holds something else than tensors: a int'),
    (content({'a': state_dict()}), 'holds something else than tensors'),
    (content({}, little_endian=False), 'big-endian'),
    (content({}, magic=1), 'begins with other numbers'),
    (content({'a': Storage('1', numbers)}), 'holds something else than tensors'),
    (b'', 'not a readable file'),
    (b'hello', 'not a readable file')])
def test_what_is_no_state_dict_is_refused(load, data, match):
    with pytest.raises(UserError, match=match) as info:
        load(data)
    assert '\n' not in str(info.value)


def test_a_file_cut_off_anywhere_is_refused(load):
    data = content(state_dict())
    for length in range(len(data)):
        with pytest.raises(UserError, match='weights.pth: not a readable file of PyTorch weights'):
            load(data[:length])


def test_changed_bytes_end_in_weights_or_in_one_clear_line(load):
    data = content(state_dict())
    refused = 0
    for position in range(len(data)):
        changed = data[:position] + bytes([data[position] ^ 0x15]) + data[position + 1:]
        try:
            load(changed)
        except UserError:
            refused += 1
    assert refused > len(data) / 2


def test_the_later_format_is_named(load):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr('archive/data.pkl', b'')
    with pytest.raises(UserError, match="weights.pth: of PyTorch's zip format; write it again"):
        load(file.getvalue())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match='none.pth: cannot be read: No such file'):
        torch_weights.load(tmp_path / 'none.pth')
