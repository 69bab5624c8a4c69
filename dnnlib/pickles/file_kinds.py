"""Kinds of files without networks, recognized by their first bytes or by what they ask for."""

import re

from dnnlib.pickles import tensor_files
from dnnlib.pickles.pytorch.files import EXPECTED

FIRST_BYTES = 4096

_ZIP = br'PK\x03\x04'
_PICKLES = (b'\x80', b'PK\x03\x04')  # Beginnings of files with networks.

_BY_BEGINNING = [  # (pattern, what the file is)
    (br'\s*<(!doctype html|html|head)', 'an HTML page that a web site sent instead of the file; delete it '
                                        'and download the file again'),
    (br'version https://git-lfs', 'a Git LFS pointer, not a network file; `git lfs pull` fetches the file'),
    (_ZIP + br'.{26}[^\n]{0,200}?(data\.pkl|/version|/byteorder)', None),  # PyTorch's.
    (_ZIP + br'.{26}[^\n]{0,200}?\.npy', 'an archive of NumPy arrays (.npz), not a network file'),
    (_ZIP, 'a zip archive, not a network file; unpack it first'),
    (br'\x93NUMPY', 'a NumPy array (.npy), not a network file'),
    (br'\x89HDF', 'an HDF5 file (of Keras or a data set, for example), not a network file'),
    (br'\x89PNG|\xff\xd8\xff', 'a picture, not a network file'),
    (br'\x1f\x8b|BZh|\xfd7zXZ', 'a compressed file or archive, not a network file; unpack it first'),
]


def by_beginning(beginning: bytes) -> str | None:
    """Return what a file that begins with these bytes is; None if it may be a pickle of networks."""
    if not beginning:
        return 'an empty file, not a network file'
    return next((text for pattern, text in _BY_BEGINNING
                 if re.match(pattern, beginning, re.DOTALL | re.IGNORECASE)), None)


def by_error(text: str, beginning: bytes) -> str | None:
    """Return what a file is that was refused with this text and begins with these bytes; None if they do not
    show it."""
    if tensor_files.is_beginning(beginning):
        return None
    if not beginning.startswith(_PICKLES):
        return 'not a pickle, so not a network file'
    asked = re.search(r'the file asks for ((torch|__torch__)[._]\S+?);', text)
    return f'a file of PyTorch that asks for {asked[1]}; {EXPECTED}' if asked else None
