"""Labels of images: from sub-folders, from the peers' dataset.json, or from a table."""

import collections
import csv
import io
import os
from dataclasses import dataclass, field

import numpy as np

from dnnlib.util import UserError, printable
from training.data import dataset_json
from training.data.image_source import LABELS as DATASET_JSON

FOLDERS, NONE = 'folders', 'none'
MAX_LISTED = 20  # classes


@dataclass
class Labels:
    """Labels of the files of a source."""
    where: str                          # What error messages name.
    values: dict                        # {file name: class or list of numbers}; files without one are absent.
    class_names: list | None = None     # Names of the classes.
    num_classes: int | None = None      # None = largest class of `values` + 1.
    reason: str = ''                    # Why a file has no label.
    files: set = field(default_factory=set)  # Names of files that hold labels.
    notes: list = field(default_factory=list)  # Lines to print.

    def rows(self, names):
        """Return the labels float32 [N,L] of these files, and the names of the classes or None.

        Of classes with names, those without any file are dropped.
        """
        values = [self.values[name] for name in names]
        if self.class_names is None or self.num_classes is not None:
            return dataset_json.as_rows(values, self.where, self.num_classes), self.class_names
        used, classes = np.unique(values, return_inverse=True)
        return (dataset_json.as_rows(classes, self.where, len(used)),
                [self.class_names[number] for number in used])


def read(source, choice):
    """Return the Labels of an ImageSource, or None. choice: --labels, None = dataset.json if it has labels.

    Raises UserError for files that are not as they should be.
    """
    if choice == NONE:
        return None
    if choice == FOLDERS:
        return _of_folders(source)
    if choice is None or choice == DATASET_JSON:
        return _of_dataset_json(source, is_wanted=choice is not None)
    return _of_table(source, choice)


def described(rows, class_names):
    """Return in one line what the labels [N,L] are, with the number of images of each named class."""
    if class_names is None:
        return f'Labels: {rows.shape[1]} components.'
    pairs = zip(class_names, rows.sum(axis=0), strict=True)
    counts = [f'{printable(name)} ({count:.0f})' for name, count in pairs]
    more = f' and {len(counts) - MAX_LISTED} more' if len(counts) > MAX_LISTED else ''
    return f'Labels: {len(counts)} classes: {", ".join(counts[:MAX_LISTED])}{more}.'


def _of_folders(source):
    paths = {name: _path(name) for name in source.names if name != DATASET_JSON}
    root = _root(paths.values())
    below = {name: path[len(root):] for name, path in paths.items()}
    folders = {name: path.split('/')[0] for name, path in below.items() if '/' in path}
    if not folders:
        raise UserError(f'--labels={FOLDERS}: {source.path} has no sub-folders; expected one for each class')
    class_names = sorted(set(folders.values()))
    numbers = {name: number for number, name in enumerate(class_names)}
    return Labels(f'--labels={FOLDERS}', {name: numbers[folder] for name, folder in folders.items()},
                  class_names, reason='not in the folder of a class')


def _path(name):
    """Return the path that a name in a zip file stands for, such as 'a/b.png' for '/a//b.png'."""
    return '/'.join(part for part in name.split('/') if part not in ('', '.', '..'))


def _root(paths):
    """Return the folder that holds everything, as in many zip files, if it has sub-folders; else ''."""
    root = ''
    while True:
        tops = {path[len(root):].partition('/')[::2] for path in paths}
        first = {top for top, _ in tops}
        if len(first) != 1 or not any('/' in rest for _, rest in tops):
            return root
        root += f'{first.pop()}/'


def _of_dataset_json(source, is_wanted):
    where = source.file_path(DATASET_JSON)
    values, class_names = dataset_json.read(source)
    known = {name: label for name, label in (values or {}).items() if label is not None}
    known = {name: known[name] for name in source.names if name in known}
    if not known:
        if is_wanted:
            raise UserError(f'--labels={DATASET_JSON}: {where} does not exist or has no labels of the images')
        return None
    labels = Labels(where, known, class_names, len(class_names) if class_names else None,
                    f'not in {DATASET_JSON}')
    _count_classes(labels)
    if not is_wanted:
        labels.notes.append(f'Labels come from {where}; --labels={NONE} leaves them out.')
    return labels


def _count_classes(labels):
    """Check the values of labels, and count their classes. Raises UserError as `as_rows`."""
    values = list(labels.values.values())
    if all(isinstance(value, int) for value in values):
        values = sorted(set(values))
    rows = dataset_json.as_rows(values, labels.where, labels.num_classes)
    if np.ndim(values) == 1:
        labels.num_classes = rows.shape[1]


def _of_table(source, path):
    text, in_source = _table_text(source, path)
    rows = _table_rows(text, path)
    names = _by_name(source.names)
    if rows and not names.get(_key(rows[0][1][0])):  # a header line
        rows = rows[1:]
    values, num_unknown = {}, 0
    for line, (name, *cells) in rows:
        found = names.get(_key(name), [])
        if len(found) > 1:
            raise UserError(f"{path}: line {line}: {len(found)} files have the name '{name}'; write their "
                            f'paths below {source.path}')
        if found and values.setdefault(found[0], cells) != cells:
            raise UserError(f"{path}: line {line}: another label for '{name}' than in an earlier line")
        num_unknown += not found
    if not values:
        raise UserError(f'{path}: none of its {len(rows)} lines names a file in {source.path}; expected '
                        "lines such as 'folder/name.jpg,class'")
    labels = _of_cells(values, path)
    labels.files = in_source
    if num_unknown:
        labels.notes.append(f'{path}: {num_unknown} of {len(rows)} lines name no file in {source.path}.')
    return labels


def _key(name):
    return name.replace('\\', '/').removeprefix('./')


def _table_text(source, path):
    """Return the text of a table, and the names that it has in the source."""
    in_source = {name for name in source.names if name == path or (
        source.zip is None and os.path.realpath(source.file_path(name)) == os.path.realpath(path))}
    try:
        if os.path.isfile(path):
            with open(path, 'rb') as file:
                content = file.read()
        elif path in source.names:
            content = source.read(path)
        else:
            raise UserError(f'--labels={path}: no such file here or in {source.path}')
        return content.decode('utf-8-sig'), in_source
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{path}: cannot be read as UTF-8 text ({error}); save it again') from error


def _table_rows(text, path):
    """Return [(line number, [cell, ...])] of a table, all with equally many cells."""
    first = text.partition('\n')[0]
    delimiter = max(',;\t', key=first.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise UserError(f'{path}: cannot be read as a table ({error}); save it again as CSV') from error
    expected = len(rows[0][1]) if rows else 0
    for line, row in rows:
        if len(row) != expected or expected < 2 or '' in row:
            raise UserError(f'{path}: line {line}: expected a file name and a class, or equally many numbers '
                            'in every line')
    return rows


def _by_name(names):
    """Return {path or base name: [path, ...]}."""
    found = collections.defaultdict(set)
    for name in names:
        found[name.rpartition('/')[2]].add(name)
    return {key: sorted(paths) for key, paths in found.items()} | {name: [name] for name in names}


def _of_cells(values, path):
    """Return Labels of {file name: [cell, ...]}: class numbers, class names or lists of numbers."""
    reason = f'not in {os.path.basename(path)}'
    cells = values.values()
    if all(len(row) == 1 and row[0].isdecimal() for row in cells):
        labels = Labels(path, {name: int(row[0]) for name, row in values.items()}, reason=reason)
        _count_classes(labels)
        return labels
    try:
        numbers = {name: [float(cell) for cell in row] for name, row in values.items()}
    except ValueError:
        numbers = None
    if numbers is not None:
        labels = Labels(path, numbers, reason=reason)
        _count_classes(labels)
        return labels
    if any(len(row) > 1 for row in cells):
        raise UserError(f'{path}: expected a file name and one class, or only numbers after the file name')
    class_names = sorted({row[0] for row in cells})
    index = {name: number for number, name in enumerate(class_names)}
    return Labels(path, {name: index[row[0]] for name, row in values.items()}, class_names, reason=reason)
