"""Data sets: TFRecord files streamed into TensorFlow, and `Dataset`, the base class of your own."""

import dataclasses
import functools
import math
import os

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.util import UserError
from training.data import folders, sizes
from training.data.base import Dataset
from training.data.record_stream import RECORD_FRAME_BYTES, image_label_stream, share_of_stream
from training.data.synthetic import SyntheticDataset

__all__ = ['Dataset', 'SyntheticDataset', 'TFRecordDataset', 'load_dataset', 'num_images_in', 'read_once',
           'shapes_in']

_RECORD_FIELDS = {
    'shape': tf.FixedLenFeature([3], tf.int64),   # [C,H,W]
    'data': tf.FixedLenFeature([], tf.string),    # one byte per value, W varies fastest
}


class TFRecordDataset(Dataset):
    """Images and labels of a folder written by dataset_tool.py, one *.tfrecords file per resolution.

    Needs a default session. Raises UserError, naming the file, for a folder that is missing, incomplete or
    damaged. The order of the images follows from the seed of the graph. Attributes beside those of Dataset:
    `tfrecord_dir`, `label_file` (path or None), `num_images`.
    """

    def __init__(self,
        tfrecord_dir,               # Folder of the *.tfrecords files, one for every resolution.
        resolution      = None,     # Side in pixels at lod 0. None = that of the largest file.
        label_file      = None,     # Path, absolute or below tfrecord_dir. None = *.labels there.
        max_label_size  = 0,        # Leading components of the labels to use: a number or 'full'.
        max_images      = None,     # Use only the first images, this many. None = all.
        repeat          = True,     # Start another pass after the last image?
        shuffle_mb      = 4096,     # MiB of images among which the next one is drawn. 0 = in order.
        prefetch_mb     = 2048,     # MiB of images to read ahead, at most 4096 images. 0 = none.
        buffer_mb       = 256,      # MiB that are read from a file at a time.
        num_threads     = 2):       # Threads that decode records.

        self.tfrecord_dir = tfrecord_dir
        if max_images is not None and max_images < 1:
            raise UserError(f'max_images must be at least 1, not {max_images}')
        self._files = _files_by_lod(tfrecord_dir, resolution)
        self.num_images = min(self._files[0].num_images, max_images or math.inf)
        seed = tf.get_default_graph().seed
        self._seed = int.from_bytes(os.urandom(4)) if seed is None else seed

        self.label_file = _find_label_file(label_file, tfrecord_dir)
        labels = _load_labels(self.label_file, max_label_size, self._files[0])
        self._np_labels = labels[:max_images]
        super().__init__(self._files[0].shape, label_size=labels.shape[1], label_dtype=labels.dtype.name)

        self._cur_minibatch = None
        self._cur_lod = None
        self._start = 0, 0  # where the stream began: number of the pass, images skipped in it
        self._taken = 0     # images since then
        with tf.name_scope('Dataset'), tf.device('/cpu:0'):
            self._build(repeat=repeat, shuffle_mb=shuffle_mb, prefetch_mb=prefetch_mb, buffer_mb=buffer_mb,
                        num_threads=num_threads)

    def _build(self, **stream_args):
        """Build one iterator for all lods, with an initializer for each."""
        self._minibatch_in, self._pass_in, self._skip_in = [
            tf.placeholder(tf.int64, shape=[], name=name) for name in ('minibatch_in', 'pass_in', 'skip_in')]
        labels = None
        if self.label_size > 0:
            self._labels_var = tflib.create_var_with_large_initial_value(
                self._np_labels, name='labels_var', trainable=False)
            labels = tf.convert_to_tensor(self._labels_var)
        self._iterator = tf.data.Iterator.from_structure(
            (tf.uint8, tf.as_dtype(self.label_dtype)),
            (tf.TensorShape([None, self.shape[0], None, None]), tf.TensorShape([None, self.label_size])))
        self._make_stream = functools.partial(
            image_label_stream, labels=labels, num_images=self.num_images, seed=self._seed,
            first_pass=self._pass_in, skip=self._skip_in, **stream_args)
        self._init_ops = self._make_init_ops(share=None)

    def _make_init_ops(self, share):
        def init_op(file):
            def parse(record):
                return tf.ensure_shape(self.parse_tfrecord_tf(record), file.shape)

            stream = self._make_stream(file, parse=parse, share=share)
            return self._iterator.make_initializer(stream.batch(self._minibatch_in))

        return {lod: init_op(file) for lod, file in self._files.items()}

    def take_share(self, first, count, total):
        with tf.name_scope('Dataset'), tf.device('/cpu:0'):
            self._init_ops = self._make_init_ops(functools.partial(
                share_of_stream, minibatch_size=self._minibatch_in, first=first, count=count, total=total))
        if self._cur_minibatch is not None:
            self._begin(self._cur_minibatch, self._cur_lod, *self._reached())
        return True

    def configure(self, minibatch_size, lod=0):
        lod = int(np.floor(lod))
        assert minibatch_size >= 1 and lod in self._init_ops
        if (minibatch_size, lod) != (self._cur_minibatch, self._cur_lod):  # another pass over the images
            number, skip = self._reached()
            self._begin(minibatch_size, lod, number + (skip > 0), 0)

    def _begin(self, minibatch_size, lod, number, skip):
        """Start the stream at pass `number` without its first `skip` images."""
        tflib.run(self._init_ops[lod], {
            self._minibatch_in: minibatch_size, self._pass_in: number, self._skip_in: skip})
        self._cur_minibatch = minibatch_size
        self._cur_lod = lod
        self._start = number, skip
        self._taken = 0

    def _reached(self):
        """Return the number of the pass of the next image, and how many images of that pass are done."""
        number, skip = self._start
        passes, skip = divmod(skip + self._taken, self.num_images)
        return number + passes, skip

    def advance(self, num_minibatches):
        self._taken += num_minibatches * self._cur_minibatch

    def position(self):
        number, skip = self._reached()
        return {'pass': number, 'skip': skip, 'minibatch_size': self._cur_minibatch, 'lod': self._cur_lod,
                'num_images': self.num_images}

    def restore(self, position):
        """Continue at a position that `position()` returned, in any process with the same seed. Raises
        UserError if that was in another data set."""
        if position['num_images'] != self.num_images:
            raise UserError(f'{self.tfrecord_dir}: holds {self.num_images} images, but the training state is '
                            f'of a data set of {position["num_images"]}; resume with that one')
        if position['minibatch_size'] is not None:
            self._begin(position['minibatch_size'], position['lod'], position['pass'], position['skip'])

    def get_minibatch_tf(self):
        return self._iterator.get_next()

    def get_minibatch_np(self, minibatch_size, lod=0):
        """Configure the data set and read one minibatch: arrays of images uint8 [N,C,H,W] and labels
        [N,label_size].

        Raises tf.errors.OutOfRangeError at the end of a data set that does not repeat, and UserError for a
        damaged file.
        """
        try:
            return super().get_minibatch_np(minibatch_size, lod)
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            raise self.describe_error(error) from error

    def get_random_labels_tf(self, minibatch_size):
        with tf.name_scope('Dataset'), tf.device('/cpu:0'):
            if self.label_size == 0:
                return tf.zeros([minibatch_size, 0], self.label_dtype)
            num_labels = self._np_labels.shape[0]
            return tf.gather(
                self._labels_var, tflib.random.uniform([minibatch_size], 0, num_labels, dtype=tf.int32))

    def get_random_labels_np(self, minibatch_size):
        """Return labels [minibatch_size, label_size], drawn with replacement by NumPy's global generator."""
        if self.label_size == 0:
            return np.zeros([minibatch_size, 0], self.label_dtype)
        return self._np_labels[np.random.randint(self._np_labels.shape[0], size=[minibatch_size])]

    def describe_error(self, error):
        """Return a UserError that names file and record if `error`, a tf.errors.OpError, comes from a damaged
        file; otherwise `error`."""
        if not (isinstance(error, tf.errors.DataLossError) or 'Iterator' in error.message):
            return error
        file = self._files[self._cur_lod]
        index, whole = _intact_records(file.path, file.shape)
        return error if whole else _damage(file.path, index)

    @staticmethod
    def parse_tfrecord_tf(record):
        """Return the image of a record as a tensor: string [] -> uint8 [C,H,W]. Its evaluation raises
        tf.errors.InvalidArgumentError if the record is not an image."""
        fields = tf.parse_single_example(record, _RECORD_FIELDS)
        levels = tf.decode_raw(fields['data'], tf.uint8)
        return tf.reshape(levels, fields['shape'])  # [C*H*W] -> [C,H,W]

    @staticmethod
    def parse_tfrecord_np(record):
        """Return the image of a serialized record (bytes), uint8 [C,H,W]. Raises ValueError if it is not an
        image."""
        try:
            feature = tf.train.Example.FromString(record).features.feature
        except DecodeError as error:
            raise ValueError('the record is not a tf.train.Example') from error
        shape = feature['shape'].int64_list.value
        data = feature['data'].bytes_list.value
        if len(shape) != 3 or min(shape) < 1 or len(data) != 1 or len(data[0]) != math.prod(shape):
            num_bytes = sum(len(value) for value in data)
            raise ValueError(f'the record is not an image: shape {list(shape)}, {num_bytes} bytes of data')
        return np.frombuffer(data[0], np.uint8).reshape(shape).copy()  # [C*H*W] -> [C,H,W]


def load_dataset(class_name=None, data_dir=None, verbose=False, **kwargs):
    """Construct a data set: an instance of `class_name` or, given `tfrecord_dir` (below `data_dir`), a
    TFRecordDataset.

    verbose: print what is streamed. kwargs: arguments of the class. A class that has only the published
    methods gets the other ones of `Dataset`.
    """
    if 'tfrecord_dir' in kwargs:
        class_name = class_name or f'{__name__}.TFRecordDataset'
        if data_dir is not None:
            kwargs['tfrecord_dir'] = os.path.join(data_dir, kwargs['tfrecord_dir'])
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


def read_once(dataset, minibatch_size=16):
    """Yield each (image uint8 [C,H,W], label [label_size]) of a data set that does not repeat."""
    while True:
        try:
            images, labels = dataset.get_minibatch_np(minibatch_size)
        except tf.errors.OutOfRangeError:
            return
        yield from zip(images, labels, strict=True)


@dataclasses.dataclass(frozen=True)
class _RecordFile:
    """A *.tfrecords file."""
    path: str
    shape: tuple     # [C,H,W]
    num_images: int
    record_bytes: int | None  # Length of each record, frame included; None = they differ.

    @property
    def resolution(self):
        """The nominal one."""
        return sizes.nominal(*self.shape[1:])


def _inspect(path):
    """Return the _RecordFile of a path. Raises UserError if the first record is not a square image or the
    last one is cut off."""
    try:
        record = next(tf.python_io.tf_record_iterator(path), None)
        shape = None if record is None else TFRecordDataset.parse_tfrecord_np(record).shape
    except (tf.errors.OpError, ValueError) as error:
        raise _damage(path, 0, f' ({error})') from error
    if shape is None:
        raise UserError(f'{path}: the file is empty; create the data set again with dataset_tool.py')
    sizes.require(*shape[1:], path)
    num_bytes = os.path.getsize(path)
    record_bytes = len(record) + RECORD_FRAME_BYTES
    num_images, rest = divmod(num_bytes, record_bytes)
    if rest != 0:  # cut off, or records of several lengths: read the whole file
        num_images, whole = _intact_records(path, shape)
        if not whole:
            raise _damage(path, num_images)
    return _RecordFile(path, shape, num_images, record_bytes if rest == 0 else None)


def shapes_in(tfrecord_dir, resolution=None, max_label_size=0):
    """Return the shapes of images and labels, ([C,H,W], [label_size]), of a folder that is not streamed.

    Arguments and errors are those of TFRecordDataset.
    """
    file = _files_by_lod(tfrecord_dir, resolution)[0]
    labels = _load_labels(folders.label_file(tfrecord_dir), max_label_size, file)
    return list(file.shape), [labels.shape[1]]


def num_images_in(tfrecord_dir):
    """Return the number of images in a folder. Errors are those of TFRecordDataset."""
    return _files_by_lod(tfrecord_dir, None)[0].num_images


def _files_by_lod(tfrecord_dir, resolution):
    """Return {lod: file} for `resolution` (None = the largest) and all smaller ones down to 4.

    Raises UserError if a resolution is missing or the files are of different data sets.
    """
    by_side = {}
    for file in map(_inspect, folders.record_paths(tfrecord_dir)):
        if file.resolution in by_side:
            raise UserError(f'{tfrecord_dir}: two files have resolution {file.resolution}: '
                            f'{by_side[file.resolution].path} and {file.path}; keep one data set per folder')
        by_side[file.resolution] = file
    resolution = max(by_side) if resolution is None else int(resolution)
    available = ', '.join(str(side) for side in sorted(by_side))
    if resolution not in by_side or resolution < 4:
        raise UserError(f'{tfrecord_dir}: resolution {resolution} is not available, only {available}')
    by_lod = {}
    for lod in range(int(np.log2(resolution)) - 1):
        side = resolution >> lod
        if side not in by_side:
            raise UserError(f'{tfrecord_dir}: resolution {side} is missing; found {available}, expected all '
                            f'from 4 to {resolution}; create them with dataset_tool.py')
        by_lod[lod] = file = by_side[side]
        full = by_lod[0]
        if file.shape[0] != full.shape[0]:
            raise UserError(f'{file.path}: images have {file.shape[0]} channels, but {full.path} has '
                            f'{full.shape[0]}; create the data set again with dataset_tool.py')
        if file.num_images != full.num_images:
            raise UserError(f'{file.path}: holds {file.num_images} images, but {full.path} holds '
                            f'{full.num_images}; copy the files again or create them with dataset_tool.py')
    return by_lod


def _find_label_file(label_file, tfrecord_dir):
    """Return the path of the label file; None if none is named and the folder has none."""
    if label_file is None:
        return folders.label_file(tfrecord_dir)
    for path in (label_file, os.path.join(tfrecord_dir, label_file)):
        if os.path.isfile(path):
            return path
    raise UserError(f'{label_file}: no such label file, neither at this path nor in {tfrecord_dir}')


def _load_labels(path, max_label_size, images):
    """Return labels [num_images, label_size] for the images of a _RecordFile; [0, 0] without labels.

    Raises UserError for a file that is unreadable or of another number of images.
    """
    if max_label_size != 'full' and not (isinstance(max_label_size, int) and max_label_size >= 0):
        raise UserError(f"max_label_size must be 'full' or an integer >= 0, not {max_label_size!r}")
    if path is None or max_label_size == 0:
        return np.zeros([0, 0], np.float32)
    try:
        with open(path, 'rb') as file:
            labels = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f'{path}: not a readable label file ({error}); expected a file in .npy format, as '
                        'dataset_tool.py writes it') from error
    if labels.ndim != 2 or labels.dtype.kind not in 'fiu':
        raise UserError(f'{path}: labels are {labels.dtype} of shape {list(labels.shape)}; '
                        'expected numbers of shape [images, components]')
    if labels.shape[0] != images.num_images:
        raise UserError(f'{path}: holds {labels.shape[0]} labels, but {images.path} holds '
                        f'{images.num_images} images; create the data set again with dataset_tool.py')
    return labels if max_label_size == 'full' else labels[:, :max_label_size]


def _intact_records(path, shape):
    """Return how many records from the start are images of this shape, and whether they fill the file."""
    count = num_bytes = 0
    try:
        for record in tf.python_io.tf_record_iterator(path):
            if TFRecordDataset.parse_tfrecord_np(record).shape != shape:
                return count, False
            count += 1
            num_bytes += len(record) + RECORD_FRAME_BYTES
    except (tf.errors.DataLossError, ValueError):
        return count, False
    return count, num_bytes == os.path.getsize(path)  # TensorFlow ignores a part of the next length


def _damage(path, index, reason=''):
    return UserError(f'{path}: record {index} is damaged or cut off{reason}; '
                     'copy the file again or create the data set again with dataset_tool.py')
