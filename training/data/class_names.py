"""Names of the classes that labels stand for.

They are in `<name>.classes.json` beside the labels of a data set, and in `classes.json` in a run directory:
{"classes": ["cat", "dog"]}. Component i of a label is class i.
"""

import glob
import json
import os

from dnnlib.files import atomic_write
from dnnlib.util import UserError

SUFFIX = '.classes.json'
IN_RUN_DIR = 'classes.json'


def find(folder):
    """Return the path of the file with class names in a data set or run directory; None without one."""
    in_run_dir = os.path.join(folder, IN_RUN_DIR)
    if os.path.isfile(in_run_dir):
        return in_run_dir
    return next(iter(sorted(glob.glob(os.path.join(glob.escape(folder), '*' + SUFFIX)))), None)


def read(path):
    """Return the names in a file. Raises UserError if it holds none."""
    try:
        with open(path, encoding='utf-8') as file:
            return checked(json.load(file), path)
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: cannot be read as JSON ({error}); restore the file or delete it') from error


def checked(content, path):
    """Return the names in the content of a JSON file. Raises UserError if it has none."""
    names = content.get('classes') if isinstance(content, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UserError(f'{path}: expected the names of the classes, such as {{"classes": ["cat", "dog"]}}')
    return names


def write(path, names):
    """Write a file with the names of classes."""
    with atomic_write(path, 'w') as file:
        json.dump({'classes': list(names)}, file, indent=1, ensure_ascii=False)
        file.write('\n')
