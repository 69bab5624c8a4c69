"""Writes data sets to HDF5 files, as Progressive GAN and StyleGAN2-ADA have them."""

import math
import os

import numpy as np

from dnnlib.files import atomic_write
from dnnlib.progress import shown
from dnnlib.util import UserError
from training.data import encoding, image_databases

MIN_CHUNK_BYTES = 128
GZIP_LEVEL = 4


def write(stored, path, compress=False):
    """Write StoredImages to an HDF5 file, complete or not at all: a data set `data<height>x<width>`, uint8
    [N,C,H,W], for each resolution down to 1x1, and labels in `<stem>-labels.npy`.

    Raises UserError without h5py, and for a file that cannot be written.
    """
    h5py = image_databases.require_package('h5py', extra='hdf5')
    labels_path = image_databases.hdf5_labels_path(path)
    if not stored.labels.size and os.path.exists(labels_path):
        raise UserError(f'{labels_path}: would be taken for labels of these images, which have none; move it '
                        'elsewhere')
    try:
        with atomic_write(path) as file:
            with h5py.File(file.name, 'w') as archive:
                _write_images(stored, archive, compress)
            _write_labels(stored.labels, labels_path)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise UserError(f'{path}: cannot be written: {reason}') from error


def _write_labels(labels, path):
    """Write labels [N,L] to a file, unless there are none."""
    if labels.size:
        with atomic_write(path) as file:
            np.save(file, labels)


def _write_images(stored, archive, compress):
    options = {'compression': 'gzip', 'compression_opts': GZIP_LEVEL} if compress else {}
    arrays = []
    for level in _levels(stored.image(0)):
        per_chunk = min(math.ceil(MIN_CHUNK_BYTES / level.size), len(stored))
        arrays.append(archive.create_dataset(
            f'data{level.shape[1]}x{level.shape[2]}', shape=[len(stored), *level.shape], dtype=np.uint8,
            chunks=(per_chunk, *level.shape), **options))
    for index in shown(range(len(stored)), 'Writing', 'images'):
        for array, level in zip(arrays, _levels(stored.image(index)), strict=True):
            array[index] = level


def _levels(image):
    """Yield an image, uint8 [C,H,W], at every resolution from its own down to one with an odd side. Only what
    is written is rounded, as in TFRecords."""
    yield image
    while all(side % 2 == 0 for side in image.shape[1:]):
        image = encoding.halved(image)
        yield encoding.rounded(image)
