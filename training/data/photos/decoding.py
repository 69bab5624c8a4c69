"""Opens and decodes image files of any kind. What cannot be decoded is Unusable."""

import contextlib
import functools
import io
import os
import stat
import warnings

import PIL.Image

from training.data.image_source import IMAGE_EXTENSIONS
from training.data.photos.reasons import (
    DAMAGED,
    NOT_AN_IMAGE,
    OTHER_FORMAT,
    TOO_LARGE,
    UNREADABLE,
    Unusable,
)

MAX_PIXELS = 178_956_970  # Pillow calls images of more pixels decompression bombs.
MAX_FILE_BYTES = 1 << 30
ORIENTATION = 0x0112      # EXIF tag
_FORMATS = ('JPEG', 'MPO', 'PNG', 'WEBP', 'BMP', 'DIB', 'TIFF', 'GIF', 'AVIF', 'JPEG2000', 'PPM', 'TGA')
_UPRIGHT_FORMATS = ('TIFF', 'AVIF')  # Pillow turns these itself.
_HEIC_BRANDS = (b'ftypheic', b'ftypheix', b'ftyphevc', b'ftypmif1', b'ftypmsf1')


@contextlib.contextmanager
def decoded(source, name):
    """Open a file of an ImageSource as a Pillow image with its pixels. Raises Unusable."""
    with _errors_named(), _content(source, name) as file, _opened(file, name) as image:
        image.load()
        yield image


@contextlib.contextmanager
def header(source, name):
    """Open a file of an ImageSource as a Pillow image that is not decoded yet. Raises Unusable."""
    with _errors_named(), _content(source, name, whole=False) as file, _opened(file, name) as image:
        yield image


def orientation(image):
    """Return the EXIF orientation that a decoded image still has, 1 to 8; 1 = upright."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged metadata is no reason to do without the image
        return 1
    return value if value in range(1, 9) else 1


def upright_size(image):
    """Return (width, height) of an image that is not decoded yet, as it will be upright."""
    turned = image.format not in _UPRIGHT_FORMATS and orientation(image) >= 5
    return image.size[::-1] if turned else image.size


@contextlib.contextmanager
def _errors_named():
    """Turn every error into Unusable: damaged data lets Pillow's decoders raise whatever it may be."""
    try:
        with _quiet_pillow():
            yield
    except Unusable:
        raise
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise Unusable(TOO_LARGE, f'more than {MAX_PIXELS} pixels') from error
    except Exception as error:
        reason = 'not enough memory' if isinstance(error, MemoryError) else str(error) or type(error).__name__
        raise Unusable(DAMAGED, reason) from error


@contextlib.contextmanager
def _quiet_pillow():
    """Let Pillow refuse images of too many pixels, and print nothing about the others."""
    before = PIL.Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        warnings.simplefilter('error', PIL.Image.DecompressionBombWarning)
        PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS
        try:
            yield
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = before


def _content(source, name, whole=True):
    """Open a file, in a zip file with its content in memory if `whole`."""
    try:
        if num_bytes(source, name) > MAX_FILE_BYTES:
            raise Unusable(TOO_LARGE, f'a file of more than {MAX_FILE_BYTES >> 30} GiB')
        if source.zip is None:
            return open(source.file_path(name), 'rb')
        return io.BytesIO(source.read(name)) if whole else source.open(name)
    except OSError as error:
        raise Unusable(UNREADABLE, error.strerror or error) from error


def num_bytes(source, name):
    """Return the size of a file. Raises OSError, and Unusable for what only looks like a file."""
    if source.zip is not None:
        return source.zip.getinfo(name).file_size
    status = os.stat(source.file_path(name))
    if not stat.S_ISREG(status.st_mode):
        raise Unusable(UNREADABLE, 'not a regular file')
    return status.st_size


def _opened(file, name):
    try:
        return PIL.Image.open(file, formats=_formats())
    except PIL.UnidentifiedImageError as error:
        raise Unusable(*_unidentified(file, name)) from error


@functools.cache
def _formats():
    PIL.Image.init()
    return [name for name in _FORMATS if name in PIL.Image.OPEN]


def _unidentified(file, name):
    file.seek(0)
    start = file.read(16)
    if not start:
        return NOT_AN_IMAGE, 'empty file'
    other = 'HEIC' if start[4:12] in _HEIC_BRANDS else _format_of(file)
    if other is not None:
        return OTHER_FORMAT, f'{other}; save it as JPEG or PNG'
    if name.lower().endswith(IMAGE_EXTENSIONS):
        return DAMAGED, 'not readable as an image'
    return NOT_AN_IMAGE, ''


def _format_of(file):
    """Return Pillow's name of the format of a file, which may be any that it knows; None for other files."""
    try:
        with PIL.Image.open(file) as image:
            return image.format
    except Exception:  # as damaged data makes plugins raise anything
        return None
