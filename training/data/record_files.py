"""Files of TFRecords: what is in them, how they belong together, and how their images are read."""

import dataclasses
import os
import struct

import numpy as np

from dnnlib.files import read_at
from dnnlib.progress import Progress
from dnnlib.util import UserError
from training.data import folders, records, set_files, sizes

_AGAIN = 'create the data set again with dataset_tool.py'


@dataclasses.dataclass(frozen=True)
class RecordFile:
    """A *.tfrecords file."""
    path: str
    shape: tuple              # [C,H,W]
    num_images: int
    record_bytes: int | None  # Length of each record, frame included; None = they differ.
    # If they differ, where each begins and its length, int64 [num_images].
    offsets: np.ndarray | None = dataclasses.field(default=None, repr=False, compare=False)
    lengths: np.ndarray | None = dataclasses.field(default=None, repr=False, compare=False)
    is_encoded: bool = False  # PNG or JPEG files instead of raw pixels?


def inspect(path):
    """Return the RecordFile of a path. The first record is read; of others at most the lengths.

    Raises UserError if the first record is not an image that can be trained on or the last one is cut off.
    """
    if os.path.getsize(path) == 0:
        raise UserError(f'{path}: the file is empty; {_AGAIN}')
    with open(path, 'rb') as file:
        record = records.read(file, 0)
    if record is None:
        raise damage(path, 0)
    try:
        first = records.unpacked(record)
        image, is_encoded = records.pixels(first), first.encoding is not None
    except ValueError as error:
        raise damage(path, 0, f' ({error})') from error
    sizes.require(*image.shape[1:], path)
    record_bytes = len(record) + records.FRAME_BYTES
    num_images, rest = divmod(os.path.getsize(path), record_bytes)
    if rest == 0 and not is_encoded:
        return RecordFile(path, image.shape, num_images, record_bytes)
    offsets, lengths = walk(path)
    too_short = np.flatnonzero(lengths < image.size) if not is_encoded else []
    if len(too_short) > 0:
        raise damage(path, too_short[0])
    return RecordFile(path, image.shape, len(offsets), None, offsets, lengths, is_encoded)


def walk(path):
    """Return where the records of a file begin, and their lengths with frames, int64 [records].

    Reads only the length of each record. Raises UserError if the last one does not end with the file.
    """
    starts, offset, size = [], 0, os.path.getsize(path)
    progress = Progress(size, 'bytes', title=f'Looking through {os.path.basename(path)}')
    with open(path, 'rb', buffering=0) as file:
        while offset < size:
            starts.append(offset)
            progress.show(offset)
            head = read_at(file, 8, offset)
            offset += (struct.unpack('<Q', head)[0] if len(head) == 8 else size) + records.FRAME_BYTES
    progress.clear()
    if offset != size:
        raise damage(path, len(starts) - 1)
    return np.array(starts, np.int64), np.diff([*starts, size]).astype(np.int64)


def damage(path, index, reason=''):
    """Return the UserError for a record that cannot be read."""
    return UserError(f'{path}: record {index} is damaged or cut off{reason}; copy the file again or {_AGAIN}')


def files_by_lod(tfrecord_dir, resolution, validation=False):
    """Return {lod: (file, times to halve its images)} for a nominal resolution (None = the largest) and all
    smaller ones.

    validation: of the validation set? Raises UserError if a resolution is missing or the files are of
    different data sets.
    """
    by_resolution = {}
    paths = folders.record_paths(tfrecord_dir, validation)
    if validation:
        tfrecord_dir = os.path.join(tfrecord_dir, f'{set_files.VALIDATION}*')  # in messages
    for file in map(inspect, paths):
        _, there = sizes.require(*file.shape[1:], file.path)
        if there in by_resolution:
            raise UserError(f'{tfrecord_dir}: two files have resolution {there}: '
                            f'{by_resolution[there].path} and {file.path}; keep one data set per folder')
        by_resolution[there] = file
    largest = max(by_resolution)
    resolution = largest if resolution is None else int(resolution)
    encoded = by_resolution[largest] if by_resolution[largest].is_encoded else None
    available = [4 << i for i in range(largest.bit_length() - 2)] if encoded else sorted(by_resolution)
    if resolution not in available:
        raise UserError(f'{tfrecord_dir}: resolution {resolution} is not available, only '
                        f'{", ".join(map(str, available))}')
    if encoded:
        _require_alone(encoded, by_resolution)
        return {lod: (encoded, largest.bit_length() - resolution.bit_length() + lod)
                for lod in range(resolution.bit_length() - 2)}
    return {lod: (file, 0) for lod, file in enumerate(_raw_files(by_resolution, resolution, tfrecord_dir))}


def _require_alone(file, by_resolution):
    others = [other.path for other in by_resolution.values() if other is not file]
    if others:
        raise UserError(f'{file.path}: holds encoded images, of which smaller ones are made, but there is '
                        f'also {others[0]}; keep one data set per folder')


def _raw_files(by_resolution, resolution, tfrecord_dir):
    """Return the files from a resolution down to 4. Raises UserError if they do not belong together."""
    files = []
    available = ', '.join(map(str, sorted(by_resolution)))
    for side in [resolution >> lod for lod in range(resolution.bit_length() - 2)]:
        if side not in by_resolution:
            raise UserError(f'{tfrecord_dir}: resolution {side} is missing; found {available}, expected all '
                            f'from 4 to {resolution}; create them with dataset_tool.py')
        file = by_resolution[side]
        files.append(file)
        full, expected = files[0], [size >> (len(files) - 1) for size in files[0].shape[1:]]
        if file.shape[0] != full.shape[0]:
            raise UserError(f'{file.path}: images have {file.shape[0]} channels, but {full.path} has '
                            f'{full.shape[0]}; {_AGAIN}')
        if file.is_encoded or list(file.shape[1:]) != expected:
            raise UserError(f'{file.path}: images are {file.shape[2]}x{file.shape[1]}; expected raw ones of '
                            f'{expected[1]}x{expected[0]}, as in {full.path}; keep one data set per folder')
        if file.num_images != full.num_images:
            raise UserError(f'{file.path}: holds {file.num_images} images, but {full.path} holds '
                            f'{full.num_images}; copy the files again or create them with dataset_tool.py')
    return files
