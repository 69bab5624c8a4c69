"""Records of images: tf.train.Example messages, packed and unpacked without TensorFlow, which takes seconds
to load.

A record has the features `shape` (int64 [C,H,W]) and `data` (bytes: uint8 pixels in the order C, H, W, or an
image file), and for image files `encoding` (bytes: 'png' or 'jpeg').
"""

import functools

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# Messages of tensorflow/core/example/example.proto: {message: {field: (number, type, is repeated)}}. The map
# of features is a list of pairs, which are the same bytes; TensorFlow writes them in an order that differs
# from process to process, a list keeps its own.
_MESSAGES = {
    'BytesList': {'value': (1, 'TYPE_BYTES', True)},
    'Int64List': {'value': (1, 'TYPE_INT64', True)},
    'Feature': {'bytes_list': (1, 'BytesList', False), 'int64_list': (3, 'Int64List', False)},
    'Pair': {'key': (1, 'TYPE_STRING', False), 'value': (2, 'Feature', False)},
    'Features': {'feature': (1, 'Pair', True)},
    'Example': {'features': (1, 'Features', False)},
}


def packed(shape, data, encoding=None):
    """Return the record of an image [C,H,W]: of its pixels or, given an encoding, of the bytes of a file."""
    example = _example_class()()
    example.features.feature.add(key='shape').value.int64_list.value.extend(map(int, shape))
    example.features.feature.add(key='data').value.bytes_list.value.append(data)
    if encoding is not None:
        example.features.feature.add(key='encoding').value.bytes_list.value.append(encoding.encode())
    return example.SerializeToString()


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
