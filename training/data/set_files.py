"""Tells the files of a training set from those of the validation set beside it, by their names.

In a folder of TFRecords, files whose names begin with `validation-` belong to the validation set. That of a
folder or zip file of images `<name>` is the folder or zip file `validation-<name>` beside it.
"""

import glob
import os

VALIDATION = 'validation-'


def is_validation(name):
    """Return whether the name of a file, which may have folders in front, is one of a validation set."""
    return os.path.basename(name).startswith(VALIDATION)


def paths(folder, suffix, validation=False):
    """Return the sorted paths of the files in a folder with a suffix: of the validation set or the others."""
    found = sorted(glob.glob(os.path.join(glob.escape(folder), '*' + suffix)))
    return [path for path in found if is_validation(path) == validation]


def images_beside(path):
    """Return the path of the validation set of a folder or zip file of images; None if there is none."""
    folder, name = os.path.split(os.path.abspath(path))
    beside = os.path.join(folder, VALIDATION + name)
    return beside if os.path.exists(beside) and not is_validation(name) else None
