"""Finds the entries of a zip file once, and reads them from several threads at a time."""

import struct
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np

from dnnlib.files import read_at
from dnnlib.util import UserError

_LOCAL_HEADER = struct.Struct('<4s22xHH')      # signature, lengths of the name and of the extra field
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1
_DEFLATE = -15  # window of zlib for a stream without header and checksum


@dataclass(frozen=True)
class ZipEntries:
    """Entries of a zip file, which are stored or deflated."""
    file: object             # The open zip file, binary.
    offsets: np.ndarray      # int64 [N]
    num_bytes: np.ndarray    # int64 [N], as they are in the zip file.
    is_deflated: np.ndarray  # bool [N]
    checksums: np.ndarray    # uint32 [N], CRC-32 of the contents.

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
            checksums=np.array([info.CRC for info in infos], np.uint32))

    def read(self, index):
        """Return the content of an entry. Raises ValueError if it is damaged or cannot be read."""
        try:
            content = self._part(index, self.num_bytes[index])
            content = zlib.decompress(content, _DEFLATE) if self.is_deflated[index] else content
        except (OSError, zlib.error) as error:
            raise ValueError(f'entry {index} cannot be read: {error}') from error
        if zlib.crc32(content) != self.checksums[index]:
            raise ValueError(f'entry {index} is damaged: another checksum')
        return content

    def head(self, index, num_bytes):
        """Return the first bytes of the content of an entry; None if it is damaged."""
        content = self._part(index, min(self.num_bytes[index], 4 * num_bytes))
        try:
            if self.is_deflated[index]:
                content = zlib.decompressobj(_DEFLATE).decompress(content, num_bytes)
        except zlib.error:
            return None
        return content[:num_bytes]

    def _part(self, index, num_bytes):
        return read_at(self.file, int(num_bytes), int(self.offsets[index]))


def _data_offset(opened, info):
    where = f'{opened.filename}: {info.filename}'
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        raise UserError(f'{where} is encrypted or compressed in a way that cannot be read in training; '
                        'expected entries that are stored or deflated')
    header = read_at(opened.fp, _LOCAL_HEADER.size, info.header_offset)
    signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header.ljust(_LOCAL_HEADER.size))
    if signature != b'PK\3\4':
        raise UserError(f'{where} is damaged in the zip file; copy the file again')
    return info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
