"""Sums up data sets in files without streaming them: shapes, counts, validation sets. No TensorFlow."""

import os
from dataclasses import dataclass

from dnnlib.util import UserError
from training.data import folders, image_sets, label_files, record_files, set_files, sizes


@dataclass(frozen=True)
class Summary:
    """What is in a data set, as it is used with a resolution and a number of label components."""
    shape: list          # [C,H,W]
    label_size: int      # 0 = no labels
    num_images: int      # without the validation set
    num_validation: int  # images of the validation set, 0 = none

    @property
    def resolution(self):
        """Return the nominal resolution: the side of squares if that is a power of two."""
        return sizes.nominal(*self.shape[1:])

    @property
    def has_validation_set(self):
        """Return whether there is a validation set."""
        return self.num_validation > 0


def of(path, resolution=None, max_label_size='full'):
    """Return the Summary of a data set: a folder of TFRecords, or a folder or zip file of images.

    Arguments are those of TFRecordDataset. Headers of images, the first record of each file and the labels
    are read. Raises UserError, which names a file and what to do, if the data set cannot be trained on or its
    validation set does not fit.
    """
    shape, label_size, num_images = shapes_and_count(path, resolution, max_label_size)
    return Summary(shape, label_size, num_images, num_validation_images(path, shape, label_size))


def num_validation_images(path, shape, label_size):
    """Return the number of images in the validation set of a data set that is used with images [C,H,W] and
    labels [label_size]; 0 without one. Raises UserError if it does not fit."""
    beside = validation_path(path)
    if beside is None:
        return 0
    is_inside = not folders.holds_images(path)
    found_shape, found_label_size, num_images = shapes_and_count(
        path if is_inside else beside, sizes.nominal(*shape[1:]), label_size, validation=is_inside)
    require_alike(beside, found_shape, found_label_size, shape, label_size)
    return num_images


def validation_path(path):
    """Return where the validation set of a data set is: a pattern of files or, for images, a folder or zip
    file. None without one."""
    if folders.holds_images(path):
        return set_files.images_beside(path)
    if folders.has_validation_records(path):
        return os.path.join(path, f'{set_files.VALIDATION}*')
    return None


def require_alike(where, shape, label_size, expected_shape, expected_label_size):
    """Raise UserError unless images [C,H,W] and labels of a validation set are like those of the training
    set."""
    if list(shape) != list(expected_shape):
        raise UserError(f'{where}: the images of the validation set have shape {list(shape)}; expected '
                        f'{list(expected_shape)}, as in the training set')
    if label_size != expected_label_size:
        raise UserError(f'{where}: the labels of the validation set have {label_size} components; expected '
                        f'{expected_label_size}, as in the training set')


def shapes_and_count(path, resolution=None, max_label_size='full', validation=False):
    """Return the shape of images [C,H,W], the label size and the number of images of a training set.

    validation: of the validation set of a folder of TFRecords? Other arguments and errors are those of `of`.
    """
    if folders.holds_images(path):
        images = image_sets.require(path)
        labels = label_files.of_images(images, max_label_size)
        return images.at(resolution)[1], labels.shape[1], len(images.names)
    file, halvings = record_files.files_by_lod(path, resolution, validation)[0]
    labels = label_files.load(folders.label_file(path, validation), max_label_size, file)
    channels, height, width = file.shape
    return [channels, height >> halvings, width >> halvings], labels.shape[1], file.num_images
