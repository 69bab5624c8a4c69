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
from training.data import sizes

ORDER_SEED = 123


class TFRecordExporter:
    """Writes images, at all resolutions from 4x4 up, and labels to the data set `tfrecord_dir`.

    The files are completed in a subfolder; `close` moves them into place, where they replace an earlier data
    set. As a context manager, it is closed at the end of the block. If the block fails, what was written is
    removed, and an earlier data set stays as it is.

    Raises UserError for inconsistent images and labels and for a folder that cannot be written.
    """

    def __init__(self,
        tfrecord_dir,               # Folder to write; its name is the prefix of the file names.
        expected_images,            # Number of images to be added.
        print_progress=True,        # Print what happens?
        progress_interval=10):      # Images between two updates of the progress.

        self.tfrecord_dir = tfrecord_dir
        self.tfr_prefix = os.path.basename(os.path.abspath(tfrecord_dir))
        self.expected_images = expected_images
        self.cur_images = 0
        self.shape = None           # [C,H,W] of all images: that of the first.
        self.tfr_writers = []       # From full resolution down to 4x4.
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
        if self.print_progress and self.cur_images % self.progress_interval == 0:
            self._progress.show(self.cur_images)
        shape = list(img.shape)
        if self.shape is None:
            self._open_writers(shape)
        if shape != self.shape:
            raise UserError(f'image {self.cur_images} has shape {shape}; expected {self.shape}, as before')
        with self._errors_named():
            for writer in self.tfr_writers:
                pixels = img if img.dtype == np.uint8 else np.rint(img).clip(0, 255).astype(np.uint8)
                writer.write(_serialize(pixels))
                img = _halve(img)  # not rounded, as errors would add up
        self.cur_images += 1

    def add_labels(self, labels):
        """Write the labels [images, components] of all added images, as float32."""
        if labels.ndim != 2 or labels.shape[0] != self.cur_images:
            raise UserError(f'labels have shape {list(labels.shape)}; expected one row for each of the '
                            f'{self.cur_images} images')
        with self._errors_named(), open(self._work_path('rxx.labels'), 'wb') as file:
            np.save(file, labels.astype(np.float32))

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
        names = [name for pattern in ('*.tfrecords', '*.labels')
                 for name in glob.glob(pattern, root_dir=self.tfrecord_dir)]
        ours = re.compile(re.escape(self.tfr_prefix) + r'-r(\d\d\.tfrecords|xx\.labels)')
        return ([name for name in names if ours.fullmatch(name)],
                [name for name in names if not ours.fullmatch(name)])

    def _open_writers(self, shape):
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise UserError(f'images have shape {shape}; expected 1 or 3 channels')
        _, resolution = sizes.require(*shape[1:], self.tfrecord_dir)
        self.shape = shape
        options = tf.python_io.TFRecordOptions(tf.python_io.TFRecordCompressionType.NONE)
        with self._errors_named():
            for log2_side in range(resolution.bit_length() - 1, 1, -1):
                path = self._work_path(f'r{log2_side:02d}.tfrecords')
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


def _halve(pixels):
    """Average 2x2 blocks: [C,H,W] -> float32 [C,H/2,W/2]."""
    pixels = pixels.astype(np.float32)
    blocks = pixels[:, 0::2, 0::2] + pixels[:, 0::2, 1::2] + pixels[:, 1::2, 0::2] + pixels[:, 1::2, 1::2]
    return blocks * np.float32(0.25)


def _serialize(pixels):
    """Encode an image, uint8 [C,H,W], as a record."""
    shape = tf.train.Feature(int64_list=tf.train.Int64List(value=pixels.shape))
    data = tf.train.Feature(bytes_list=tf.train.BytesList(value=[pixels.tobytes()]))
    features = tf.train.Features(feature={'shape': shape, 'data': data})
    return tf.train.Example(features=features).SerializeToString()
