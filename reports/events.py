"""Scalars of TensorBoard's event files, read without TensorFlow."""

import glob
import os
import struct

import numpy as np

_FRAME = struct.Struct('<Q4x')  # Length of the record, its checksum.
_CHECKSUM_BYTES = 4             # After the record.


def scalars(folder, notes):
    """Return {tag: {step: value}} from all event files in a folder.

    A later file continues an earlier one, of which the steps from there on are dropped. A last record that
    is not complete yet is left out. Damaged files are read up to the damage, and `notes` gets a line.
    """
    table = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), 'events.out.tfevents.*'))):
        try:
            _add_file(path, table)
        except (OSError, ValueError) as error:
            notes.append(f'{os.path.basename(path)} is read only in part: {error}.')
    return table


def _add_file(path, table):
    from tensorboard.compat.proto import event_pb2
    is_first = True
    for record in _records(path):
        try:
            event = event_pb2.Event.FromString(record)
        except Exception as error:  # protobuf's DecodeError, whose module depends on the version
            raise ValueError('a record is damaged') from error
        values = [value for value in event.summary.value if value.HasField('simple_value')]
        resumes = event.HasField('session_log') and event.step > 0
        if resumes or (values and is_first):
            _drop_from(event.step, table)
            is_first = False
        for value in values:
            table.setdefault(value.tag, {})[event.step] = float(str(np.float32(value.simple_value)))


def _records(path):
    """Yield the records of a file: length (uint64), checksum, record, checksum."""
    with open(path, 'rb') as file:
        size = os.fstat(file.fileno()).st_size
        while len(frame := file.read(_FRAME.size)) == _FRAME.size:
            length = _FRAME.unpack(frame)[0]
            if file.tell() + length + _CHECKSUM_BYTES > size:
                return
            yield file.read(length)
            file.seek(_CHECKSUM_BYTES, os.SEEK_CUR)


def _drop_from(step, table):
    for values in table.values():
        for later in [key for key in values if key >= step]:
            del values[later]
