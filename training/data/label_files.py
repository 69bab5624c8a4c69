"""Reads the labels of data sets, without TensorFlow."""

import os

import numpy as np

from dnnlib.files import BAD_ARRAY
from dnnlib.util import UserError
from training.data import folders


def find(label_file, tfrecord_dir, validation=False):
    """Return the path of the label file of the training set or the validation set; None if none is named and
    the folder has none."""
    if label_file is None:
        return folders.label_file(tfrecord_dir, validation)
    for path in (label_file, os.path.join(tfrecord_dir, label_file)):
        if os.path.isfile(path):
            return path
    raise UserError(f'{label_file}: no such label file, neither at this path nor in {tfrecord_dir}')


def load(path, max_label_size, images):
    """Return labels [num_images, label_size] for `images`, a RecordFile; [0, 0] without labels.

    Raises UserError for a file that is unreadable or damaged, or of another number of images.
    """
    if path is None or max_label_size == 0:
        return leading(np.zeros([0, 0], np.float32), max_label_size)
    try:
        with open(path, 'rb') as file:
            labels = np.lib.format.read_array(file, allow_pickle=False)
    except BAD_ARRAY as error:
        raise UserError(f'{path}: not a readable label file ({error}); expected a file in .npy format, as '
                        'dataset_tool.py writes it') from error
    if labels.ndim != 2 or labels.dtype.kind not in 'fiu':
        raise UserError(f'{path}: labels are {labels.dtype} of shape {list(labels.shape)}; '
                        'expected numbers of shape [images, components]')
    if labels.shape[0] != images.num_images:
        raise UserError(f'{path}: holds {labels.shape[0]} labels, but {images.path} holds '
                        f'{images.num_images} images; create the data set again with dataset_tool.py')
    if not np.isfinite(labels).all():
        raise UserError(f'{path}: labels are not finite numbers; create the data set again')
    return leading(labels, max_label_size)


def of_images(images, max_label_size):
    """Return labels [num_images, label_size] for `images`, an ImageSet; [0, 0] without labels. Raises
    UserError if an image has none."""
    return leading(np.zeros([0, 0], np.float32) if max_label_size == 0 else images.labels, max_label_size)


def leading(labels, max_label_size):
    """Return the first components of labels. Raises UserError unless `max_label_size` is a number or
    'full'."""
    if max_label_size != 'full' and not (isinstance(max_label_size, int) and max_label_size >= 0):
        raise UserError(f"max_label_size must be 'full' or an integer >= 0, not {max_label_size!r}")
    return labels if max_label_size == 'full' else labels[:, :max_label_size]
