"""Finds the files of data sets and checks folders, without TensorFlow."""

import glob
import os

import numpy as np

from dnnlib.files import BAD_ARRAY
from dnnlib.util import UserError
from training.data import class_names, dataset_json, image_sets, set_files
from training.data.image_source import ImageSource, is_zip

INCOMPLETE = 'incomplete-'  # prefix of subfolders in which data sets are completed


def record_paths(tfrecord_dir, validation=False):
    """Return the sorted paths of the *.tfrecords files of the training set or the validation set in a folder.
    Raises UserError if there are none."""
    if os.path.isfile(tfrecord_dir):
        raise UserError(f'{tfrecord_dir}: is a file; expected the folder of a data set, or a zip file')
    if not os.path.isdir(tfrecord_dir):
        raise UserError(f'{tfrecord_dir}: the data set does not exist; create it with dataset_tool.py')
    paths = set_files.paths(tfrecord_dir, '.tfrecords', validation)
    if not paths and has_validation_records(tfrecord_dir):
        raise UserError(f'{tfrecord_dir}: holds only a validation set: all names of *.tfrecords files begin '
                        f'with {set_files.VALIDATION}; create a training set with dataset_tool.py, or rename '
                        'the files')
    if not paths and incomplete_in(tfrecord_dir):
        raise UserError(f'{tfrecord_dir}: holds only an incomplete data set; wait for the dataset_tool.py '
                        'that writes it, or start it again')
    if not paths:
        raise UserError(f'{tfrecord_dir}: there are no *.tfrecords files in this folder; '
                        'create the data set with dataset_tool.py')
    return paths


def has_validation_records(tfrecord_dir):
    """Return whether a folder of TFRecords has a validation set."""
    return bool(set_files.paths(tfrecord_dir, '.tfrecords', validation=True))


def incomplete_in(folder):
    """Return the paths of subfolders with unfinished data sets, whose runs may have been killed."""
    return sorted(glob.glob(os.path.join(glob.escape(folder), INCOMPLETE + '*')))


def require_place(tfrecord_dir):
    """Raise UserError if a data set cannot be written to this folder, which may not exist yet."""
    name = os.path.basename(os.path.abspath(tfrecord_dir))
    if not name:
        raise UserError(f'{tfrecord_dir}: expected a folder whose name can be that of the data set')
    if set_files.is_validation(name):
        raise UserError(f'{tfrecord_dir}: expected another name, as files that begin with '
                        f'{set_files.VALIDATION} are those of validation sets')
    existing = os.path.abspath(tfrecord_dir)
    if existing.encode('utf-8', 'replace') != os.fsencode(existing):
        raise UserError(f'{tfrecord_dir}: expected a name in UTF-8, which TensorFlow needs')
    while not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    if os.path.isdir(existing) and os.access(existing, os.W_OK | os.X_OK):
        return
    reason = f'no permission to write in {existing}' if os.path.isdir(existing) else f'{existing} is a file'
    raise UserError(f'{tfrecord_dir}: the data set cannot be written: {reason}')


def holds_images(path):
    """Return whether a data set is a zip file or a folder of images, not one of TFRecords."""
    if not os.path.isdir(path):
        return is_zip(path)
    return not glob.glob(os.path.join(glob.escape(path), '*.tfrecords')) and image_sets.has_images(path)


def require(data_dir, **names):
    """Raise UserError unless `data_dir` has these data sets. names: {flag: name or names}."""
    if not os.path.isdir(data_dir):
        raise UserError(f'--data-dir={data_dir}: dataset root directory does not exist.')
    for flag, value in names.items():
        for name in [value] if isinstance(value, str) else value:
            path = os.path.join(data_dir, name)
            if not os.path.exists(path):
                raise UserError(f'--{flag}={name}: there is no such folder or zip file in {data_dir}; '
                                'create it with dataset_tool.py')
            if holds_images(path):
                image_sets.require(path)
            else:
                record_paths(path)


def label_file(tfrecord_dir, validation=False):
    """Return the path of the first *.labels file of the training set or the validation set in a folder; None
    if there is none."""
    return next(iter(set_files.paths(tfrecord_dir, '.labels', validation)), None)


def label_components(path):
    """Return the path of the file with the labels of a data set, and their number of components: None for
    those that are missing or damaged."""
    if holds_images(path):
        images = image_sets.require(path)
        return images.label_file, images.labels.shape[1] if images.label_file else None
    file = label_file(path)
    return file, num_label_components(file) if file else None


def num_label_components(path):
    """Return the number of components of the labels in a file; None if the file is damaged."""
    try:
        labels = np.load(path, mmap_mode='r', allow_pickle=False)
    except BAD_ARRAY:
        return None
    return labels.shape[1] if getattr(labels, 'ndim', 0) == 2 else None


def names_of_classes(path):
    """Return the names of the classes of a data set: a folder of TFRecords, or a folder or zip file of images
    with a dataset.json. None without names."""
    file = class_names.find(path)
    return class_names.read(file) if file else dataset_json.read(ImageSource(path))[1]
