"""Reads images and classes from the files of data sets: MNIST, CIFAR, SVHN, CelebA."""

import contextlib
import glob
import gzip
import math
import os
import zlib

import numpy as np
import PIL.Image

from dnnlib.pickles import arrays
from dnnlib.progress import shown
from dnnlib.util import UserError

MNIST_IMAGES, MNIST_LABELS = 'train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz'
IDX_UINT8 = 0x0800  # magic number of an IDX file, plus the number of dimensions
CELEBA_FOLDER = 'img_align_celeba_png'
CELEBA_IMAGES = 202599
CELEBA_WIDTH, CELEBA_HEIGHT = 178, 218
CELEBA_MARGIN = 64  # from the centre of the crop


def read_mnist_images(mnist_dir):
    """Read images of MNIST or Fashion-MNIST, padded from 28x28 -> uint8 [N,32,32]."""
    images = _read_idx(os.path.join(mnist_dir, MNIST_IMAGES), [28, 28])
    return np.pad(images, [(0, 0), (2, 2), (2, 2)])


def read_mnist(mnist_dir):
    """Read MNIST or Fashion-MNIST -> images uint8 [N,1,32,32], classes [N]."""
    labels_path = os.path.join(mnist_dir, MNIST_LABELS)
    images = read_mnist_images(mnist_dir)
    labels = _read_idx(labels_path, [])
    if len(images) != len(labels):
        raise UserError(f'{labels_path}: contains {len(labels)} labels, but {MNIST_IMAGES} beside it '
                        f'{len(images)} images; use two files from the same source')
    _check_classes(labels_path, labels, num_classes=10)
    return images[:, np.newaxis], labels


def _read_idx(path, item_shape):
    """Read an IDX file -> uint8 [N, *item_shape]. Raises UserError for other contents."""
    try:
        with gzip.open(path) as file:
            data = file.read()
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, 'strerror', None) or error
        raise UserError(f'{path}: cannot be read ({reason}); download or copy the file again') from error
    header_bytes = 4 * (2 + len(item_shape))
    magic, num_items, *shape = (int.from_bytes(data[i:i + 4], 'big') for i in range(0, header_bytes, 4))
    if magic != IDX_UINT8 + 1 + len(item_shape) or shape != item_shape:
        raise UserError(f'{path}: starts with magic number {magic} and size {shape}; expected '
                        f'{IDX_UINT8 + 1 + len(item_shape)} and {item_shape}, as in the files of MNIST')
    num_bytes = num_items * math.prod(item_shape)
    if num_items == 0 or len(data) - header_bytes != num_bytes:
        raise UserError(f'{path}: contains {len(data) - header_bytes} bytes; the {num_items} entries in '
                        f'its header need {num_bytes}; download or copy the file again')
    return np.frombuffer(data, np.uint8, offset=header_bytes).reshape(num_items, *item_shape)


def read_cifar10(cifar10_dir):
    """Read the Python version of CIFAR-10 -> images uint8 [N,3,32,32], classes [N]."""
    paths = [os.path.join(cifar10_dir, f'data_batch_{idx}') for idx in range(1, 6)]
    return _joined(_read_cifar(path, 'labels', num_classes=10) for path in paths)


def read_cifar100(cifar100_dir):
    """Read the Python version of CIFAR-100 -> images uint8 [N,3,32,32], fine classes [N]."""
    return _read_cifar(os.path.join(cifar100_dir, 'train'), 'fine_labels', num_classes=100)


def read_cifar_names(path, key, num_classes):
    """Return the names of the classes in a file of CIFAR, batches.meta or meta; None if it is not there."""
    if not os.path.exists(path):
        return None
    content = arrays.load(path)
    names = content.get(key) if isinstance(content, dict) else None
    if not isinstance(names, list) or len(names) != num_classes or not all(
            isinstance(name, str) for name in names):
        raise UserError(f"{path}: expected a dictionary with {num_classes} names as '{key}'; restore the "
                        'file or remove it')
    return names


def read_svhn(svhn_dir):
    """Read SVHN from three pickles of (images, labels) -> images uint8 [N,3,32,32], classes [N]."""
    batches = []
    for idx in range(1, 4):
        path = os.path.join(svhn_dir, f'train_{idx}.pkl')
        batch = arrays.load(path)
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise UserError(f'{path}: expected the pair (images, labels)')
        batches.append(_checked_batch(path, *batch, [3, 32, 32], num_classes=10))
    return _joined(batches)


def _read_cifar(path, label_key, num_classes):
    batch = arrays.load(path)
    if not isinstance(batch, dict) or 'data' not in batch or label_key not in batch:
        raise UserError(f"{path}: expected a dictionary with 'data' and '{label_key}', as in the Python "
                        'version of CIFAR')
    images, labels = _checked_batch(path, batch['data'], batch[label_key], [3072], num_classes)
    return images.reshape(-1, 3, 32, 32), labels  # [N,3072] -> [N,3,32,32]


def _joined(batches):
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _checked_batch(path, images, labels, item_shape, num_classes):
    """Return images uint8 [N,*item_shape] and labels, integers [N]. Raises UserError for anything else."""
    is_uint8 = isinstance(images, np.ndarray) and images.dtype == np.uint8
    if not is_uint8 or [*images.shape[1:]] != item_shape or len(images) == 0:
        expected = ','.join(map(str, ['N', *item_shape]))
        raise UserError(f'{path}: images are {_described(images)}; expected uint8 of shape [{expected}]')
    try:
        labels = np.asarray(labels)
    except ValueError as error:  # lists of different lengths
        raise UserError(f'{path}: the labels are not a list of numbers ({error})') from error
    if labels.shape != (len(images),) or labels.dtype.kind not in 'iu':
        raise UserError(f'{path}: labels are {_described(labels)}; expected one integer for each of the '
                        f'{len(images)} images')
    _check_classes(path, labels, num_classes)
    return images, labels


def _described(obj):
    return f'{obj.dtype} of shape {list(obj.shape)}' if isinstance(obj, np.ndarray) else type(obj).__name__


def _check_classes(path, labels, num_classes):
    for label in (labels.min(), labels.max()):
        if not 0 <= label < num_classes:
            raise UserError(f'{path}: contains the class {label}; expected 0 to {num_classes - 1}')


def celeba_paths(celeba_dir, any_count=False):
    """Return the sorted paths of the aligned images of CelebA, after checking their headers.

    Raises UserError unless all of them exist or, with `any_count`, at least one.
    """
    folder = os.path.join(celeba_dir, CELEBA_FOLDER)
    paths = sorted(glob.glob(os.path.join(glob.escape(folder), '*.png')))
    if not paths or (len(paths) != CELEBA_IMAGES and not any_count):
        raise UserError(f'Expected to find {CELEBA_IMAGES} images: {folder} contains {len(paths)} PNG '
                        'files; complete it, or add --any_count 1 for a part of the set')
    for path in shown(paths, 'Checking', 'images'):
        width, height, mode = _header(path)
        if (width, height, mode) != (CELEBA_WIDTH, CELEBA_HEIGHT, 'RGB'):
            raise UserError(f'{path}: has {width}x{height} and mode {mode}; expected '
                            f'{CELEBA_WIDTH}x{CELEBA_HEIGHT} and mode RGB, as in CelebA')
    return paths


def check_celeba_crop(cx, cy):
    """Raise UserError if the crop around column `cx` and row `cy` is not inside the images."""
    for name, centre, size in (('cx', cx, CELEBA_WIDTH), ('cy', cy, CELEBA_HEIGHT)):
        if not CELEBA_MARGIN <= centre <= size - CELEBA_MARGIN:
            raise UserError(f'--{name} must be from {CELEBA_MARGIN} to {size - CELEBA_MARGIN}, not {centre}')


def read_celeba_image(path, cx, cy):
    """Read 128x128 pixels around column `cx` and row `cy` -> uint8 [3,128,128]."""
    rows, columns = (slice(centre - CELEBA_MARGIN, centre + CELEBA_MARGIN) for centre in (cy, cx))
    return read_image(path)[:, rows, columns]


def read_image(path):
    """Read an image file -> uint8 [C,H,W]."""
    with _bad_image_named(path), PIL.Image.open(path) as image:
        pixels = np.asarray(image)
    return pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)  # -> [C,H,W]


def _header(path):
    """Return width, height and Pillow's name of the mode."""
    with _bad_image_named(path), PIL.Image.open(path) as image:
        return *image.size, image.mode


@contextlib.contextmanager
def _bad_image_named(path):
    """Turn an error of Pillow about a file into a UserError."""
    try:
        yield
    except (OSError, SyntaxError, ValueError, zlib.error, PIL.Image.DecompressionBombError) as error:
        raise UserError(f'{path}: cannot be read as an image ({error}); expected only PNG and JPEG files '
                        'in the folder') from error
