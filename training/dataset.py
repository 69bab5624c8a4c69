"""Streaming images and labels from a folder of TFRecord files, one file per resolution."""

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
from training.data import folders
from training.data.record_stream import RECORD_FRAME_BYTES, image_label_stream, share_of_stream
from training.data.synthetic import SyntheticDataset

__all__ = ['SyntheticDataset', 'TFRecordDataset', 'describe_data_error', 'load_dataset', 'num_images_in',
           'read_once', 'shapes_in']

_RECORD_FIELDS = {
    'shape': tf.FixedLenFeature([3], tf.int64),   # [C,H,W]
    'data': tf.FixedLenFeature([], tf.string),    # one byte a value, W varies fastest
}


class TFRecordDataset:
    """Images and labels of a folder that dataset_tool.py wrote, streamed into TensorFlow.

    Needs a default session. Raises UserError, naming the file, for whatever is wrong with the folder. The
    order of the images follows from the seed of the graph.

    Attributes: `shape` [C,H,W] at the full resolution, `dtype` 'uint8', `dynamic_range` [0, 255],
    `resolution`, `resolution_log2`, `label_file` (path or None), `label_size` (0 = no labels), `label_dtype`,
    `num_images`.
    """

    def __init__(self,
        tfrecord_dir,               # Folder of the *.tfrecords files, one for every resolution.
        resolution      = None,     # Side in pixels of what is read at lod 0. None = of the largest file.
        label_file      = None,     # Labels: a path, which may begin at tfrecord_dir. None = *.labels there.
        max_label_size  = 0,        # Leading components of the labels to use: a number or 'full'.
        max_images      = None,     # Leave out the images after the first so many. None = use all.
        repeat          = True,     # After the last image, begin another pass?
        shuffle_mb      = 4096,     # MiB of images among which the next one is drawn. 0 = in order.
        prefetch_mb     = 2048,     # MiB of images to hold ready, but 4096 at most. 0 = none.
        buffer_mb       = 256,      # MiB that are read from a file at a time.
        num_threads     = 2):       # How many threads turn records into images.

        self.tfrecord_dir = tfrecord_dir
        self.dtype = 'uint8'
        self.dynamic_range = [0, 255]
        if max_images is not None and max_images < 1:
            raise UserError(f'max_images must be at least 1, not {max_images}')
        self._files = _files_by_lod(tfrecord_dir, resolution)
        self.shape = list(self._files[0].shape)
        self.resolution = self.shape[1]
        self.resolution_log2 = int(np.log2(self.resolution))
        self.num_images = min(self._files[0].num_images, max_images or math.inf)
        seed = tf.get_default_graph().seed
        self._seed = int.from_bytes(os.urandom(4)) if seed is None else seed

        self.label_file = _find_label_file(label_file, tfrecord_dir)
        labels = _load_labels(self.label_file, max_label_size, self._files[0])
        self._np_labels = labels[:max_images]
        self.label_size = labels.shape[1]
        self.label_dtype = labels.dtype.name

        self._cur_minibatch = None
        self._cur_lod = None
        self._start = 0, 0  # pass, and images of it that were left out, where the stream began
        self._taken = 0     # images since then
        self._minibatch_np_expr = None
        with tf.name_scope('Dataset'), tf.device('/cpu:0'):
            self._build(repeat=repeat, shuffle_mb=shuffle_mb, prefetch_mb=prefetch_mb, buffer_mb=buffer_mb,
                        num_threads=num_threads)

    def _build(self, **stream_args):
        """One iterator for all lods, with an initializer for each."""
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
        self._init_ops = {}
        self._make_stream = functools.partial(
            image_label_stream, labels=labels, num_images=self.num_images, seed=self._seed,
            first_pass=self._pass_in, skip=self._skip_in, **stream_args)
        self._make_init_ops(share=None)

    def _make_init_ops(self, share):
        for lod, file in self._files.items():
            stream = self._make_stream(file, parse=_parser(file.shape), share=share)
            self._init_ops[lod] = self._iterator.make_initializer(stream.batch(self._minibatch_in))

    def take_share(self, first, count, total):
        """From now on bring only minibatches first ... first + count - 1 of every `total`, as one of several
        processes that read the stream together. `advance` and `position` count the minibatches of all."""
        with tf.name_scope('Dataset'), tf.device('/cpu:0'):
            self._make_init_ops(functools.partial(
                share_of_stream, minibatch_size=self._minibatch_in, first=first, count=count, total=total))
        if self._cur_minibatch is not None:
            self._begin(self._cur_minibatch, self._cur_lod, *self._reached())

    def close(self):
        """Nothing to do; there for the sake of callers."""

    def configure(self, minibatch_size, lod=0):
        """Choose minibatch size and level of detail (rounded down; 0 = full resolution) of what follows. The
        stream starts again, with another pass over the images, if either has changed."""
        lod = int(np.floor(lod))
        assert minibatch_size >= 1 and lod in self._init_ops
        if (minibatch_size, lod) != (self._cur_minibatch, self._cur_lod):
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
        """-> number of the pass that the next image belongs to, images of it that are behind."""
        number, skip = self._start
        passes, skip = divmod(skip + self._taken, self.num_images)
        return number + passes, skip

    def advance(self, num_minibatches):
        """Note that so many minibatches of `get_minibatch_tf` have been taken."""
        self._taken += num_minibatches * self._cur_minibatch

    def position(self):
        """Where the stream is, for `restore`: a dict of numbers."""
        number, skip = self._reached()
        return {'pass': number, 'skip': skip, 'minibatch_size': self._cur_minibatch, 'lod': self._cur_lod,
                'num_images': self.num_images}

    def restore(self, position):
        """Go on as after `position()`, which may have been in another process with the same seed. UserError
        if that was in another data set."""
        if position['num_images'] != self.num_images:
            raise UserError(f'{self.tfrecord_dir}: holds {self.num_images} images, but the training state is '
                            f'of a data set of {position["num_images"]}; go on with that one')
        if position['minibatch_size'] is not None:
            self._begin(position['minibatch_size'], position['lod'], position['pass'], position['skip'])

    def get_minibatch_tf(self):
        """Tensors of the next minibatch: images uint8 [N,C,H,W], labels [N,label_size], as configured."""
        return self._iterator.get_next()

    def get_minibatch_np(self, minibatch_size, lod=0):
        """Configure, then read one minibatch into arrays: images uint8 [N,C,H,W], labels [N,label_size].

        Raises tf.errors.OutOfRangeError at the end of a data set that does not repeat and UserError where a
        file is damaged.
        """
        self.configure(minibatch_size, lod)
        if self._minibatch_np_expr is None:
            with tf.name_scope('Dataset'):
                self._minibatch_np_expr = self.get_minibatch_tf()
        try:
            minibatch = tflib.run(self._minibatch_np_expr)
            self.advance(1)
            return minibatch
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            raise describe_data_error(error, self) from error

    def get_random_labels_tf(self, minibatch_size):
        """Labels [minibatch_size, label_size], drawn with replacement at every evaluation."""
        with tf.name_scope('Dataset'), tf.device('/cpu:0'):
            if self.label_size == 0:
                return tf.zeros([minibatch_size, 0], self.label_dtype)
            num_labels = self._np_labels.shape[0]
            return tf.gather(
                self._labels_var, tflib.random.uniform([minibatch_size], 0, num_labels, dtype=tf.int32))

    def get_random_labels_np(self, minibatch_size):
        """Labels [minibatch_size, label_size], drawn with replacement by NumPy's global generator."""
        if self.label_size == 0:
            return np.zeros([minibatch_size, 0], self.label_dtype)
        return self._np_labels[np.random.randint(self._np_labels.shape[0], size=[minibatch_size])]

    @staticmethod
    def parse_tfrecord_tf(record):
        """Tensor of the image in a record: string [] -> uint8 [C,H,W]. Evaluating it raises
        tf.errors.InvalidArgumentError where the record holds no image."""
        fields = tf.parse_single_example(record, _RECORD_FIELDS)
        levels = tf.decode_raw(fields['data'], tf.uint8)
        return tf.reshape(levels, fields['shape'])  # [C*H*W] -> [C,H,W]

    @staticmethod
    def parse_tfrecord_np(record):
        """Serialized record (bytes) -> image, uint8 [C,H,W]. Raises ValueError if it holds no image."""
        try:
            feature = tf.train.Example.FromString(record).features.feature
        except DecodeError as error:
            raise ValueError('the record is not a tf.train.Example') from error
        shape = feature['shape'].int64_list.value
        data = feature['data'].bytes_list.value
        if len(shape) != 3 or min(shape) < 1 or len(data) != 1 or len(data[0]) != math.prod(shape):
            num_bytes = sum(len(value) for value in data)
            raise ValueError(f'the record holds no image: shape {list(shape)}, {num_bytes} bytes of data')
        return np.frombuffer(data[0], np.uint8).reshape(shape).copy()  # [C*H*W] -> [C,H,W]


def load_dataset(class_name=None, data_dir=None, verbose=False, **kwargs):
    """Construct a data set class by name; where `tfrecord_dir` (below `data_dir`) is given, TFRecordDataset.

    verbose: print what is streamed. kwargs: arguments of the class.
    """
    if 'tfrecord_dir' in kwargs:
        class_name = class_name or f'{__name__}.TFRecordDataset'
        if data_dir is not None:
            kwargs['tfrecord_dir'] = os.path.join(data_dir, kwargs['tfrecord_dir'])
    assert class_name is not None
    if verbose:
        print(f'Streaming data using {class_name}...')
    training_set = dnnlib.util.call_func_by_name(func_name=class_name, **kwargs)
    if verbose:
        print('Dataset shape =', list(training_set.shape))
        print('Dynamic range =', list(training_set.dynamic_range))
        print('Label size    =', training_set.label_size)
    return training_set


def read_once(dataset, minibatch_size=16):
    """Yield (image uint8 [C,H,W], label [label_size]), once through a data set that does not repeat."""
    while True:
        try:
            images, labels = dataset.get_minibatch_np(minibatch_size)
        except tf.errors.OutOfRangeError:
            return
        yield from zip(images, labels, strict=True)


def describe_data_error(error, dataset):
    """The exception to raise in place of a tf.errors.OpError that came up while `dataset` was streamed: a
    UserError that names file and record where the file is damaged, `error` itself otherwise."""
    from_stream = isinstance(error, tf.errors.DataLossError) or 'Iterator' in error.message
    if not (from_stream and isinstance(dataset, TFRecordDataset)):
        return error
    file = dataset._files[dataset._cur_lod]
    index, whole = _intact_records(file.path, file.shape)
    return error if whole else _damage(file.path, index)


@dataclasses.dataclass(frozen=True)
class _RecordFile:
    """A *.tfrecords file as far as its size and its first record tell."""
    path: str
    shape: tuple     # [C,H,W]
    num_images: int
    record_bytes: int | None  # Of each record, frame included; None = they differ.


def _inspect(path):
    """_RecordFile of a path; UserError if the first record is no square image or the last one is cut off."""
    try:
        record = next(tf.python_io.tf_record_iterator(path), None)
        shape = None if record is None else TFRecordDataset.parse_tfrecord_np(record).shape
    except (tf.errors.OpError, ValueError) as error:
        raise _damage(path, 0, f' ({error})') from error
    if shape is None:
        raise UserError(f'{path}: the file is empty; create the data set again with dataset_tool.py')
    side = shape[1]
    if shape[2] != side or side & (side - 1) != 0:
        raise UserError(f'{path}: images are {shape[2]}x{side}; expected squares with a power of two as side')
    num_bytes = os.path.getsize(path)
    record_bytes = len(record) + RECORD_FRAME_BYTES
    num_images, rest = divmod(num_bytes, record_bytes)
    if rest != 0:  # cut off, or records of several lengths: only reading the whole file tells
        num_images, whole = _intact_records(path, shape)
        if not whole:
            raise _damage(path, num_images)
    return _RecordFile(path, shape, num_images, record_bytes if rest == 0 else None)


def shapes_in(tfrecord_dir, resolution=None, max_label_size=0):
    """Shapes of the images and labels of a data set, ([C,H,W], [label_size]), without streaming anything.

    Arguments and errors are those of TFRecordDataset.
    """
    file = _files_by_lod(tfrecord_dir, resolution)[0]
    labels = _load_labels(folders.label_file(tfrecord_dir), max_label_size, file)
    return list(file.shape), [labels.shape[1]]


def num_images_in(tfrecord_dir):
    """Number of images of a data set. Errors are those of TFRecordDataset."""
    return _files_by_lod(tfrecord_dir, None)[0].num_images


def _files_by_lod(tfrecord_dir, resolution):
    """{lod: file} for `resolution` (None = the largest) and everything below it.

    Raises UserError where a resolution from 4 on is missing or files do not belong together.
    """
    by_side = {}
    for file in map(_inspect, folders.record_paths(tfrecord_dir)):
        if file.shape[1] in by_side:
            raise UserError(f'{tfrecord_dir}: two files have resolution {file.shape[1]}: '
                            f'{by_side[file.shape[1]].path} and {file.path}; keep one data set per folder')
        by_side[file.shape[1]] = file
    resolution = max(by_side) if resolution is None else int(resolution)
    available = ', '.join(str(side) for side in sorted(by_side))
    if resolution not in by_side or resolution < 4:
        raise UserError(f'{tfrecord_dir}: resolution {resolution} is not available; there are {available}')
    by_lod = {}
    for lod in range(int(np.log2(resolution)) - 1):
        side = resolution >> lod
        if side not in by_side:
            raise UserError(f'{tfrecord_dir}: resolution {side} is missing; there are {available}, but all '
                            f'from 4 to {resolution} are needed; create them with dataset_tool.py')
        by_lod[lod] = by_side[side]
        _check_same_images(by_lod[0], by_lod[lod])
    return by_lod


def _check_same_images(full, reduced):
    """UserError if two files cannot be one set of images at two resolutions."""
    if reduced.shape[0] != full.shape[0]:
        raise UserError(f'{reduced.path}: images have {reduced.shape[0]} channels, but {full.path} has '
                        f'{full.shape[0]}; create the data set again with dataset_tool.py')
    if reduced.num_images != full.num_images:
        raise UserError(f'{reduced.path}: holds {reduced.num_images} images, but {full.path} holds '
                        f'{full.num_images}; copy the files again or create them with dataset_tool.py')


def _find_label_file(label_file, tfrecord_dir):
    """Path of the label file or, where none is named and none is in the folder, None."""
    if label_file is None:
        return folders.label_file(tfrecord_dir)
    for path in (label_file, os.path.join(tfrecord_dir, label_file)):
        if os.path.isfile(path):
            return path
    raise UserError(f'{label_file}: there is no such label file, neither as it stands nor in {tfrecord_dir}')


def _load_labels(path, max_label_size, images):
    """Labels [num_images, label_size] for the images of a _RecordFile; [0, 0] where none are wanted or there
    is no file. Raises UserError if they do not fit."""
    if max_label_size != 'full' and not (isinstance(max_label_size, int) and max_label_size >= 0):
        raise UserError(f"max_label_size must be 'full' or an integer from 0 on, not {max_label_size!r}")
    if path is None or max_label_size == 0:
        return np.zeros([0, 0], np.float32)
    try:
        with open(path, 'rb') as file:
            labels = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f'{path}: is not a readable label file ({error}); expected the content of a .npy '
                        'file, as dataset_tool.py writes it') from error
    if labels.ndim != 2 or labels.dtype.kind not in 'fiu':
        raise UserError(f'{path}: labels are {labels.dtype} of shape {list(labels.shape)}; '
                        'expected numbers of shape [images, components]')
    if labels.shape[0] != images.num_images:
        raise UserError(f'{path}: holds {labels.shape[0]} labels, but {images.path} holds '
                        f'{images.num_images} images; create the data set again with dataset_tool.py')
    return labels if max_label_size == 'full' else labels[:, :max_label_size]


def _parser(shape):
    """Function: serialized record -> image of this shape."""
    return lambda record: tf.ensure_shape(TFRecordDataset.parse_tfrecord_tf(record), shape)


def _intact_records(path, shape):
    """-> number of records from the start that hold an image of this shape, whether they fill the file."""
    count = num_bytes = 0
    try:
        for record in tf.python_io.tf_record_iterator(path):
            if TFRecordDataset.parse_tfrecord_np(record).shape != shape:
                return count, False
            count += 1
            num_bytes += len(record) + RECORD_FRAME_BYTES
    except (tf.errors.DataLossError, ValueError):
        return count, False
    return count, num_bytes == os.path.getsize(path)  # TensorFlow overlooks a piece of the next length


def _damage(path, index, reason=''):
    return UserError(f'{path}: record {index} is damaged or cut off{reason}; '
                     'copy the file again or create the data set again with dataset_tool.py')
