"""Test malicious files: none executes anything or takes much memory, and each causes a clear one-line
error."""

import contextlib
import copyreg
import os
import pickle
import struct
import sys

import pytest

from dnnlib.pickles import arrays
from dnnlib.util import UserError
from tests.hostile_files import (
    EASY_DICT,
    EMPTY_ARRAY,
    ENCODE,
    F4,
    FIRE,
    NETWORK,
    OPTIONS,
    SYSTEM,
    array,
    assert_refused,
    fire,
    fired,
    laughs,
    name,
    number,
    text,
    typed,
    watched,
)
from training import misc

CALLS = {
    'reduce': SYSTEM + text('id') + b'\x85R.',
    'reduce, protocol 0': b"cos\nsystem\n(S'id'\ntR.",
    'reduce, protocol 4': b'\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.',
    'reduce in a frame': b'\x80\x04\x95\x14\0\0\0\0\0\0\0\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.',
    'the function alone': FIRE + b'.',
    'inst': b"(S'id'\nios\nsystem\n.",
    'obj': b'(' + SYSTEM + text('id') + b'o.',
    'newobj': b'\x80\x02' + FIRE + b')\x81.',
    'newobj with keywords': b'\x80\x04' + FIRE + b')}\x92.',
    'build': b'\x80\x02' + FIRE + b'}b.',
    'nested in containers': b'](}' + text('a') + b'(K\1' + FIRE + b')Rtse.',
    'memoised': FIRE + b'q\x050h\x05)R.',
    'memoised names': b'\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\0h\1\x93\x8c\x02id\x85R.',
    'memoised, of another name': NETWORK + b'q\0' + b'0' + FIRE + b'q\0' + b'h\0)R.',
    'in a state': NETWORK + b')\x81}' + text('version') + FIRE + b')Rsb.',
    'as a state': NETWORK + b')\x81' + FIRE + b')Rb.',
    'as the data of an array': array(b'K\1\x85', FIRE + b')R') + b'.',
    'dotted': b'\x80\x04' + text('dnnlib.util') + text('os.system') + b'\x93' + text('id') + b'\x85R.',
    'dotted, from a known class': (
        b'\x80\x04' + text('dnnlib.tflib.network') + text('Network.__init__') + b'\x93.'),
    'of a known module': name('dnnlib.util', 'call_func_by_name') + b')R.',
    'of the same name': name('os.path.network', 'Network') + b')R.',
    'eval': name('builtins', 'eval') + text('1') + b'\x85R.',
    'getattr': name('builtins', 'getattr') + b')R.',
    'getattr of Python 2': name('__builtin__', 'getattr') + b')R.',
    'import': name('builtins', '__import__') + b')R.',
    'copyreg': name('copyreg', '_reconstructor') + EASY_DICT + b'\x85R.',
    'partial': name('functools', 'partial') + b')R.',
    'attrgetter': name('operator', 'attrgetter') + b')R.',
    'a loader of NumPy': name('numpy', 'load') + text('/etc/passwd') + b'\x85R.',
    'another file': name('numpy', 'fromfile') + text('/etc/passwd') + b'\x85R.',
    'a pickle in the pickle': name('_pickle', 'loads') + b'C\1.' + b'\x85R.',
    'another codec': ENCODE + text('x') + text('unicode_escape') + b'\x86R.',
    'a name with a line break': b'\x80\x04' + text('os\nError: all is well') + text('system') + b'\x93.',
    'a long name': b'\x80\x04' + text('os.' * 100000) + text('system') + b'\x93.',
    'an empty name': b'\x80\x04' + text('') + text('') + b'\x93.',
    'names that are no text': b'\x80\x04K\1K\2\x93.',
    'extension 1': b'\x80\x02\x82\xf0)R.',
    'extension 2': b'\x80\x02\x83\xf0\xf1)R.',
    'extension 4': b'\x80\x02\x84\xf0\xf1\xf2\0)R.',
    'persistent id': b'Pfire\n.',
    'binary persistent id': b'\x80\x02' + text('fire') + b'Q.',
    'out-of-band buffer': b'\x80\x05\x97.',
    'submitted function': name('dnnlib.submission.submit', 'run_wrapper') + b')R.',
}

DEEP_TUPLE = b'N' + b'\x85' * 200_000
LEVELS = 50_000
DEEP = {
    'lists': b']' * LEVELS + b'a' * (LEVELS - 1) + b'.',
    'tuples': DEEP_TUPLE + b'.',
    'tuples between marks': b'(' * LEVELS + b't' * LEVELS + b'.',
    'dictionaries': (b'}' + text('a')) * LEVELS + b'N' + b's' * LEVELS + b'.',
    'shared tuples': b'N' + b'q\0h\0\x86' * (LEVELS // 2) + b'.',
    'a state': NETWORK + b')\x81' + b']' * LEVELS + b'a' * (LEVELS - 1) + b'b.',
}

MISUSE = {
    'state of a class': EASY_DICT + b'}b.',
    'attributes of a class': NETWORK + b'N}' + text('set_state') + ENCODE + b's\x86b.',
    'attributes of a function': ENCODE + b'N}' + text('__code__') + b'K\1s\x86b.',
    'attributes of a list': b']N}' + text('append') + ENCODE + b's\x86b.',
    'attributes of a dictionary': EASY_DICT + b')\x81N}' + text('__class__') + NETWORK + b's\x86b.',
    'items that look like methods': (
        EASY_DICT + b')\x81' + text('__setstate__') + ENCODE + b's' + text('x') + b'b.'),
    'appending to what has such an item': EASY_DICT + b')\x81' + text('extend') + ENCODE + b's(K\1K\2e.',
    'the class of an option': OPTIONS + b')\x81}' + text('__class__') + NETWORK + b'sb.',
    'an option that there is not': OPTIONS + b')\x81}' + text('more') + b'K\1sb.',
    'options of another kind': OPTIONS + b')\x81](K\1eb.',
    'a class as data': b'](' + NETWORK + EASY_DICT + b'e.',
    'a function as data': b'](' + ENCODE + b'e.',
    'an item of a class': NETWORK + text('a') + b'K\1s.',
    'an instance of an instance': b'\x80\x02' + EASY_DICT + b')\x81)\x81.',
    'a set': b'\x80\x04\x8f(K\1\x90.',
    'a frozen set': b'\x80\x04(K\1\x91.',
    'a target that there is not': name('dnnlib.submission.submit', 'SubmitTarget') + b'K\x07\x85R.',
    'a key that is a list': b'}]K\1s.',
    'a key that is a tuple': b'}(K\1tK\1s.',
    'a network with arguments': NETWORK + b'K\1\x85\x81.',
    'a network without state': NETWORK + b')\x81.',
    'a state that is a list': NETWORK + b')\x81]b.',
    'a state that is empty': NETWORK + b')\x81}b.',
    'objects': typed(text('O8')) + b'.',
    'a structure': typed(text('i4,O')) + b'.',
    'a structure as a list': typed(b'](' + text('a') + text('O') + b'\x86e') + b'.',
    'a sub-array': typed(text('(1000000,1000000)f4')) + b'.',
    'untyped bytes': typed(text('V8')) + b'.',
    'untyped bytes, many': typed(text('V2147483647')) + b'.',
    'text': typed(text('U2')) + b'.',
    'dates': typed(text('M8')) + b'.',
    'numbers of no size': typed(text('f99')) + b'.',
    'a type that is no type': array(b'K\1\x85', b'C\4abcd', text('f4')) + b'.',
    'a type that is an array': array(b'K\1\x85', b'C\4abcd', EMPTY_ARRAY) + b'.',
    'a type with the state of an array': F4 + b'(K\1K\1N\x89C\0tb.',
    'a byte order that there is not': F4 + b'(K\3' + text('x') + b'tb.',
}

BOMBS = {
    'bytes': b'\x80\x04\x8e' + struct.pack('<Q', 1 << 40) + b'.',
    'bytes, 4 GB': b'B' + struct.pack('<I', 0xffffffff) + b'.',
    'bytes, beyond all memory': b'\x80\x04\x8e' + b'\xff' * 8 + b'.',
    'text': b'\x80\x04\x8d' + struct.pack('<Q', 1 << 40) + b'.',
    'byte string': b'T' + struct.pack('<i', 0x7fffffff) + b'.',
    'byte string of negative length': b'T' + struct.pack('<i', -1) + b'.',
    'byte array': b'\x80\x05\x96' + struct.pack('<Q', 1 << 36) + b'.',
    'number': b'\x80\x02\x8b' + struct.pack('<i', 0x7fffffff) + b'.',
    'number of negative length': b'\x80\x02\x8b' + struct.pack('<i', -1) + b'.',
    'number of many digits': b'L' + b'9' * 100000 + b'L\n.',
    'number of many bits': b'\x80\x02\x8b' + struct.pack('<i', 100000) + b'\x7f' * 100000 + b'.',
    'frame': b'\x80\x04\x95' + struct.pack('<Q', 1 << 40) + b'N.',
    'frame, beyond all memory': b'\x80\x04\x95' + b'\xff' * 8 + b'N.',
    'frame in a frame': b'\x80\x04\x95\x09' + bytes(7) + b'\x95' + struct.pack('<Q', 1 << 40) + b'N.',
    'index of the memo': b'Nr\xff\xff\xff\x7fr\xff\xff\xff\xff.',
    'index of the memo as text': b'Np99999999999999999999\n.',
    'negative index of the memo': b'Np-1\n.',
    'index that is not in the memo': b'j\xff\xff\xff\xff.',
    'shape': array(b'M\xff\xffM\xff\xff\x86', b'C\4abcd') + b'.',
    'shape, beyond all memory': array(number(1 << 40) * 3 + b'\x87', b'C\4abcd') + b'.',
    'shape, negative': array(number(-1) + b'\x85', b'C\4abcd') + b'.',
    'shape, of many axes': array(b'(' + b'K\1' * 1000 + b't', b'C\4abcd') + b'.',
    'shape that is no shape': array(text('abc'), b'C\4abcd') + b'.',
    'the same data in many arrays': (
        b'](B' + struct.pack('<I', 1 << 20) + bytes(1 << 20) + b'q\1'
        + array(number(1 << 18) + b'\x85', b'h\1') * 1000 + b'e.'),
    'the same text in many byte strings': (
        b'](' + text('a' * (1 << 20)) + b'q\1' + (ENCODE + b'h\1' + text('latin1') + b'\x86R') * 1000
        + b'e.'),
    'the same text through instances': (
        b'](' + text('a' * (1 << 20)) + b'q\1' + (b'(h\1' + text('latin1') + b'i_codecs\nencode\n') * 1000
        + b'e.'),
    'many lists': b']' * 2_000_000 + b'.',
    'many dictionaries': b'}0' * 2_000_000 + b'N.',
    'many marks': b'(' * 2_000_000 + b'.',
    'a range': name('builtins', 'range') + number(1 << 60) + b'\x85R.',
    'a range of Python 2': name('__builtin__', 'xrange') + number(1 << 30) + b'\x85R.',
    'lists in lists': b']' * 100_000 + b'a' * 99_999 + b'.',
    'tuples in tuples': b'N' + b'\x85' * 100_000 + b'.',
    'dictionaries in dictionaries': (b'}' + text('a')) * 50_000 + b'N' + b's' * 50_000 + b'.',
    'a list in itself': b']q\0h\0a.',
    'a tuple in itself': b'(]q\0tq\1' + b'h\0h\1a0h\1.',
    'a dictionary in itself': b'}q\0' + text('a') + b'h\0s.',
    'a network in its state': (
        NETWORK + b')\x81q\0}' + text('components') + b'}' + text('mapping') + b'h\0ssb.'),
    'a network as its state': NETWORK + b')\x81q\0h\0b.',
    'a billion laughs': laughs() + b'.',
    'a deep tuple as a key': b'}' + DEEP_TUPLE + b'Ns.',
    'a deep tuple among keys': b'}(' + DEEP_TUPLE + b'Nu.',
    'a deep tuple as the key of a new dictionary': b'(' + DEEP_TUPLE + b'Nd.',
    'a deep tuple as the key of a class': (
        name('collections', 'OrderedDict') + b'](]' + DEEP_TUPLE + b'aNae\x85R.'),
    'a deep tuple in a set': b'\x80\x04\x8f(' + DEEP_TUPLE + b'\x90.',
    'a deep tuple in a frozen set': b'\x80\x04(' + DEEP_TUPLE + b'\x91.',
    'a deep tuple as a target': (
        name('dnnlib.submission.submit', 'SubmitTarget') + DEEP_TUPLE + b'\x85R.'),
    'a deep tuple as a type': name('numpy', 'dtype') + DEEP_TUPLE + b'\x85R.',
    'keys of one hash': (
        b'}(' + b''.join(number(i * ((1 << 61) - 1)) + b'N' for i in range(1, 30_000)) + b'u.'),
    'nothing': b'',
    'no end': b'\x80\x04N',
    'no value': b'.',
    'no such protocol': b'\x80\xff.',
    'no such opcode': b'\xff\xff.',
    'two values': b'NN.',
}
STREAMS = {**CALLS, **{f'misuse: {key}': data for key, data in MISUSE.items()},
           **{f'bomb: {key}': data for key, data in BOMBS.items()}}


@pytest.fixture
def extensions(monkeypatch):
    """Register pickle extensions, as another library in the process could have done."""
    for code in (0xf0, 0xf1f0, 0xf2f1f0):
        monkeypatch.setitem(copyreg._extension_cache, code, fire)
        monkeypatch.setitem(copyreg._inverted_registry, code, (fire.__module__, 'fire'))


@pytest.mark.parametrize('data', STREAMS.values(), ids=STREAMS)
def test_hostile_streams_end_in_one_clear_error(data, tmp_path, extensions):
    path = tmp_path / 'hostile.pkl'
    path.write_bytes(data)
    message = assert_refused(path)
    assert message.startswith(('refused: ', 'not a readable network pickle (', 'expected three networks',
                               'a network without state', 'network of version', 'network None'))


@pytest.mark.parametrize('data', CALLS.values(), ids=CALLS)
def test_files_of_arrays_are_read_as_carefully(data, tmp_path, extensions):
    path = tmp_path / 'batch'
    path.write_bytes(data)
    with watched(), pytest.raises(UserError, match=f'^{path}: (refused|not a readable pickle)'):
        arrays.load(path)
    assert not fired


@contextlib.contextmanager
def counted_calls():
    """Return a list that grows with each call of a function and each return."""
    calls = []
    sys.setprofile(lambda _frame, event, _arg: calls.append(event))
    try:
        yield calls
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize('data', DEEP.values(), ids=DEEP)
def test_what_is_nested_deep_is_refused_after_a_few_steps_per_byte(data, tmp_path):
    path = tmp_path / 'deep.pkl'
    path.write_bytes(data)
    with counted_calls() as calls, pytest.raises(UserError, match=f'^{path}: refused: '):
        misc.load_pkl(str(path))
    assert len(calls) < 20 * len(data)


def test_there_are_enough_of_them():
    assert len(STREAMS) > 100
    assert len({*STREAMS.values()}) == len(STREAMS)


def test_the_canary_sings():
    """Without protection, these streams do execute code."""
    with watched():
        pickle.loads(CALLS['memoised'])
        os.system('true')
    assert len(fired) == 2
