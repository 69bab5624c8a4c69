"""Writing data sets as folders of TFRecord files, one file per resolution."""

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

ORDER_SEED = 123


class TFRecordExporter:
    """Writes the data set `tfrecord_dir`: added images, at all resolutions from 4 on, and labels.

    The files are completed in a folder of their own inside `tfrecord_dir`; `close` moves them to their
    places, where they replace an earlier data set of this name. As a context manager it closes at the end of
    the block. If the block fails, it removes what it has written, also the folder if that is new, and leaves
    an earlier data set alone.

    Raises UserError for images and labels that do not fit together and for a folder that cannot be written.
    """

    def __init__(self,
        tfrecord_dir,               # Folder to write; the names of the files begin with its name.
        expected_images,            # Number of images that will be added.
        print_progress=True,        # Say what happens?
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
            self._refuse_other_data_sets()
            self._work_dir = tempfile.mkdtemp(prefix='incomplete-', dir=tfrecord_dir)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        if exc_type is None:
            self.close()
        else:
            self._discard()

    def close(self):
        """Complete the files and move them to their places. Raises UserError if no image was added."""
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
        """The fixed random order, int [expected_images], in which images and labels have to be added."""
        order = np.arange(self.expected_images)
        np.random.RandomState(ORDER_SEED).shuffle(order)
        return order

    def add_image(self, img):
        """Append an image [C,H,W] with values from 0 to 255; what is not uint8 is rounded."""
        if self.print_progress and self.cur_images % self.progress_interval == 0:
            self._progress.show(self.cur_images)
        shape = list(img.shape)
        if self.shape is None:
            self._open_writers(shape)
        if shape != self.shape:
            raise UserError(f'image {self.cur_images} has shape {shape}; expected {self.shape}, as before')
        with self._errors_named():
            for writer in self.tfr_writers:
                writer.write(_serialize(_to_uint8(img)))
                img = _halve(img)  # not rounded: errors would add up
        self.cur_images += 1

    def add_labels(self, labels):
        """Write the labels [images, components] of all images that have been added, as float32."""
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
        """Turn what the file system refuses into a UserError."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            raise UserError(f'{self.tfrecord_dir}: the data set cannot be written: {error}') from error

    def _work_path(self, name):
        return os.path.join(self._work_dir, f'{self.tfr_prefix}-{name}')

    def _data_files(self):
        """(names of files of this data set, names of files of other data sets) that are in the folder."""
        names = [name for pattern in ('*.tfrecords', '*.labels')
                 for name in glob.glob(pattern, root_dir=self.tfrecord_dir)]
        ours = re.compile(re.escape(self.tfr_prefix) + r'-r(\d\d\.tfrecords|xx\.labels)')
        return ([name for name in names if ours.fullmatch(name)],
                [name for name in names if not ours.fullmatch(name)])

    def _refuse_other_data_sets(self):
        """Two data sets in one folder could not be told apart when they are read."""
        _, others = self._data_files()
        if others:
            raise UserError(f'{self.tfrecord_dir}: holds files of another data set, such as {others[0]}; '
                            'choose a new folder')

    def _open_writers(self, shape):
        side = shape[-1]
        if shape not in ([1, side, side], [3, side, side]) or side < 4 or side & (side - 1) != 0:
            raise UserError(f'images have shape {shape}; expected 1 or 3 channels and squares with a power '
                            'of two from 4 on as side')
        self.shape = shape
        options = tf.python_io.TFRecordOptions(tf.python_io.TFRecordCompressionType.NONE)
        with self._errors_named():
            for log2_side in range(side.bit_length() - 1, 1, -1):
                path = self._work_path(f'r{log2_side:02d}.tfrecords')
                self.tfr_writers.append(tf.python_io.TFRecordWriter(path, options))

    def _close_writers(self):
        while self.tfr_writers:
            self.tfr_writers.pop().close()

    def _move_into_place(self):
        """Exchange the earlier data set for the new one. The 4x4 file, without which nothing can be read,
        goes first and comes last: there is never a part or a mixture that passes for a data set."""
        names = sorted(os.listdir(self._work_dir), reverse=True)
        earlier_dir = os.path.join(self._work_dir, 'earlier')
        os.mkdir(earlier_dir)
        earlier, _ = self._data_files()
        try:
            _move(sorted(earlier), self.tfrecord_dir, earlier_dir)
            _move(names, self._work_dir, self.tfrecord_dir)
        except BaseException:
            _move([name for name in names if not os.path.exists(os.path.join(self._work_dir, name))],
                  self.tfrecord_dir, self._work_dir)
            _move(sorted(os.listdir(earlier_dir), reverse=True), earlier_dir, self.tfrecord_dir)
            raise

    def _discard(self):
        """Remove whatever is not in its place."""
        with contextlib.suppress(tf.errors.OpError):
            self._close_writers()
        shutil.rmtree(self._work_dir, ignore_errors=True)
        if self._is_new_dir:
            with contextlib.suppress(OSError):  # not empty: the data set is there
                os.rmdir(self.tfrecord_dir)


def _move(names, source_dir, target_dir):
    for name in names:
        os.replace(os.path.join(source_dir, name), os.path.join(target_dir, name))


def _to_uint8(pixels):
    return pixels if pixels.dtype == np.uint8 else np.rint(pixels).clip(0, 255).astype(np.uint8)


def _halve(pixels):
    """[C,H,W] -> float32 [C,H/2,W/2], the means of 2x2 blocks."""
    pixels = pixels.astype(np.float32)
    blocks = pixels[:, 0::2, 0::2] + pixels[:, 0::2, 1::2] + pixels[:, 1::2, 0::2] + pixels[:, 1::2, 1::2]
    return blocks * np.float32(0.25)


def _serialize(pixels):
    """uint8 [C,H,W] -> record."""
    shape = tf.train.Feature(int64_list=tf.train.Int64List(value=pixels.shape))
    data = tf.train.Feature(bytes_list=tf.train.BytesList(value=[pixels.tobytes()]))
    features = tf.train.Features(feature={'shape': shape, 'data': data})
    return tf.train.Example(features=features).SerializeToString()
