"""CRC-32C, the checksum of TFRecord files, in NumPy: it is not in Python's library."""

import functools

import numpy as np

_POLYNOMIAL = 0x82F63B78  # of Castagnoli, reflected
_BLOCK = 1024             # bytes
_ALL = 0xFFFFFFFF


def checksum(data):
    """Return the CRC-32C of at least 4 bytes.

    The checksum is linear over XOR: that of a block is the XOR of one table entry for each position and byte,
    and the checksum so far is added to the first four bytes of the next block.
    """
    width = min(len(data), _BLOCK)
    table = _table()[-width:]
    blocks = np.zeros([-(-len(data) // width), width], np.uint8)
    flat = blocks.reshape(-1)  # [blocks,bytes] -> [blocks*bytes]
    first = flat.size - len(data)  # zeros in front have no effect
    flat[first:] = np.frombuffer(data, np.uint8)
    flat[first:first + 4] ^= 0xFF
    parts = np.bitwise_xor.reduce(table[np.arange(width), blocks], axis=1)
    carry = table[:4].tolist()
    state = 0
    for part in parts.tolist():
        state = (part ^ carry[0][state & 255] ^ carry[1][state >> 8 & 255] ^ carry[2][state >> 16 & 255]
                 ^ carry[3][state >> 24])
    return state ^ _ALL


def masked(data):
    """Return the checksum in the form in which TFRecord files store it."""
    crc = checksum(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & _ALL


@functools.cache
def _table():
    """Return the checksum of each byte at each position of a block of zeros, uint32 [1024,256]."""
    table = np.zeros([_BLOCK, 256], np.uint32)
    row = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        row = row >> 1 ^ np.where(row & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    table[-1] = row
    for position in range(_BLOCK - 2, -1, -1):
        table[position] = table[position + 1] >> 8 ^ row[table[position + 1] & 255]
    return table
