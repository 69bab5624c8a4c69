"""Data sets: TFRecord files streamed into TensorFlow, and `Dataset`, the base class of your own."""

import os

import tensorflow.compat.v1 as tf

import dnnlib
from dnnlib.util import num_cores
from training.data import folders, label_files, record_files, record_levels, records, summary
from training.data.base import Dataset
from training.data.image_files_dataset import ImageDataset
from training.data.stream_dataset import StreamDataset, checked_max_images
from training.data.synthetic import SyntheticDataset

__all__ = ['Dataset', 'ImageDataset', 'SyntheticDataset', 'TFRecordDataset', 'load_dataset', 'num_images_in',
           'read_once', 'shapes_in']


class TFRecordDataset(StreamDataset):
    """Images and labels of a folder written by dataset_tool.py: one *.tfrecords file per resolution or, if
    they are stored as PNG or JPEG, one of the full resolution.

    Files whose names begin with `validation-` are those of the validation set only.

    Needs a default session. Raises UserError, naming the file, for a folder that is missing, incomplete or
    damaged. The order of the images follows from the seed of the graph. Attributes beside those of Dataset:
    `tfrecord_dir`, `label_file` (path or None), `num_images`.
    """

    def __init__(self,
        tfrecord_dir,               # Folder of the *.tfrecords files.
        resolution      = None,     # Nominal resolution at lod 0. None = that of the largest file.
        label_file      = None,     # Path, absolute or below tfrecord_dir. None = *.labels there.
        max_label_size  = 0,        # Leading components of the labels to use: a number or 'full'.
        max_images      = None,     # Use only the first images, this many. None = all.
        repeat          = True,     # Start another pass after the last image?
        shuffle_mb      = 4096,     # MiB of images among which the next one is drawn. 0 = in order.
        prefetch_mb     = 2048,     # MiB of images to read ahead, at most 4096 images. 0 = none.
        buffer_mb       = 256,      # MiB that are read from a file at a time.
        num_threads     = 2,        # Threads that read records. PNG and JPEG are decoded on all cores.
        max_validation  = 10000,    # Use only the first images of the validation set. 0 = do not use it.
        mirror_augment  = False,    # Mirror images at random?
        shuffle         = True,     # False = in order, as with shuffle_mb = 0.
        _is_validation  = False):   # Stream the validation set itself?

        num_images = checked_max_images(max_images)
        self._files = record_files.files_by_lod(tfrecord_dir, resolution, _is_validation)
        self.has_validation_set = (not _is_validation and max_validation > 0
                                   and folders.has_validation_records(tfrecord_dir))
        self._max_validation = max_validation
        self._buffer_mb = buffer_mb
        full, halvings = self._files[0]
        self._num_threads = max(num_threads, num_cores()) if full.is_encoded else num_threads
        self.label_file = label_files.find(label_file, tfrecord_dir, _is_validation)
        channels, height, width = full.shape
        super().__init__(
            tfrecord_dir, [channels, height >> halvings, width >> halvings], min(full.num_images, num_images),
            label_files.load(self.label_file, max_label_size, full), repeat, shuffle_mb if shuffle else 0,
            prefetch_mb, mirror_augment)
        self.class_names = folders.names_of_classes(tfrecord_dir)

    def _open_validation_set(self):
        return TFRecordDataset(
            self.tfrecord_dir, self.resolution, max_label_size=self.label_size, repeat=False, prefetch_mb=0,
            max_images=self._max_validation, shuffle=False, num_threads=self._num_threads,
            _is_validation=True)

    def _make_levels(self):
        return {lod: record_levels.level_of(file, halvings, self._buffer_mb, self._num_threads)
                for lod, (file, halvings) in self._files.items()}

    def _damage(self, index):
        return record_files.damage(self._files[self._cur_lod][0].path, index)

    @staticmethod
    def parse_tfrecord_tf(record):
        """Return the image of a record as a tensor: string [] -> uint8 [C,H,W]. Its evaluation raises
        tf.errors.InvalidArgumentError if the record is not an image."""
        return record_levels.parse_tf(record)

    @staticmethod
    def parse_tfrecord_np(record):
        """Return the image of a serialized record (bytes), uint8 [C,H,W]. Raises ValueError if it is not an
        image."""
        return records.pixels(records.unpacked(record))


def load_dataset(class_name=None, data_dir=None, verbose=False, **kwargs):
    """Construct a data set: an instance of `class_name` or, given `tfrecord_dir` (below `data_dir`), a
    TFRecordDataset or, for a zip file or folder of images, an ImageDataset.

    verbose: print what is streamed. kwargs: arguments of the class. As in StyleGAN2-ADA, `path` can be given
    instead of `tfrecord_dir`, and `seed` with it, which has no effect. A class that has only the published
    methods gets the other ones of `Dataset`.
    """
    if class_name is None:
        kwargs = with_published_names(kwargs)
    if 'tfrecord_dir' in kwargs:
        if data_dir is not None:
            kwargs['tfrecord_dir'] = os.path.join(data_dir, kwargs['tfrecord_dir'])
        if class_name is None:
            own = ImageDataset if folders.holds_images(kwargs['tfrecord_dir']) else TFRecordDataset
            class_name = f'{__name__}.{own.__name__}'
    assert class_name is not None
    if verbose:
        print(f'Streaming data using {class_name}...')
    # Data sets of users need not list their variables: take all that the constructor creates.
    num_variables = len(tf.global_variables())
    training_set = dnnlib.util.call_func_by_name(func_name=class_name, **kwargs)
    if not isinstance(training_set, Dataset):
        own_class = type(training_set)
        training_set.__class__ = type(own_class.__name__, (own_class, Dataset), {})
    training_set.variables = tf.global_variables()[num_variables:]
    if verbose:
        print('Dataset shape =', list(training_set.shape))
        print('Dynamic range =', list(training_set.dynamic_range))
        print('Label size    =', training_set.label_size)
    return training_set


def with_published_names(dataset_args):
    """Return arguments of StyleGAN2-ADA's `load_dataset` as arguments of this one; others are unchanged."""
    args = dict(dataset_args)
    if 'class_name' not in args and 'path' in args:
        args['tfrecord_dir'] = args.pop('path')
        args.pop('seed', None)
    return args


def read_once(dataset, minibatch_size=16):
    """Yield each (image uint8 [C,H,W], label [label_size]) of a data set that does not repeat."""
    while True:
        try:
            images, labels = dataset.get_minibatch_np(minibatch_size)
        except tf.errors.OutOfRangeError:
            return
        yield from zip(images, labels, strict=True)


def shapes_in(tfrecord_dir, resolution=None, max_label_size=0):
    """Return the shapes of images and labels, ([C,H,W], [label_size]), of a data set that is not streamed.

    Arguments and errors are those of TFRecordDataset and ImageDataset.
    """
    shape, label_size, _ = summary.shapes_and_count(tfrecord_dir, resolution, max_label_size)
    return shape, [label_size]


def num_images_in(tfrecord_dir):
    """Return the number of images in a data set. Errors are those of `shapes_in`."""
    return summary.shapes_and_count(tfrecord_dir, max_label_size=0)[2]
