"""Writes data sets: folders of TFRecord files, with the pixels of every resolution or with image files."""

import contextlib
import glob
import os
import re

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.files import atomic_write
from dnnlib.progress import Progress
from dnnlib.util import UserError
from training.data import class_names as names_of_classes
from training.data import encoding, records, set_files, sizes
from training.data.work_folder import WorkFolder

ORDER_SEED = 123


class TFRecordExporter:
    """Writes images, labels and names of classes to the data set `tfrecord_dir`.

    The files are completed in a subfolder; `close` moves them into place, where they replace an earlier data
    set and its validation set. As a context manager, it is closed at the end of the block. If the block
    fails, what was written is removed, and an earlier data set stays as it is. The next run removes what a
    killed one has left.

    Raises UserError for inconsistent images and labels, for a folder that cannot be written, and while
    another process writes to the folder. Processes that are forked keep the folder locked.
    """

    def __init__(self,
        tfrecord_dir,               # Folder to write; its name is the prefix of the file names.
        expected_images,            # Number of images to be added.
        print_progress=True,        # Print what happens?
        progress_interval=10,       # Images between two updates of the progress.
        store='raw',                # Pixels of all resolutions ('raw'), or files: 'png' or 'jpeg'.
        tfr_prefix=None,            # Beginning of the names of the files. None = the name of the folder.
        _part_of=None):             # Exporter that moves the files into place with its own.

        self.tfrecord_dir = tfrecord_dir
        self.tfr_prefix = tfr_prefix or os.path.basename(os.path.abspath(tfrecord_dir))
        self.expected_images = expected_images
        self.store = store
        self.cur_images = 0
        self.shape = None           # [C,H,W] of all images: that of the first.
        self.tfr_writers = []       # From full resolution down to the base; one for image files.
        self.print_progress = print_progress
        self.progress_interval = progress_interval
        self._progress = Progress(expected_images, 'images')
        self._shapes = None         # Of what is written for each image.
        self._is_part = _part_of is not None
        self._say(f'Creating dataset "{tfrecord_dir}"' + (f' ({tfr_prefix})' if tfr_prefix else ''))
        self._work_folder = _part_of._work_folder if self._is_part else self._new_work_folder()

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
                if not self._is_part:
                    self._move_into_place()
        finally:
            self._discard()
        self._say(f'Added {self.cur_images} images.')

    def validation_set(self, expected_images):
        """Return an exporter of the validation set. It is closed before this one, which moves the files of
        both into place."""
        return TFRecordExporter(
            self.tfrecord_dir, expected_images, self.print_progress, self.progress_interval, self.store,
            tfr_prefix=set_files.VALIDATION + self.tfr_prefix, _part_of=self)

    def choose_shuffled_order(self):
        """Return the fixed random order, int [expected_images], in which to add images and labels."""
        order = np.arange(self.expected_images)
        np.random.RandomState(ORDER_SEED).shuffle(order)
        return order

    def add_image(self, img):
        """Append an image [C,H,W] with values from 0 to 255, which are rounded unless they are uint8."""
        self._check_shape(list(img.shape))
        if self.store != 'raw':  # the averages of raw pixels are taken before rounding
            img = next(encoding.levels(img))
        self.add_encoded(encoding.encoded(img, self.store))

    def add_encoded(self, parts):
        """Append an image that `encoding.encoded` has encoded for `store`: [(shape [C,H,W], bytes)]."""
        if self.print_progress and self.cur_images % self.progress_interval == 0:
            self._progress.show(self.cur_images)
        self._check_shape(list(parts[0][0]))
        shapes = [tuple(shape) for shape, _ in parts]
        if not self.tfr_writers:
            self._open_writers(shapes)
        assert shapes == self._shapes, 'encoded for another store'
        with self._errors_named():
            for writer, (shape, data) in zip(self.tfr_writers, parts, strict=True):
                writer.write(records.packed(shape, data, None if self.store == 'raw' else self.store))
        self.cur_images += 1

    def add_labels(self, labels, class_names=None):
        """Write the labels [images, components] of all added images, as float32, and the names of the
        classes, one for each component."""
        if labels.ndim != 2 or labels.shape[0] != self.cur_images:
            raise UserError(f'labels have shape {list(labels.shape)}; expected one row for each of the '
                            f'{self.cur_images} images')
        if class_names is not None and len(class_names) != labels.shape[1]:
            raise UserError(f'labels have {labels.shape[1]} components, but there are {len(class_names)} '
                            'names of classes; expected one for each')
        with self._errors_named():
            with open(self._work_path('-rxx.labels'), 'wb') as file:
                np.save(file, labels.astype(np.float32))
            if class_names is not None:
                names_of_classes.write(self._work_path(names_of_classes.SUFFIX), class_names)

    def add_report(self, text):
        """Write a text about how the data set was made to `<name>-report.txt`."""
        with self._errors_named(), atomic_write(self._work_path('-report.txt'), 'w') as file:
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

    def _work_path(self, suffix):
        return os.path.join(self._work_folder.path, self.tfr_prefix + suffix)

    def _new_work_folder(self):
        with self._errors_named():
            _, others = self._data_files()
            if others:  # two data sets in one folder could not be told apart
                raise UserError(f'{self.tfrecord_dir}: contains files of another data set, such as '
                                f'{others[0]}; choose a new folder')
            return WorkFolder(self.tfrecord_dir)

    def _data_files(self):
        """Return the names of the files in the folder: those of this data set, and those of others.

        The validation set belongs to the training set, and is replaced with it. For a validation set that is
        written alone, the files of the training set are neither.
        """
        suffixes = ('.tfrecords', '.labels', names_of_classes.SUFFIX)
        names = [name for suffix in suffixes for name in glob.glob(f'*{suffix}', root_dir=self.tfrecord_dir)]
        prefixes = re.escape(self.tfr_prefix)
        if set_files.is_validation(self.tfr_prefix):
            names = list(filter(set_files.is_validation, names))
        else:
            prefixes = f'({prefixes}|{set_files.VALIDATION}.*)'
        ours = re.compile(prefixes + r'(-r(\d\d\.tfrecords|xx\.labels)|\.classes\.json)')
        report = glob.glob(f'{glob.escape(self.tfr_prefix)}-report.txt', root_dir=self.tfrecord_dir)
        return ([name for name in names if ours.fullmatch(name)] + report,
                [name for name in names if not ours.fullmatch(name)])

    def _check_shape(self, shape):
        if self.shape is None:
            if len(shape) != 3 or shape[0] not in (1, 3):
                raise UserError(f'images have shape {shape}; expected 1 or 3 channels, height and width')
            sizes.require(*shape[1:], self.tfrecord_dir)
            self.shape = shape
        if shape != self.shape:
            raise UserError(f'image {self.cur_images} has shape {shape}; expected {self.shape}, as before')

    def _open_writers(self, shapes):
        """Open a file for each of the shapes that are written for an image."""
        self._shapes = shapes
        _, resolution = sizes.require(*self.shape[1:], self.tfrecord_dir)
        log2_resolution = resolution.bit_length() - 1
        options = tf.python_io.TFRecordOptions(tf.python_io.TFRecordCompressionType.NONE)
        with self._errors_named():
            for lod in range(len(shapes)):
                path = self._work_path(f'-r{log2_resolution - lod:02d}.tfrecords')
                self.tfr_writers.append(tf.python_io.TFRecordWriter(path, options))

    def _close_writers(self):
        while self.tfr_writers:
            self.tfr_writers.pop().close()

    def _move_into_place(self):
        """Replace the earlier data set by the new one.

        The file of the base, without which nothing can be read, is the first to go and the last to come: a
        part or a mixture never looks like a data set.
        """
        earlier, _ = self._data_files()
        if earlier:
            self._say(f'Replacing the data set in {self.tfrecord_dir}.')
        self._work_folder.move_into_place(earlier)

    def _discard(self):
        """Remove the files that are not in place."""
        with contextlib.suppress(tf.errors.OpError):
            self._close_writers()
        if not self._is_part:
            self._work_folder.discard()
