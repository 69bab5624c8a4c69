"""Finds where the entries of a zip file are, so that they can be read without the zipfile module."""

import os
import struct
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np

from dnnlib.util import UserError

GZIP_HEADER = b'\x1f\x8b\x08\0\0\0\0\0\0\xff'  # before a deflated entry and `trailers`, it makes a gzip file
_LOCAL_HEADER = struct.Struct('<4s22xHH')      # signature, lengths of the name and of the extra field
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1


@dataclass(frozen=True)
class ZipEntries:
    """Entries of a zip file, which are stored or deflated."""
    file: object             # The open zip file, binary.
    offsets: np.ndarray      # int64 [N]
    num_bytes: np.ndarray    # int64 [N], as they are in the zip file.
    is_deflated: np.ndarray  # bool [N]
    trailers: list           # N times CRC-32 and size of the content, as at the end of a gzip file.

    @classmethod
    def locate(cls, opened, names):
        """Return the ZipEntries of some names in a zipfile.ZipFile. Raises UserError if one is encrypted,
        compressed otherwise or not where the directory of the zip file says."""
        infos = [opened.getinfo(name) for name in names]
        return cls(
            file=opened.fp,
            offsets=np.array([_data_offset(opened, info) for info in infos], np.int64),
            num_bytes=np.array([info.compress_size for info in infos], np.int64),
            is_deflated=np.array([info.compress_type == zipfile.ZIP_DEFLATED for info in infos]),
            trailers=[struct.pack('<II', info.CRC, info.file_size & 0xffffffff) for info in infos])

    def head(self, index, num_bytes):
        """Return the first bytes of the content of an entry; None if it is damaged."""
        content = os.pread(self.file.fileno(), min(int(self.num_bytes[index]), 4 * num_bytes),
                           self.offsets[index])
        try:
            content = zlib.decompressobj(-15).decompress(content) if self.is_deflated[index] else content
        except zlib.error:
            return None
        return content[:num_bytes]


def _data_offset(opened, info):
    where = f'{opened.filename}: {info.filename}'
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        raise UserError(f'{where} is encrypted or compressed in a way that cannot be read in training; '
                        'expected entries that are stored or deflated')
    header = os.pread(opened.fp.fileno(), _LOCAL_HEADER.size, info.header_offset)
    signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header.ljust(_LOCAL_HEADER.size))
    if signature != b'PK\3\4':
        raise UserError(f'{where} is damaged in the zip file; copy the file again')
    return info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
