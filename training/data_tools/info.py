"""Describes data sets of any format in a second: images, labels, files, and how to train on them."""

import os
import shlex

import numpy as np

from dnnlib.util import UserError
from training.data import sizes, summary
from training.data.image_source import ImageSource, is_zip
from training.data.stored_images import open_images
from training.data_tools import checksums

MAX_CLASSES = 40       # Listed; of more, the largest and smallest.
BAR = 30               # Characters.
LEVEL_IMAGES = 16      # Whose darkest and brightest levels are looked at.


def lines(path, reads_all=False):
    """Yield lines that describe a data set. Raises UserError, after the lines about its files, if it cannot
    be trained on.

    reads_all: read large files completely, for their checksums.
    """
    try:
        stored = open_images(path)
    except UserError:
        files = _file_paths(path)
        if files:
            yield f'{path}: cannot be trained on'
            yield from _file_lines(files, reads_all)
        raise
    yield f'{path}: {stored.num_images:,} images of {_size(stored.shape)}'
    yield from _row('stored as', stored.store + _levels(stored))
    yield from _row('images', f'uint8 {stored.shape}, {_values(stored)}')
    yield from _label_lines(stored)
    yield from _validation_lines(stored)
    yield from _file_lines(_file_paths(path), reads_all)
    yield 'Can be used by'
    yield f'  {_command(stored)}'


def _row(title, text):
    yield f'  {title:14s}{text}'


def _size(shape):
    channels, height, width = shape
    return f'{width}x{height}, {"grey" if channels == 1 else "RGB"}'


def _levels(stored):
    """Say which resolutions the files of a folder of raw records hold."""
    if len(stored.files) == 1 or stored.store.endswith('of images'):
        return ''
    smaller = [f'{stored.shape[2] >> lod}x{stored.shape[1] >> lod}' for lod in range(len(stored.files))]
    return f', {", ".join(smaller)}'


def _values(stored):
    """Describe the base of the images, and the levels of the first ones."""
    base, resolution = sizes.require(*stored.shape[1:], stored.path)
    of_base = '' if base == sizes.SQUARE else f'base {base[1]}x{base[0]}, nominal resolution {resolution}, '
    images = np.stack([stored.image(index) for index in range(min(LEVEL_IMAGES, len(stored)))])
    return f'{of_base}levels {images.min()} to {images.max()} in the first {len(images)}'


def _label_lines(stored):
    labels = stored.labels
    if labels.size == 0:
        yield from _row('labels', 'none')
        return
    kind = 'numbers' if stored.classes is None else 'one-hot'
    norm = np.linalg.norm(labels, axis=1).mean()
    yield from _row('labels', f'{labels.dtype} {list(labels.shape)}, {kind}, {labels.min():g} to '
                              f'{labels.max():g}, mean L2 norm {norm:.3f}')
    counts = stored.images_of_classes()
    if counts:
        yield from _class_lines(stored, counts)
    if stored.class_names and (not counts or len(stored.class_names) != len(counts)):
        yield from _row('names', f'{len(stored.class_names)}: {", ".join(stored.class_names)}')


def _class_lines(stored, counts):
    """Yield a line for each class, with a bar that is as long as the class is large."""
    present = [count for count in counts.values() if count > 0]
    absent = len(counts) - len(present)
    sizes_of = f'{min(present):,}' + (f' to {max(present):,}' if min(present) < max(present) else '')
    yield from _row('classes', f'{len(counts)}, of {sizes_of} images' + (
        f'; {absent} {"has" if absent == 1 else "have"} no images' if absent else ''))
    listed = list(counts.items())
    if len(listed) > MAX_CLASSES:
        by_size = sorted(listed, key=lambda item: -item[1])
        listed = [*by_size[:MAX_CLASSES // 2], None, *by_size[-MAX_CLASSES // 2:]]
    names = [stored.name_of_class(item[0]) for item in listed if item]
    width = min(max(map(len, names)), 40)
    for item in listed:
        if item is None:
            yield f'         ({len(counts) - MAX_CLASSES} classes between these)'
            continue
        index, count = item
        bar = '#' * -(-count * BAR // max(present))
        yield f'    {index:5d}  {stored.name_of_class(index)[:40]:{width}s}  {count:9,}  {bar}'


def _validation_lines(stored):
    place = summary.validation_path(stored.path)
    if place is None:
        return
    try:
        count = summary.num_validation_images(stored.path, stored.shape, stored.labels.shape[1])
        yield from _row('validation', f'{count:,} images in {place}')
    except UserError as error:
        yield from _row('validation', f'cannot be used: {error}')


def _file_paths(path):
    """Return {name: path} of the files of a data set, whatever they are."""
    if not os.path.isdir(path):
        return {os.path.basename(path): path} if is_zip(path) and os.path.isfile(path) else {}
    files = {name: os.path.join(path, name) for name in ImageSource(path).names}
    return {name: file for name, file in files.items() if os.path.isfile(file)}  # no pipes or broken links


def _file_lines(files, reads_all):
    num_bytes = {name: os.path.getsize(file) for name, file in files.items()}
    largest = max(num_bytes, key=num_bytes.get)
    yield from _row('files', f'{len(files):,}, {_amount(sum(num_bytes.values()))} in total, the largest '
                             f'{_amount(num_bytes[largest])} ({largest})')
    what, digests = checksums.described(files, num_bytes, reads_all)
    yield from _row('SHA-256', what)
    yield from (f'    {line}' for line in digests)


def _amount(num_bytes):
    unit, name = next((unit, name) for unit, name in ((1e9, 'GB'), (1e6, 'MB'), (1e3, 'kB'), (0, 'bytes'))
                      if num_bytes >= unit)
    return f'{num_bytes / unit:,.2f} {name}' if unit else f'{num_bytes} bytes'


def _command(stored):
    folder, name = os.path.split(os.path.abspath(stored.path))
    if not os.path.isabs(stored.path):
        folder = os.path.relpath(folder)
    labels = ' --labels=full' if stored.labels.size else ''
    return (f'python run_training.py --data-dir={shlex.quote(folder)} --dataset={shlex.quote(name)} '
            f'--config=config-f{labels}')
