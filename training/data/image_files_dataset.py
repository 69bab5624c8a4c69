"""Folders and zip files of images as data sets: read and decoded in the graph, on all cores."""

import os

import tensorflow.compat.v1 as tf

from dnnlib.util import UserError, num_cores
from training.data import image_sets, label_files, set_files
from training.data.decoding import decode_image
from training.data.record_stream import Level
from training.data.stream_dataset import StreamDataset, checked_max_images


class ImageDataset(StreamDataset):
    """PNG and JPEG images of a folder or zip file, and the labels in its dataset.json.

    Lower resolutions are made while reading. Raises UserError, naming the file, unless all images have one
    size and mode. EXIF orientation is ignored. The validation set is a folder or zip file `validation-<name>`
    beside this one. Attributes beside those of StreamDataset: `label_file` (path or None).
    """

    def __init__(self,
        tfrecord_dir,               # Folder or zip file of the images.
        resolution      = None,     # Nominal resolution at lod 0. None = that of the images.
        max_label_size  = 0,        # Leading components of the labels to use: a number or 'full'.
        max_images      = None,     # Use only the first images in the order of names. None = all.
        repeat          = True,     # Start another pass after the last image?
        shuffle_mb      = 4096,     # MiB of images among which the next one is drawn. 0 = in order.
        prefetch_mb     = 2048,     # MiB of images to read ahead, at most 4096 images. 0 = none.
        num_threads     = None,     # Threads that read and decode images. None = one per core.
        max_validation  = 10000,    # Use only the first images of the validation set. 0 = do not use it.
        mirror_augment  = False,    # Mirror images at random?
        shuffle         = True):    # False = in order, as with shuffle_mb = 0.

        beside = set_files.images_beside(tfrecord_dir)
        self.has_validation_set = max_validation > 0 and beside is not None
        self._validation_args = dict(tfrecord_dir=beside, max_images=max_validation, num_threads=num_threads)
        self._images = image_sets.require(tfrecord_dir)
        self._num_threads = num_threads or num_cores()
        self._halvings, shape = self._images.at(resolution)
        self.label_file = self._images.label_file
        super().__init__(
            tfrecord_dir, shape, min(len(self._images.names), checked_max_images(max_images)),
            label_files.of_images(self._images, max_label_size), repeat, shuffle_mb if shuffle else 0,
            prefetch_mb, mirror_augment)
        self.class_names = self._images.class_names

    def _open_validation_set(self):
        return ImageDataset(resolution=self.resolution, max_label_size=self.label_size, repeat=False,
                            shuffle=False, prefetch_mb=0, **self._validation_args)

    def _make_levels(self):
        fetch = (_fetch_files if self._images.entries is None else _fetch_entries)(self._images)
        return {lod: self._level(fetch, self._halvings + lod) for lod in range(self.resolution_log2 - 1)}

    def _level(self, fetch, halvings):
        channels, height, width = self._images.shape
        return Level(
            shape=(channels, height >> halvings, width >> halvings),
            fetch=fetch,
            parse=lambda content: decode_image(content, self._images.shape, halvings),
            num_threads=self._num_threads)

    def _damage(self, index):
        source, name = self._images.source, self._images.names[index]
        return UserError(f'{source.file_path(name)}: the image is damaged, or was changed or removed; copy '
                         f'{"the zip file" if source.zip else "the file"} again')


def _fetch_files(images):
    """Return a function from the number of an image (int64 tensor) to the content of its file."""
    names = tf.constant([os.fsencode(name) for name in images.names])
    folder = os.fsencode(os.path.join(images.path, ''))
    return lambda index: tf.io.read_file(folder + tf.gather(names, index))


def _fetch_entries(images):
    """Return a function from the number of an image (int64 tensor) to the content of its entry in a zip
    file."""
    def fetch(index):
        # TensorFlow has no operation for a part of a file that does not read all before it. Python's lock is
        # free while a file is read and unpacked.
        content = tf.numpy_function(images.entries.read, [index], tf.string)
        return tf.ensure_shape(content, [])

    return fetch
