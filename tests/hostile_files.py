"""Share tools between tests of hostile files: a canary, a check for refusal, and hand-written streams."""

import contextlib
import pickle
import re
import struct
import sys
import tracemalloc

import pytest

import dnnlib.tflib as tflib
from dnnlib import util
from dnnlib.pickles import arrays, contents
from dnnlib.submission import submit
from dnnlib.util import UserError
from training import misc

MAX_MEGABYTES = 100
DANGEROUS = re.compile(
    'os[.](system|exec|fork|posix_spawn|remove|rename|mkdir)|subprocess|socket|shutil|ctypes')

fired = []     # calls that were executed
watching = []  # not empty while a file is loaded


def fire(*args, **kwargs):
    """Record a call. No file may cause one."""
    fired.append(args)


def _watch(event, args):
    if watching and DANGEROUS.match(event):
        fired.append((event, args))


sys.addaudithook(_watch)


@contextlib.contextmanager
def watched():
    """Record dangerous calls in `fired` in this context."""
    fired.clear()
    watching.append(True)
    try:
        yield
    finally:
        watching.clear()


def assert_refused(path):
    """Check that loading the file fails with one clear error and executes nothing. -> text of the error."""
    classes = (util.EasyDict, submit.SubmitConfig, tflib.Network, contents.StoredNetwork,
               arrays.StoredArray, arrays.StoredDict)
    before = [dict(vars(cls)) for cls in classes]
    tracemalloc.start()
    try:
        with watched(), pytest.raises(UserError) as caught:
            misc.as_triple(misc.load_pkl(str(path)), path)
        megabytes = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert not fired
    assert megabytes < MAX_MEGABYTES
    assert message.startswith(f'{path}: ')
    assert message.isprintable(), 'one line'
    assert len(message) < 1000
    assert [dict(vars(cls)) for cls in classes] == before
    return message.removeprefix(f'{path}: ')


# Hand-written streams

def text(value):
    """Return the opcode BINUNICODE for a text."""
    data = value.encode()
    return b'X' + struct.pack('<I', len(data)) + data


def name(module, attribute):
    """Return the opcode GLOBAL for a name."""
    return f'c{module}\n{attribute}\n'.encode()


def number(value):
    """Return the opcode LONG1 for a number."""
    data = pickle.encode_long(value)
    return b'\x8a' + bytes([len(data)]) + data


FIRE = name('tests.hostile_files', 'fire')
SYSTEM = name('os', 'system')
NETWORK = name('dnnlib.tflib.network', 'Network')
ENCODE = name('_codecs', 'encode')
EASY_DICT = name('dnnlib.util', 'EasyDict')
RECONSTRUCT = name('numpy.core.multiarray', '_reconstruct')
OPTIONS = name('dnnlib.submission.internal.local', 'TargetOptions')
F4 = name('numpy', 'dtype') + text('f4') + b'\x85R(K\3' + text('<') + b'tb'
EMPTY_ARRAY = RECONSTRUCT + name('numpy', 'ndarray') + b'K\0\x85C\1b\x87R'


def array(shape, data, dtype=F4):
    """Return the stream of an array. `shape` and `data` are opcodes."""
    return EMPTY_ARRAY + b'(K\1' + shape + dtype + b'\x89' + data + b'tb'


def typed(dtype):
    """Return the stream of an array of this type, given as opcodes."""
    return array(b'K\1\x85', b'C\x08' + bytes(8), name('numpy', 'dtype') + dtype + b'\x85R')


def laughs(depth=30):
    """Return nested lists with 10^depth leaves that share their contents."""
    levels = [b'](' + b'K\1' * 10 + b'eq\0']
    for i in range(depth - 1):
        levels.append(b'0](' + (b'h' + bytes([i])) * 10 + b'eq' + bytes([i + 1]))
    return b''.join(levels)
