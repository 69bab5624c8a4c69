"""Writes data sets: folders of TFRecord files, one file per resolution."""

import contextlib
import glob
import os
import re
import shutil
import tempfile

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.progress import Progress
from dnnlib.util import UserError
from training.data import class_names as names_of_classes
from training.data import encoding, sizes

ORDER_SEED = 123


class TFRecordExporter:
    """Writes images, at all resolutions from the base up, and labels to the data set `tfrecord_dir`.

    The files are completed in a subfolder; `close` moves them into place, where they replace an earlier data
    set. As a context manager, it is closed at the end of the block. If the block fails, what was written is
    removed, and an earlier data set stays as it is.

    Raises UserError for inconsistent images and labels and for a folder that cannot be written.
    """

    def __init__(self,
        tfrecord_dir,               # Folder to write; its name is the prefix of the file names.
        expected_images,            # Number of images to be added.
        print_progress=True,        # Print what happens?
        progress_interval=10,       # Images between two updates of the progress.
        store='raw'):               # How images are stored: see training/data/encoding.py.

        self.tfrecord_dir = tfrecord_dir
        self.tfr_prefix = os.path.basename(os.path.abspath(tfrecord_dir))
        self.expected_images = expected_images
        self.store = store
        self.cur_images = 0
        self.shape = None           # [C,H,W] of all images: that of the first.
        self.tfr_writers = []       # From full resolution down to the base.
        self.print_progress = print_progress
        self.progress_interval = progress_interval
        self._progress = Progress(expected_images, 'images')
        self._say(f'Creating dataset "{tfrecord_dir}"')
        self._is_new_dir = not os.path.exists(tfrecord_dir)
        with self._errors_named():
            os.makedirs(tfrecord_dir, exist_ok=True)
            _, others = self._data_files()
            if others:  # two data sets in one folder could not be told apart
                raise UserError(f'{tfrecord_dir}: contains files of another data set, such as {others[0]}; '
                                'choose a new folder')
            self._work_dir = tempfile.mkdtemp(prefix='incomplete-', dir=tfrecord_dir)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        if exc_type is None:
            self.close()
        else:
            self._discard()

    def close(self):
        """Complete the files and move them into place. Raises UserError if no image was added."""
        self._say(f'{"Flushing data...":40s}')
        try:
            if self.cur_images == 0:
                raise UserError(f'{self.tfrecord_dir}: there are no images to write; nothing is changed')
            with self._errors_named():
                self._close_writers()
                self._move_into_place()
        finally:
            self._discard()
        self._say(f'Added {self.cur_images} images.')

    def choose_shuffled_order(self):
        """Return the fixed random order, int [expected_images], in which to add images and labels."""
        order = np.arange(self.expected_images)
        np.random.RandomState(ORDER_SEED).shuffle(order)
        return order

    def add_image(self, img):
        """Append an image [C,H,W] with values from 0 to 255, which are rounded unless they are uint8."""
        if self.store != 'raw' and img.dtype != np.uint8:
            img = np.rint(img).clip(0, 255).astype(np.uint8)
        self._begin_image(list(img.shape))
        self.add_encoded(encoding.encoded(img, self.store))

    def add_encoded(self, parts):
        """Append an image that is encoded: what `encoding.encoded` returns, with bytes or memoryviews."""
        if self.print_progress and self.cur_images % self.progress_interval == 0:
            self._progress.show(self.cur_images)
        self._begin_image(list(parts[0][0]))
        kind = None if self.store == 'raw' else self.store
        with self._errors_named():
            for writer, (shape, data) in zip(self.tfr_writers, parts, strict=True):
                writer.write(_serialize(shape, data, kind))
        self.cur_images += 1

    def add_labels(self, labels, class_names=None):
        """Write the labels [images, components] of all added images, as float32, and names of classes."""
        if labels.ndim != 2 or labels.shape[0] != self.cur_images:
            raise UserError(f'labels have shape {list(labels.shape)}; expected one row for each of the '
                            f'{self.cur_images} images')
        with self._errors_named():
            with open(self._work_path('rxx.labels'), 'wb') as file:
                np.save(file, labels.astype(np.float32))
            if class_names is not None:
                prefix = os.path.join(self._work_dir, self.tfr_prefix)
                names_of_classes.write(prefix + names_of_classes.SUFFIX, class_names)

    def add_report(self, text):
        """Write a text file about how the data set was made."""
        with self._errors_named(), open(self._work_path('report.txt'), 'w', encoding='utf-8') as file:
            file.write(text)

    def _say(self, text):
        if self.print_progress:
            print(text, flush=True)

    @contextlib.contextmanager
    def _errors_named(self):
        """Turn errors of the file system into UserErrors."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            raise UserError(f'{self.tfrecord_dir}: the data set cannot be written: {error}') from error

    def _work_path(self, name):
        return os.path.join(self._work_dir, f'{self.tfr_prefix}-{name}')

    def _data_files(self):
        """Return the names of the files in the folder: those of this data set, and those of others."""
        names = [name for pattern in ('*.tfrecords', '*.labels', '*.classes.json', '*-report.txt')
                 for name in glob.glob(pattern, root_dir=self.tfrecord_dir)]
        ours = re.compile(re.escape(self.tfr_prefix)
                          + r'(-r(\d\d\.tfrecords|xx\.labels)|\.classes\.json|-report\.txt)')
        return ([name for name in names if ours.fullmatch(name)],
                [name for name in names if not ours.fullmatch(name)])

    def _begin_image(self, shape):
        if self.shape is None:
            self._open_writers(shape)
        if shape != self.shape:
            raise UserError(f'image {self.cur_images} has shape {shape}; expected {self.shape}, as before')

    def _open_writers(self, shape):
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise UserError(f'images have shape {shape}; expected 1 or 3 channels, height and width')
        _, nominal = sizes.require(*shape[1:], self.tfrecord_dir)
        self.shape = shape
        lowest = 2 if self.store == 'raw' else nominal.bit_length() - 1
        options = tf.python_io.TFRecordOptions(tf.python_io.TFRecordCompressionType.NONE)
        with self._errors_named():
            for log2 in range(nominal.bit_length() - 1, lowest - 1, -1):
                path = self._work_path(f'r{log2:02d}.tfrecords')
                self.tfr_writers.append(tf.python_io.TFRecordWriter(path, options))

    def _close_writers(self):
        while self.tfr_writers:
            self.tfr_writers.pop().close()

    def _move_into_place(self):
        """Replace the earlier data set by the new one.

        The 4x4 file, without which nothing can be read, is the first to go and the last to come: a part or a
        mixture never looks like a data set.
        """
        names = sorted(os.listdir(self._work_dir), reverse=True)
        earlier_dir = os.path.join(self._work_dir, 'earlier')
        os.mkdir(earlier_dir)
        earlier, _ = self._data_files()
        if earlier:
            self._say(f'Replacing the data set in {self.tfrecord_dir}.')
        try:
            _move(sorted(earlier), self.tfrecord_dir, earlier_dir)
            _move(names, self._work_dir, self.tfrecord_dir)
        except BaseException:
            _move([name for name in names if not os.path.exists(os.path.join(self._work_dir, name))],
                  self.tfrecord_dir, self._work_dir)
            _move(sorted(os.listdir(earlier_dir), reverse=True), earlier_dir, self.tfrecord_dir)
            raise

    def _discard(self):
        """Remove the files that are not in place."""
        with contextlib.suppress(tf.errors.OpError):
            self._close_writers()
        shutil.rmtree(self._work_dir, ignore_errors=True)
        if self._is_new_dir:
            with contextlib.suppress(OSError):  # not empty if the data set has been moved here
                os.rmdir(self.tfrecord_dir)


def _move(names, source_dir, target_dir):
    for name in names:
        os.replace(os.path.join(source_dir, name), os.path.join(target_dir, name))


def _serialize(shape, data, kind=None):
    """Return an image [C,H,W] as a record, a serialized tf.train.Example.

    It is put together by hand: protobuf would copy the data several times. data: bytes or memoryview; kind:
    'png', 'jpeg' or None.
    """
    features = _feature(b'shape', 3, b''.join(map(_varint, shape))) + _feature(b'data', 1, data)
    if kind is not None:
        features += _feature(b'encoding', 1, kind.encode())
    return b''.join(_message(1, features))


def _feature(name, list_type, value):
    """Return the parts of a feature with one value. list_type: 1 = bytes, 3 = int64."""
    return _message(1, _message(1, [name]) + _message(2, _message(list_type, _message(1, [value]))))


def _message(field, parts):
    """Return the parts of a field of a message, with the length of the field before them."""
    return [bytes([field << 3 | 2]) + _varint(sum(map(len, parts))), *parts]


def _varint(number):
    """Encode a number, 7 bits to a byte, the lowest first."""
    if number < 128:
        return bytes([number])
    return bytes([number & 127 | 128]) + _varint(number >> 7)
