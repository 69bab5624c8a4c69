"""Files of TFRecords: what is in them, how they belong together, and how their images are read."""

import dataclasses
import io
import math
import os
import struct

import numpy as np
import PIL.Image
import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError

from dnnlib.progress import Progress
from dnnlib.util import UserError
from training.data import folders, sizes
from training.data.decoding import decode_image
from training.data.record_stream import Level

FRAME_BYTES = 16  # TFRecord format: length and two checksums around each record
ENCODINGS = ('png', 'jpeg')

_FIELDS = {
    'shape': tf.FixedLenFeature([3], tf.int64),   # [C,H,W]
    'data': tf.FixedLenFeature([], tf.string),    # a PNG or JPEG file, or a byte per value, W varies fastest
    'encoding': tf.FixedLenFeature([], tf.string, default_value=''),  # 'png' or 'jpeg'; otherwise raw
}
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


def parse_np(record):
    """Return the image of a serialized record (bytes), uint8 [C,H,W], and whether it is encoded. Raises
    ValueError if it is not an image."""
    try:
        feature = tf.train.Example.FromString(record).features.feature
    except DecodeError as error:
        raise ValueError('the record is not a tf.train.Example') from error
    shape = list(feature['shape'].int64_list.value)
    data = b''.join(feature['data'].bytes_list.value[:1])
    encoding = b''.join(feature['encoding'].bytes_list.value[:1]).decode('utf-8', 'replace')
    if encoding:
        return _decoded(data, shape, encoding), True
    if len(shape) != 3 or min(shape) < 1 or len(data) != math.prod(shape):
        raise ValueError(f'the record is not an image: shape {shape}, {len(data)} bytes of data')
    return np.frombuffer(data, np.uint8).reshape(shape).copy(), False  # [C*H*W] -> [C,H,W]


def _decoded(data, shape, encoding):
    if encoding not in ENCODINGS:
        raise ValueError(f'the encoding {encoding!r} is unknown; expected {" or ".join(ENCODINGS)}')
    try:
        with PIL.Image.open(io.BytesIO(data), formats=ENCODINGS) as image:
            pixels, mode = np.asarray(image), image.mode
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f'the image cannot be decoded: {error}') from error
    pixels = pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)  # [H,W,C] -> [C,H,W]
    if mode not in ('L', 'RGB') or list(pixels.shape) != shape:
        raise ValueError(f'the image is {mode} {list(pixels.shape)} instead of L or RGB {shape}')
    return np.ascontiguousarray(pixels)


def parse_tf(record):
    """Return the image of any record as a tensor: string [] -> uint8 [C,H,W]. Its evaluation raises
    tf.errors.InvalidArgumentError if the record is not an image."""
    fields = tf.parse_single_example(record, _FIELDS)

    def decoded():
        pixels = tf.io.decode_jpeg(fields['data'], dct_method='INTEGER_ACCURATE')  # or PNG
        return tf.transpose(pixels, [2, 0, 1])  # [H,W,C] -> [C,H,W]

    pixels = tf.cond(tf.equal(fields['encoding'], ''), lambda: _raw_pixels(fields), decoded)
    return tf.reshape(pixels, fields['shape'])


def _raw_pixels(fields):
    return tf.reshape(tf.decode_raw(fields['data'], tf.uint8), fields['shape'])  # [C*H*W] -> [C,H,W]


def level_of(file, halvings, buffer_mb, num_threads):
    """Return the Level of a file's images, which are halved a number of times if they are encoded."""
    channels, height, width = file.shape

    def parse_raw(record):
        return tf.ensure_shape(_raw_pixels(tf.parse_single_example(record, _FIELDS)), file.shape)

    def parse_encoded(record):
        return decode_image(tf.parse_single_example(record, _FIELDS)['data'], file.shape, halvings)

    return Level(
        shape=(channels, height >> halvings, width >> halvings),
        fetch=_fetch(file),
        parse=parse_encoded if file.is_encoded else parse_raw,
        num_threads=num_threads,
        in_order=lambda: tf.data.TFRecordDataset(
            file.path, compression_type='', buffer_size=buffer_mb << 20))


def _fetch(file):
    """Return a function from the number of a record (int64 tensor) to the record."""
    if file.record_bytes is not None:
        return lambda index: _record_at(file.path, index * file.record_bytes, file.record_bytes)
    offsets, lengths = tf.constant(file.offsets), tf.constant(file.lengths)
    return lambda index: _record_at(file.path, tf.gather(offsets, index), tf.gather(lengths, index))


def _record_at(path, offset, num_bytes):
    variant = tf.raw_ops.TFRecordDatasetV2(
        filenames=[path], compression_type='', buffer_size=num_bytes, byte_offsets=[offset])
    records = tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string))
    return tf.data.experimental.get_single_element(records.take(1))


def inspect(path):
    """Return the RecordFile of a path. The first record is read; of others at most the lengths.

    Raises UserError if the first record is not an image that can be trained on or the last one is cut off.
    """
    try:
        record = next(tf.python_io.tf_record_iterator(path), None)
        image, is_encoded = (None, False) if record is None else parse_np(record)
    except (tf.errors.OpError, ValueError) as error:
        raise damage(path, 0, f' ({error})') from error
    if image is None:
        raise UserError(f'{path}: the file is empty; {_AGAIN}')
    sizes.require(*image.shape[1:], path)
    record_bytes = len(record) + FRAME_BYTES
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
            head = os.pread(file.fileno(), 8, offset)
            offset += (struct.unpack('<Q', head)[0] if len(head) == 8 else size) + FRAME_BYTES
    progress.clear()
    if offset != size:
        raise damage(path, len(starts) - 1)
    return np.array(starts, np.int64), np.diff([*starts, size]).astype(np.int64)


def damage(path, index, reason=''):
    """Return the UserError for a record that cannot be read."""
    return UserError(f'{path}: record {index} is damaged or cut off{reason}; copy the file again or {_AGAIN}')


def files_by_lod(tfrecord_dir, resolution):
    """Return {lod: (file, times to halve its images)} for a nominal resolution (None = the largest) and all
    smaller ones.

    Raises UserError if a resolution is missing or the files are of different data sets.
    """
    by_resolution = {}
    for file in map(inspect, folders.record_paths(tfrecord_dir)):
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
