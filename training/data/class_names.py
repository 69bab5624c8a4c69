"""Names of the classes that labels stand for.

They are in `<name>.classes.json` beside the labels of a data set, and in `classes.json` in a run directory:
{"classes": ["cat", "dog"]}. Component i of a label is class i.
"""

import difflib
import json
import os

from dnnlib.files import atomic_write
from dnnlib.util import UserError, printable
from training.data import set_files

SUFFIX = '.classes.json'
IN_RUN_DIR = 'classes.json'
MAX_LISTED = 20


def find(folder):
    """Return the path of the file with class names in a data set or run directory; None without one."""
    in_run_dir = os.path.join(folder, IN_RUN_DIR)
    if os.path.isfile(in_run_dir):
        return in_run_dir
    return next(iter(set_files.paths(folder, SUFFIX)), None)


def read(path):
    """Return the names in a file. Raises UserError if it holds none."""
    try:
        with open(path, encoding='utf-8') as file:
            return checked(json.load(file), path)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'{path}: cannot be read as JSON ({error}); restore the file or delete it') from error


def checked(content, path):
    """Return the names in the content of a JSON file. Raises UserError if it has none."""
    names = content.get('classes') if isinstance(content, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UserError(f'{path}: expected the names of the classes, such as {{"classes": ["cat", "dog"]}}')
    return names


def write(path, names):
    """Write a file with the names of classes."""
    text = json.dumps({'classes': list(names)}, indent=1, ensure_ascii=False) + '\n'
    with atomic_write(path) as file:
        # What cannot be encoded, from names of folders that are not UTF-8, becomes escapes of JSON.
        file.write(text.encode('utf-8', 'backslashreplace'))


def beside(network_path, num_classes):
    """Return the names of the classes of a network file from its folder; None without them.

    Raises UserError if the file with the names cannot be read or names more or fewer classes.
    """
    path = os.path.join(os.path.dirname(network_path), IN_RUN_DIR)
    names = read(path) if os.path.isfile(path) else None
    if names is not None and len(names) != num_classes:
        raise UserError(f'{path}: names {len(names)} classes, but {network_path} has {num_classes}; correct '
                        'the file or delete it')
    return names


def keep(names, label_size, run_dir):
    """Write the names of the first `label_size` classes into a run directory, unless it has names."""
    path = os.path.join(run_dir, IN_RUN_DIR)
    if len(names) < label_size:
        print(f'The data set names {len(names)} classes, but the labels have {label_size} components: '
              f'{IN_RUN_DIR} is not written.')
    elif not os.path.exists(path):
        write(path, names[:label_size])


def listed(names):
    """Return names as one line of text; only the first ones of many."""
    more = f', ... ({len(names)} in all)' if len(names) > MAX_LISTED else ''
    shown = [printable(name) for name in names[:MAX_LISTED]]
    return ', '.join(shown) + more


def closest(name, names):
    """Return the name that is most similar to one that does not exist; None if none is."""
    by_lower_case = {other.lower(): other for other in names}
    near = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return by_lower_case[near[0]] if near else None
