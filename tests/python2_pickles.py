"""Write pickles as Python 2 did. CIFAR has this form, which Python 3 can read but not write."""

import numpy as np


def _text(text):
    data = text.encode('latin1')
    return b'T' + len(data).to_bytes(4, 'little') + data


def _number(number):
    return b'J' + number.to_bytes(4, 'little', signed=True)


def _array(array):
    """Write an array, uint8 [N,M]."""
    rows, columns = array.shape
    shape = b'M' + rows.to_bytes(2, 'little') + b'M' + columns.to_bytes(2, 'little') + b'\x86'
    dtype = (b'cnumpy\ndtype\n' + _text('u1') + b'K\x00K\x01\x87R(K\x03' + _text('|') + b'NNN'
             + _number(-1) * 2 + b'K\x00tb')
    return (b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85' + _text('b') + b'\x87R(K\x01'
            + shape + dtype + b'\x89' + _text(array.tobytes().decode('latin1')) + b'tb')


def python2_batch(batch):
    """Write a dict with values uint8 [N,M], list of int or text as a pickle with protocol 2."""
    items = b''
    for key, item in batch.items():
        if isinstance(item, np.ndarray):
            value = _array(item)
        elif isinstance(item, list):
            value = b'](' + b''.join(map(_number, item)) + b'e'
        else:
            value = _text(item)
        items += _text(key) + value
    return b'\x80\x02}(' + items + b'u.'
