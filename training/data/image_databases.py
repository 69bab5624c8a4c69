"""Reads images from databases that need extra packages: LSUN's LMDB, and HDF5."""

import contextlib
import importlib
import io
import os

import numpy as np
import PIL.Image
import PIL.ImageOps

from dnnlib.files import BAD_ARRAY
from dnnlib.util import UserError


@contextlib.contextmanager
def open_lsun(lmdb_dir):
    """Open an LMDB of image files -> (number of entries, iterator of their pixels, uint8 [H,W,3] RGB).

    The iterator prints why it skips an entry. Raises UserError without a usable database.
    """
    lmdb = require_package('lmdb', extra='lsun')
    path = os.path.join(lmdb_dir, 'data.mdb')
    if not os.path.isfile(path):
        raise UserError(f'{lmdb_dir}: there is no LMDB here; expected a folder that holds data.mdb')
    try:
        with lmdb.open(lmdb_dir, readonly=True, lock=False, create=False) as env, env.begin() as txn:
            # LMDB maps the file into memory: reading what is missing would kill the process.
            expected_bytes = env.stat()['psize'] * (env.info()['last_pgno'] + 1)
            if os.path.getsize(path) < expected_bytes:
                raise UserError(f'{path}: is truncated to {os.path.getsize(path)} of {expected_bytes} bytes; '
                                'copy or download it again')
            yield env.stat()['entries'], _decoded(txn.cursor())
    except lmdb.Error as error:
        raise UserError(f'{path}: cannot be read as an LMDB ({error}); copy or download it again') from error


def require_package(package, extra):
    """Import a package. Raises UserError, which names the extra to install, without it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(f"this needs the Python package {package} ({error}); install it with: pip install "
                        f"-e '.[{extra}]'") from error


def _decoded(entries):
    """Yield the pixels of the entries (key, image file) that can be decoded."""
    cv2 = import_opencv()
    for key, data in entries:
        try:
            yield decode_image(data, cv2)
        except Exception as error:  # damaged data must not end hours of work
            reason = 'not an image file' if isinstance(error, PIL.UnidentifiedImageError) else error
            print(f'Skipped {key.decode("ascii", "backslashreplace")}: {reason}')


def import_opencv():
    """Return OpenCV, or None if it is not installed."""
    try:
        import cv2
    except ImportError:
        return None
    return cv2


def decode_image(data, cv2=None):
    """Decode an image file with OpenCV or, if that is missing or fails, with Pillow -> uint8 [H,W,3] RGB."""
    with contextlib.suppress(*([cv2.error] if cv2 else [])):  # no data, or too many pixels
        bgr = cv2 and cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if bgr is not None:
            return bgr[:, :, ::-1]
    with PIL.Image.open(io.BytesIO(data)) as image:
        return np.asarray(PIL.ImageOps.exif_transpose(image).convert('RGB'))  # upright, as OpenCV does


def square(image, resolution):
    """Crop an image [H,W,3] to its centre and resize it -> uint8 [3,resolution,resolution]."""
    height, width = image.shape[:2]
    crop = min(height, width)
    centre = image[(height - crop) // 2:(height + crop) // 2, (width - crop) // 2:(width + crop) // 2]
    return _resized(centre, resolution, resolution).transpose(2, 0, 1)  # -> [C,H,W]


def wide(image, width, height):
    """Resize an image [H,W,3] to `width` x `height` between black bars -> uint8 [3,width,width].

    As published, `width` * H / W rows are kept, so that larger images change their proportions. None if the
    image is too small.
    """
    image_height, image_width = image.shape[:2]
    crop = round(width * image_height / image_width)
    if image_width < width or crop < height:
        return None
    centre = image[(image_height - crop) // 2:(image_height + crop) // 2]
    canvas = np.zeros([width, width, 3], np.uint8)
    canvas[(width - height) // 2:(width + height) // 2] = _resized(centre, width, height)
    return canvas.transpose(2, 0, 1)  # -> [C,H,W]


def _resized(pixels, width, height):
    image = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((width, height), PIL.Image.Resampling.LANCZOS))


@contextlib.contextmanager
def open_hdf5(path):
    """Open the widest data set `data*` of an HDF5 file -> h5py.Dataset, uint8 [N,C,H,W].

    Raises UserError if there is none.
    """
    h5py = require_package('h5py', extra='hdf5')
    if not os.path.isfile(path):
        raise UserError(f'{path}: no such HDF5 file')
    with _hdf5_errors_named(path):
        file = h5py.File(path, 'r')
    with file:
        with _hdf5_errors_named(path):
            candidates = [item for key, item in file.items()
                          if key.startswith('data') and isinstance(item, h5py.Dataset) and item.ndim == 4]
        images = max(candidates, key=lambda item: item.shape[3], default=None)
        if images is None or images.dtype != np.uint8:
            raise UserError(f"{path}: contains no images; expected a data set 'data...', uint8 [N,C,H,W]")
        yield images


@contextlib.contextmanager
def _hdf5_errors_named(path):
    try:
        yield
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(f'{path}: cannot be read as HDF5 ({error}); copy or download it again') from error


def read_hdf5_image(images, idx):
    """Return image `idx` of an h5py.Dataset, uint8 [C,H,W]."""
    with _hdf5_errors_named(images.file.filename):
        return images[idx]


def hdf5_labels_path(path):
    """Return the path of the labels of an HDF5 file."""
    return os.path.splitext(path)[0] + '-labels.npy'


def read_hdf5_labels(path, num_images):
    """Return labels [num_images, components] from `<stem>-labels.npy` beside an HDF5 file, if it exists."""
    path = hdf5_labels_path(path)
    if not os.path.exists(path):
        return None
    try:
        with open(path, 'rb') as file:
            labels = np.lib.format.read_array(file, allow_pickle=False)
    except BAD_ARRAY as error:
        raise UserError(f'{path}: cannot be read as an array ({error}); write it with numpy.save') from error
    if labels.ndim != 2 or len(labels) != num_images or labels.dtype.kind not in 'fiu':
        raise UserError(f'{path}: labels are {labels.dtype} of shape {list(labels.shape)}; expected one row '
                        f'of numbers for each of the {num_images} images')
    return labels
