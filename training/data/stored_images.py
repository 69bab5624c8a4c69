"""Images and labels of data sets in files, whatever their format, one at a time and without TensorFlow."""

import collections
import functools

import numpy as np

from dnnlib.util import UserError
from training.data import folders, image_sets, label_files, record_files, records


def open_images(path):
    """Open a folder of TFRecords, or a folder or zip file of images -> StoredImages.

    Raises UserError, naming a file and what to do, unless it is a data set that can be trained on.
    """
    return ImageFiles(path) if folders.holds_images(path) else Records(path)


class StoredImages:
    """A data set in files.

    Attributes: `path`, `shape` [C,H,W], `num_images`, `labels` (float32 [N,L], L = 0 without labels),
    `class_names` (or None), `files` (paths of the images' files), `store` (what these are, in words).
    """

    def __len__(self):
        return self.num_images

    def image(self, index):
        """Return an image, uint8 [C,H,W]. Raises UserError, naming the record or file, if it is damaged."""
        raise NotImplementedError

    def content(self, index):
        """Return the (encoding, bytes) of an image file, 'png' or 'jpeg'; None for raw pixels. The image
        is decoded, and errors are those of `image`."""
        raise NotImplementedError

    @functools.cached_property
    def classes(self):
        """Return the class of each image, int [N]; None unless all labels are one-hot."""
        if self.labels.size == 0 or (np.count_nonzero(self.labels, axis=1) != 1).any():
            return None
        classes = self.labels.argmax(axis=1)
        return classes if (self.labels[np.arange(len(classes)), classes] == 1).all() else None

    def images_of_classes(self):
        """Return the number of images of each class, {index: count}; {} without classes."""
        classes = self.classes
        counts = collections.Counter([] if classes is None else classes.tolist())
        return {index: counts[index] for index in range(self.labels.shape[1])} if counts else {}

    def name_of_class(self, index):
        """Return the name of a class, by default its number."""
        names = self.class_names or []
        return names[index] if index < len(names) else str(index)


class Records(StoredImages):
    """A folder of TFRecord files, of which those of full resolution are read."""

    def __init__(self, path):
        levels = record_files.files_by_lod(path, None)
        self._file, _ = levels[0]
        self._stream = open(self._file.path, 'rb')  # noqa: SIM115
        self.path = path
        self.shape = list(self._file.shape)
        self.num_images = self._file.num_images
        labels = label_files.load(folders.label_file(path), 'full', self._file)
        self.labels = _rows(labels, self.num_images)
        self.class_names = folders.names_of_classes(path)
        self.files = list(dict.fromkeys(file.path for file, _ in levels.values()))
        self.store = f'TFRecords of {self._record(0).encoding or "raw"} images'

    def image(self, index):
        return self._pixels(index, self._record(index))

    def content(self, index):
        record = self._record(index)
        if record.encoding is None:
            return None
        self._pixels(index, record)
        return record.encoding, record.data

    def _pixels(self, index, record):
        try:
            return records.pixels(record)
        except ValueError as error:
            raise record_files.damage(self._file.path, index, f' ({error})') from error

    def _record(self, index):
        file = self._file
        offset = index * file.record_bytes if file.offsets is None else int(file.offsets[index])
        data = records.read(self._stream, offset)
        try:
            if data is not None:
                return records.unpacked(data)
        except ValueError as error:
            raise record_files.damage(file.path, index, f' ({error})') from error
        raise record_files.damage(file.path, index)


class ImageFiles(StoredImages):
    """A folder or zip file of PNG and JPEG files."""

    def __init__(self, path):
        self._set = image_sets.require(path)
        self.path = path
        self.shape = list(self._set.shape)
        self.num_images = len(self._set.names)
        self.labels = _rows(self._set.labels, self.num_images)
        self.class_names = self._set.class_names
        source = self._set.source
        self.files = [path] if source.zip else [source.file_path(name) for name in self._set.names]
        self.store = f'{"zip file" if source.zip else "folder"} of images'

    def image(self, index):
        return self._read(index)[1]

    def content(self, index):
        data, _ = self._read(index)
        return 'png' if data.startswith(b'\x89PNG') else 'jpeg', data

    def _read(self, index):
        """Return a file and its pixels."""
        source, name = self._set.source, self._set.names[index]
        try:
            data = source.read(name)
            image = records.decoded(data)
        except (OSError, ValueError) as error:
            raise UserError(f'{source.file_path(name)}: {error}; replace the file') from error
        if list(image.shape) != self.shape:
            raise UserError(f'{source.file_path(name)}: has changed its size; start again')
        return data, image


def _rows(labels, num_images):
    """Return labels, with rows of width 0 where there are none."""
    return labels if labels.size else np.zeros([num_images, 0], np.float32)
