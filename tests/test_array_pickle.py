"""Test dnnlib.pickles.arrays: what it reads, what it refuses, and that it executes nothing."""

import io
import os
import pickle
import pickletools

import numpy as np
import pytest

from dnnlib.pickles import arrays as array_pickle
from dnnlib.util import UserError
from tests.python2_pickles import python2_batch

pixels = np.random.RandomState(1).randint(0, 256, [4, 6]).astype(np.uint8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'batch'


def load(path, content):
    path.write_bytes(content)
    return array_pickle.load(path)


def test_files_of_python_2_are_read(path):
    content = python2_batch({'data': pixels, 'labels': [3, 1, 4, 1], 'batch_label': 'testing \xe9'})
    loaded = load(path, content)
    assert list(loaded) == ['data', 'labels', 'batch_label']
    np.testing.assert_array_equal(loaded['data'], pixels)
    assert (loaded['labels'], loaded['batch_label']) == ([3, 1, 4, 1], 'testing \xe9')
    assert pickle.loads(content, encoding='latin1')['labels'] == [3, 1, 4, 1]  # the pickle is a genuine one


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('module', [b'numpy._core', b'numpy.core'])
def test_arrays_come_back_whatever_protocol_and_numpy_wrote_them(path, protocol, module):
    arrays = [pixels, np.asfortranarray(pixels), pixels.astype('>i4'), np.float32([[1.5]])]
    content = pickle.dumps((*arrays, np.int64(7)), protocol)
    if protocol < 4:  # names have no length prefix
        content = content.replace(b'numpy._core', module)
    *loaded, number = load(path, content)
    for array, expected in zip(loaded, arrays, strict=True):
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == expected.dtype
    assert number == 7


class _Hostile:
    """Is pickled as a call of a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('function, args, name', [
    (os.mkdir, ['executed'], f'{os.mkdir.__module__}.mkdir'),
    (eval, ["__import__('os').mkdir('executed')"], 'builtins.eval'),
    (np.load, ['executed'], 'numpy.load')])
def test_nothing_inside_a_file_is_executed(path, monkeypatch, function, args, name):
    monkeypatch.chdir(path.parent)
    content = pickle.dumps({'data': _Hostile(function, *args), 'labels': []})
    with pytest.raises(UserError, match=f'batch: refused: the file asks for {name}; arrays'):
        load(path, content)
    assert not os.path.exists('executed')


@pytest.mark.parametrize('content, match', [
    (pickle.dumps([np.array([None])]), "refused: an array of type 'O8'"),
    (pickle.dumps([b'bytes'], 2).replace(b'latin1', b'rot_13'), "refused: text in the encoding 'rot_13'"),
    (pickle.dumps('text'), 'holds neither a dictionary nor a list'),
    (pickle.dumps(pixels), 'holds neither a dictionary nor a list'),
    (b'', 'not a readable pickle of arrays'),
    (b'hello', 'not a readable pickle of arrays'),
    (b'\x80\x63.', 'not a readable pickle of arrays')])
def test_what_is_no_collection_of_arrays_is_refused(path, content, match):
    with pytest.raises(UserError, match=match) as info:
        load(path, content)
    assert str(info.value).startswith(f'{path}: ')
    assert '\n' not in str(info.value)


def test_a_file_cut_off_anywhere_is_refused(path):
    content = pickle.dumps({'data': pixels, 'labels': [1, 2]}, 2)
    for length in range(len(content)):
        with pytest.raises(UserError, match='batch: not a readable pickle of arrays'):
            load(path, content[:length])


def test_an_array_larger_than_its_data_is_refused(path):
    with pytest.raises(UserError, match='not a readable pickle of arrays'):
        load(path, python2_batch({'data': pixels}).replace(b'M\x04\0M\x06', b'M\x05\0M\x06'))


def test_changed_bytes_end_in_an_array_or_in_one_clear_line(path):
    content = python2_batch({'data': pixels[:1], 'labels': [1]})
    refused = 0
    for position in range(len(content)):
        changed = content[:position] + bytes([content[position] ^ 0x15]) + content[position + 1:]
        try:
            load(path, changed)
        except UserError:
            refused += 1
    assert refused > len(content) / 2


def test_a_missing_file_is_named(path):
    with pytest.raises(UserError, match='batch: cannot be read: No such file'):
        array_pickle.load(path)


def test_the_form_of_python_2_uses_its_opcodes():
    names = {opcode.name for opcode, _, _ in pickletools.genops(io.BytesIO(python2_batch({'data': pixels})))}
    assert 'BINSTRING' in names
    assert not names & {'BINUNICODE', 'BINBYTES', 'SHORT_BINBYTES'}
