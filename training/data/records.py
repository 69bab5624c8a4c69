"""TFRecord files of images, read without TensorFlow, which takes seconds to load.

A file is a sequence of frames: length (uint64), checksum of the length, record, checksum of the record. A
record is a tf.train.Example with the features `shape` (int64 [C,H,W]) and `data` (bytes: uint8 pixels in the
order C, H, W, or an image file), and for image files `encoding` (bytes: 'png' or 'jpeg').
"""

import functools
import io
import math
import struct
from dataclasses import dataclass

import numpy as np
import PIL.Image
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from training.data import crc32c, encoding

FRAME_BYTES = 16  # around each record
_LENGTH, _CRC = struct.Struct('<Q'), struct.Struct('<I')

# Messages of tensorflow/core/example/example.proto: {message: {field: (number, type, is repeated)}}. The map
# of features is declared as a list of pairs, which has the same bytes. TensorFlow writes a map in an order
# that differs from process to process; the order of `packed` is always the published one.
_MESSAGES = {
    'BytesList': {'value': (1, 'TYPE_BYTES', True)},
    'Int64List': {'value': (1, 'TYPE_INT64', True)},
    'Feature': {'bytes_list': (1, 'BytesList', False), 'int64_list': (3, 'Int64List', False)},
    'Pair': {'key': (1, 'TYPE_STRING', False), 'value': (2, 'Feature', False)},
    'Features': {'feature': (1, 'Pair', True)},
    'Example': {'features': (1, 'Features', False)},
}


@dataclass(frozen=True)
class Record:
    """An image, which may be encoded."""
    shape: tuple           # [C,H,W]
    data: bytes
    encoding: str | None   # None = raw pixels.


def packed(shape, data, encoding=None):
    """Return the record of an image [C,H,W]: of its pixels or, given an encoding, of a file.

    data: bytes or a memoryview of bytes, which are copied once: that is ten times as fast as a message class.
    """
    features = [*_pair('shape', 3, _message(1, b''.join(map(_varint, shape)))),  # Int64List
                *_pair('data', 1, _message(1, data))]                            # BytesList
    if encoding is not None:
        features += _pair('encoding', 1, _message(1, encoding.encode()))
    return b''.join(_message(1, *features))


def _pair(key, number, value):
    """Return the parts of an entry of the map of features: a key, and a list of the kind of a field."""
    return _message(1, *_message(1, key.encode()), *_message(2, *_message(number, *value)))


def _message(number, *parts):
    """Return the parts of a field that is a message, a string or packed numbers."""
    return [_varint(number << 3 | 2), _varint(sum(map(len, parts))), *parts]


def _varint(value):
    """Encode a number, 0 or more, in groups of 7 bits, the lowest first."""
    groups = [value >> shift & 127 for shift in range(0, max(int(value).bit_length(), 1), 7)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def unpacked(record):
    """Return the Record of bytes. Raises ValueError if they are not an image."""
    try:
        features = _example_class().FromString(record).features.feature
    except DecodeError as error:
        raise ValueError('the record is not a tf.train.Example') from error
    value = {feature.key: feature.value for feature in features}
    none = _example_class()().features.feature.add().value
    shape = tuple(value.get('shape', none).int64_list.value)
    data = b''.join(value.get('data', none).bytes_list.value[:1])
    store = b''.join(value.get('encoding', none).bytes_list.value[:1]).decode('utf-8', 'replace') or None
    if store not in (None, *encoding.STORES[1:]):
        raise ValueError(f'the encoding {store!r} is unknown; expected png or jpeg')
    if len(shape) != 3 or min(shape) < 1 or (store is None and len(data) != math.prod(shape)):
        raise ValueError(f'the record is not an image: shape {list(shape)}, {len(data)} bytes of data')
    return Record(shape, data, store)


def pixels(record):
    """Return the image of a Record, uint8 [C,H,W]. Raises ValueError if it cannot be decoded."""
    if record.encoding is None:
        return np.frombuffer(record.data, np.uint8).reshape(record.shape).copy()  # [C*H*W] -> [C,H,W]
    image = decoded(record.data)
    if image.shape != record.shape:
        raise ValueError(f'the image has shape {list(image.shape)} instead of {list(record.shape)}')
    return image


def decoded(content):
    """Return the image in a PNG or JPEG file, grey or RGB, uint8 [C,H,W]. Raises ValueError for others."""
    try:
        with PIL.Image.open(io.BytesIO(content), formats=['PNG', 'JPEG']) as image:
            values, mode = np.asarray(image), image.mode
    except PIL.UnidentifiedImageError as error:
        raise ValueError('the image cannot be decoded: expected PNG or JPEG') from error
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f'the image cannot be decoded: {error}') from error
    if mode not in ('L', 'RGB'):
        raise ValueError(f'the image has mode {mode}; expected L or RGB')
    return values[np.newaxis] if mode == 'L' else values.transpose(2, 0, 1)  # [H,W,C] -> [C,H,W]


def read(file, offset):
    """Return the bytes of the record whose frame begins at an offset of a file; None if it is damaged."""
    file.seek(offset)
    length, crc = file.read(_LENGTH.size), file.read(_CRC.size)
    if not _fits(length, crc):
        return None
    record = file.read(*_LENGTH.unpack(length))
    return record if _fits(record, file.read(_CRC.size)) else None


def _fits(data, crc):
    return len(crc) == _CRC.size and len(data) >= _CRC.size and _CRC.unpack(crc)[0] == crc32c.masked(data)


@functools.cache
def _example_class():
    field_class = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name='example.proto', package='images', syntax='proto3')
    for message, fields in _MESSAGES.items():
        description = file.message_type.add(name=message)
        for name, (number, kind, repeated) in fields.items():
            is_message = kind in _MESSAGES
            description.field.add(
                name=name, number=number,
                label=field_class.LABEL_REPEATED if repeated else field_class.LABEL_OPTIONAL,
                type=field_class.TYPE_MESSAGE if is_message else getattr(field_class, kind),
                type_name=f'.images.{kind}' if is_message else None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName('images.Example'))
