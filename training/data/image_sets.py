"""Folders and zip files of images that can be trained on as they are. No TensorFlow.

They hold PNG or JPEG files of one size, RGB or grey. stylegan2-ada-pytorch and stylegan3 write such ones.
"""

import functools
import hashlib
import os
import shlex
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np
import PIL.Image

from dnnlib.progress import shown
from dnnlib.util import UserError
from training.data import dataset_json, sizes
from training.data.image_source import IMAGE_EXTENSIONS, LABELS, ImageSource
from training.data.zip_entries import ZipEntries

EXTENSIONS = ('.png', '.jpg', '.jpeg')
_HEAD_BYTES = 32
_PNG_START = b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR'
_PNG_MODES = {0: 'L', 2: 'RGB', 3: 'P', 4: 'LA', 6: 'RGBA'}  # by colour type
_CHANNELS = {'L': 1, 'RGB': 3}
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, PIL.Image.DecompressionBombError,
               zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class ImageSet:
    """The images of a folder or zip file: all are alike, as their headers say."""
    source: ImageSource
    names: list                 # Sorted names of the images.
    shape: tuple                # [C,H,W]
    entries: ZipEntries | None  # Where they are in the zip file.

    @property
    def path(self):
        """Return the path of the folder or zip file."""
        return self.source.path

    def at(self, resolution):
        """Return how often the images are halved for a nominal resolution (None = theirs), and the shape
        [C,H,W] that they have then. Raises UserError if it is not one of theirs."""
        channels, *size = self.shape
        base, largest = sizes.require(*size, self.path)
        resolution = largest if resolution is None else int(resolution)
        available = [4 << doublings for doublings in range(largest.bit_length() - 2)]
        if resolution not in available:
            raise UserError(f'{self.path}: resolution {resolution} is not available, only '
                            f'{", ".join(map(str, available))}')
        return (largest.bit_length() - resolution.bit_length(),
                [channels, *sizes.level_shape(base, resolution.bit_length() - 1)])

    @functools.cached_property
    def _labels_and_classes(self):
        return dataset_json.read(self.source)

    @property
    def class_names(self):
        """Return the names of the classes; None without names."""
        return self._labels_and_classes[1]

    @property
    def label_file(self):
        """Return the path of the file with labels; None without labels."""
        return None if self._labels_and_classes[0] is None else self.source.file_path(LABELS)

    @functools.cached_property
    def labels(self):
        """Return the labels, float32 [images, components]; [0, 0] without labels. Raises UserError if an
        image has none."""
        labels, classes = self._labels_and_classes
        if labels is None:
            return np.zeros([0, 0], np.float32)
        rows = [labels.get(name) for name in self.names]
        if None in rows:
            raise UserError(f'{self.label_file}: has no label for {self.names[rows.index(None)]}; add it, or '
                            'move the image elsewhere')
        return dataset_json.as_rows(rows, self.label_file, None if classes is None else len(classes))


def has_images(path):
    """Return whether there may be images, in sub-folders as well, in a folder or zip file."""
    return any(_extension(name) in IMAGE_EXTENSIONS for name in ImageSource(path).names)


def require(path):
    """Return the ImageSet in a folder or zip file. Only headers of images are read, and once in a process.

    Raises UserError, which names a file and what to do, if it cannot be trained on.
    """
    return _checked(path, stamp(path))


def stamp(path):
    """Return a SHA-256 of the names, sizes and times of the files of an image set.

    Raises UserError for what only looks like a file: broken links, and pipes, which would be waited for.
    """
    source = ImageSource(path)
    paths = [path] if source.zip is not None else [
        source.file_path(name) for name in source.names if _extension(name) in EXTENSIONS or name == LABELS]
    digest = hashlib.sha256()
    for each in paths:
        status = _status(source, each)
        name = os.path.relpath(each, os.path.dirname(path))
        digest.update(repr((name, status.st_size, status.st_mtime_ns)).encode('utf-8', 'surrogateescape'))
    return digest.hexdigest()


def _status(source, path):
    try:
        status = os.stat(path)
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror}); {_command(source)}') from error
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f'{path}: is not a regular file; {_command(source)}')
    return status


@functools.lru_cache(maxsize=8)
def _checked(path, _stamp):
    source = ImageSource(path)
    names = [name for name in source.names if _extension(name) in EXTENSIONS]
    others = [name for name in source.names if _extension(name) in IMAGE_EXTENSIONS[len(EXTENSIONS):]]
    if others:
        raise _unsuitable(source, others[0], 'is neither a PNG nor a JPEG file')
    if not names:
        raise UserError(f'{path}: there are no images (*.png, *.jpg, *.jpeg) in it')
    entries = None if source.zip is None else ZipEntries.locate(source.zip, names)
    first = None
    for index in shown(range(len(names)), f'Looking through {os.path.basename(path)}', 'images'):
        mode_and_size = _mode_and_size(source, names[index], entries and entries.head(index, _HEAD_BYTES))
        first = first or mode_and_size
        if mode_and_size != first:
            raise _unsuitable(source, names[index], f'is {_described(*mode_and_size)}, but {names[0]} is '
                              f'{_described(*first)}')
        if index == 0:
            _require_suitable(source, names[0], *first)
    mode, width, height = first
    return ImageSet(source, names, (_CHANNELS[mode], height, width), entries)


def _require_suitable(source, name, mode, width, height):
    if mode not in _CHANNELS:
        raise _unsuitable(source, name, f'is {_described(mode, width, height)}; expected 8-bit RGB or grey')
    try:
        sizes.require(height, width, source.file_path(name))
    except UserError as error:
        raise UserError(f'{error}; {_command(source)}') from error


def _mode_and_size(source, name, head):
    """Return (mode of Pillow, width, height) of an image. head: its first bytes; None = read them."""
    try:
        head = _first_bytes(source.file_path(name)) if source.zip is None else head
        if head is not None and head.startswith(_PNG_START) and len(head) >= 26:
            width, height, depth, color = struct.unpack('>IIBB', head[16:26])
            mode = _PNG_MODES.get(color, 'unknown')
            return mode if depth == 8 or mode == 'P' else f'{depth}-bit {mode}', width, height
        with source.open(name) as file, PIL.Image.open(file, formats=['PNG', 'JPEG']) as image:
            return image.mode, *image.size
    except _UNREADABLE as error:
        raise _unsuitable(source, name, f'cannot be read as a PNG or JPEG file ({error})') from error


def _first_bytes(path):
    with open(path, 'rb', buffering=0) as file:
        return file.read(_HEAD_BYTES)


def _described(mode, width, height):
    return f'{width}x{height} {"grey" if mode == "L" else mode}'


def _unsuitable(source, name, what):
    return UserError(f'{source.file_path(name)}: {what}; {_command(source)}')


def _command(source):
    name = os.path.splitext(os.path.basename(os.path.abspath(source.path)))[0]
    return ('create a data set from these images with: python dataset_tool.py create_from_images '
            f'{shlex.quote(f"datasets/{name}")} {shlex.quote(source.path)}')


def _extension(name):
    return os.path.splitext(name)[1].lower()
