"""dataset.json, in which stylegan2-ada-pytorch and stylegan3 keep the labels of a folder or zip of images.

{"labels": [["00000/img00000000.png", 3], ...]}: a class or a list of numbers for each image, or null.
We add "classes", the names of the classes, which those programs ignore.
"""

import json

import numpy as np

from dnnlib.util import UserError
from training.data import class_names
from training.data.image_source import LABELS

MAX_CLASSES = 1 << 20


def read(source):
    """Return labels by file name and names of classes from the dataset.json of an ImageSource.

    -> ({name: class or list of numbers} or None without labels, [class name] or None). Raises UserError for
    other contents.
    """
    if LABELS not in source.names:
        return None, None
    path = source.file_path(LABELS)
    try:
        content = json.loads(source.read(LABELS))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'{path}: cannot be read as JSON ({error}); restore the file') from error
    if not isinstance(content, dict):
        raise UserError(f'{path}: expected {{"labels": [["name of an image", class], ...]}}')
    names = None if content.get('classes') is None else class_names.checked(content, path)
    labels = content.get('labels')
    if labels is None:
        return None, names
    try:
        return {str(name).replace('\\', '/'): label for name, label in labels}, names
    except (TypeError, ValueError) as error:
        raise UserError(f'{path}: expected "labels" as a list of pairs of a file name and a label') from error


def as_rows(labels, where, num_classes=None):
    """Return labels float32 [N,L] of a list of classes, which become one-hot, or of lists of numbers.

    num_classes: None = the largest class + 1, as in the programs above. Raises UserError for anything else.
    """
    try:
        array = np.asarray(labels)
        if array.ndim == 1 and array.dtype.kind == 'f' and (array % 1 == 0).all():  # 3.0 is class 3, too
            array = array.astype(np.int64)
        if array.ndim == 1 and array.dtype.kind in 'iu' and array.min() >= 0:
            width = int(array.max()) + 1 if num_classes is None else num_classes
            if width <= array.max() or width > MAX_CLASSES:
                raise UserError(f'{where}: contains the class {array.max()}; expected one '
                                f'below {min(width, MAX_CLASSES)}')
            rows = np.zeros([len(array), width], np.float32)
            rows[np.arange(len(array)), array] = 1
            return rows
        if array.ndim == 2 and array.size and array.dtype.kind in 'fiu' and np.isfinite(array).all():
            return array.astype(np.float32)
    except (TypeError, ValueError):
        pass
    raise UserError(f'{where}: expected a class, 0 or more, or equally many numbers for every image')


def text(labels, names=None):
    """Return the text of a dataset.json. labels: {name: class or list of numbers}, or None."""
    content = {'labels': None if labels is None else [[name, label] for name, label in labels.items()]}
    return json.dumps(content | ({} if names is None else {'classes': list(names)}))
