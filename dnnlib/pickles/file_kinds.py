"""Kinds of files without networks, recognized by their first bytes or by what they ask for."""

import re

from dnnlib.pickles import tensor_files

FIRST_BYTES = 4096

_TORCH_MAGIC = b'\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'  # Older torch.save: LONG1 0x1950a86a20f9469cfc6c.
_PYTORCH = ('a file of PyTorch; expected a network pickle of this project or of the TensorFlow versions of '
            'StyleGAN2 and StyleGAN2-ADA')

_BY_BEGINNING = [  # (pattern, what the file is)
    (br'\s*<(!doctype html|html|head)', 'an HTML page that a web site sent instead of the file; delete it '
                                        'and download the file again'),
    (br'version https://git-lfs', 'a Git LFS pointer, not a network file; `git lfs pull` fetches the file'),
    (br'PK\x03\x04.{26}[^\n]{0,200}?(data\.pkl|/version|/byteorder)', _PYTORCH),
    (br'PK\x03\x04.{26}[^\n]{0,200}?\.npy', 'an archive of NumPy arrays (.npz), not a network file'),
    (br'PK\x03\x04', 'a zip archive, not a network file; unpack it first'),
    (br'\x80.' + re.escape(_TORCH_MAGIC), _PYTORCH),
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
    """Return what a file that begins with these bytes is, by the text of its refusal; None if neither shows
    it."""
    if tensor_files.is_beginning(beginning):
        return None
    if beginning[:1] != b'\x80':
        return 'not a pickle, so not a network file'
    asked = re.search(r'the file asks for (\S+?);', text)
    if asked is None:
        return None
    if asked[1].startswith('torch_utils.'):
        return ('a network pickle of stylegan2-ada-pytorch or stylegan3, for PyTorch; expected one of the '
                'TensorFlow versions')
    if asked[1].startswith(('torch.', 'torch_')):
        return _PYTORCH
    return None
