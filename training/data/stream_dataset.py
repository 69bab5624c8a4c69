"""The base class of data sets in files: streams that are shuffled, shared by workers, and resumed."""

import functools
import math
import os

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.progress import Progress, shown
from dnnlib.util import UserError
from training.data import summary
from training.data.base import Dataset
from training.data.mirroring import mirror_at_random
from training.data.record_stream import image_label_stream, image_order, share_of_stream

# What is raised for a file that is damaged, changed or removed while it is read.
READ_ERRORS = (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError,
               tf.errors.PermissionDeniedError)
_VALIDATION_MINIBATCH = 64
_WITHOUT_GPUS = {'device_count.GPU': 0}


def checked_max_images(max_images):
    """Return the largest number of images to use. Raises UserError if that is less than 1. None = all."""
    if max_images is not None and max_images < 1:
        raise UserError(f'max_images must be at least 1, not {max_images}')
    return math.inf if max_images is None else max_images


class StreamDataset(Dataset):
    """Images and labels of numbered images in files.

    Needs a default session. The order of the images follows from the seed of the graph. A subclass implements
    `_make_levels` and `_damage` and, if it can have a validation set, `_open_validation_set`. Attributes
    beside those of Dataset: `tfrecord_dir`, where the files are, and `num_images`.
    """

    def __init__(self, tfrecord_dir, shape, num_images, labels, repeat, shuffle_mb, prefetch_mb,
                 mirror_augment=False):
        """shape: [C,H,W] at lod 0. labels: array [N, label_size], whose first `num_images` rows are used;
        [0, 0] without labels. mirror_augment: mirror images at random?"""
        super().__init__(shape, label_size=labels.shape[1], label_dtype=labels.dtype.name)
        self.tfrecord_dir = tfrecord_dir
        self.num_images = num_images
        self._mirror_augment = mirror_augment
        self._np_labels = labels[:num_images]
        seed = tf.get_default_graph().seed
        self._order_args = dict(
            num_images=num_images, seed=int.from_bytes(os.urandom(4)) if seed is None else seed,
            repeat=repeat, shuffle_mb=shuffle_mb)
        self._cur_minibatch = None
        self._cur_lod = None
        self._start = 0, 0  # where the stream began: number of the pass, images skipped in it
        self._taken = 0     # images since then
        with tf.name_scope('Dataset'), tf.device('/cpu:0'):
            self._build(prefetch_mb)

    def _make_levels(self):
        """Return {lod: record_stream.Level} for the default graph."""
        raise NotImplementedError

    def _damage(self, index):
        """Return the UserError that names an image which cannot be read at the current lod."""
        raise NotImplementedError

    def _open_validation_set(self):
        """Return the validation set as a StreamDataset in order, without repetition, of the default graph."""
        raise NotImplementedError

    def _build(self, prefetch_mb):
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
            image_label_stream, labels=labels, first_pass=self._pass_in, skip=self._skip_in,
            prefetch_mb=prefetch_mb, **self._order_args)
        self._levels = self._make_levels()
        self._init_ops = self._make_init_ops(share=None)

    def _make_init_ops(self, share):
        return {lod: self._iterator.make_initializer(
                    self._make_stream(level, share=share).batch(self._minibatch_in))
                for lod, level in self._levels.items()}

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
        with tf.device('/cpu:0'):
            images, labels = self._iterator.get_next()
            if self._mirror_augment:
                images = mirror_at_random(images)
        return images, labels

    def get_minibatch_np(self, minibatch_size, lod=0):
        """Configure the data set and read one minibatch: arrays of images uint8 [N,C,H,W] and labels
        [N,label_size].

        Raises tf.errors.OutOfRangeError at the end of a data set that does not repeat, and UserError for a
        damaged file.
        """
        try:
            return super().get_minibatch_np(minibatch_size, lod)
        except READ_ERRORS as error:
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

    def load_validation_set_np(self):
        """Read the validation set: images uint8 [N,C,H,W] and labels float32 [N,label_size], N = 0 without
        one. Raises UserError if its images or labels differ in shape from those of the training set, or for a
        damaged file."""
        if not self.has_validation_set:
            return super().load_validation_set_np()
        with tf.Graph().as_default(), tflib.create_session(_WITHOUT_GPUS):
            data = self._open_validation_set()
            summary.require_alike(summary.validation_path(self.tfrecord_dir), data.shape, data.label_size,
                                  self.shape, self.label_size)
            images = np.empty([data.num_images, *data.shape], np.uint8)
            labels = np.empty([data.num_images, data.label_size], np.float32)
            progress = Progress(data.num_images, 'images', title='Loading the validation set')
            for start in range(0, data.num_images, _VALIDATION_MINIBATCH):
                progress.show(start)
                part = slice(start, start + _VALIDATION_MINIBATCH)
                images[part], labels[part] = data.get_minibatch_np(_VALIDATION_MINIBATCH)
            progress.clear()
        return images, labels

    def classes(self):
        return set(np.argmax(self._np_labels, axis=1).tolist())

    def describe_error(self, error):
        """Return a UserError that names the image if `error`, a tf.errors.OpError, comes from a damaged file;
        otherwise `error`."""
        if not (isinstance(error, tf.errors.DataLossError) or 'Iterator' in error.message):
            return error
        index = self._first_damaged()
        return error if index is None else self._damage(index)

    def _first_damaged(self):
        """Return the number of the first image, from the next one on, that cannot be read; None if all can
        be."""
        number, skip = self._reached()
        order_args = {**self._order_args, 'repeat': True}  # a whole pass from here on
        with tf.Graph().as_default(), tf.device('/cpu:0'), \
                tflib.create_session(_WITHOUT_GPUS) as session:
            level = self._make_levels()[self._cur_lod]
            order = image_order(level.shape, first_pass=number, skip=skip, **order_args)
            next_index = tf.data.make_one_shot_iterator(order).get_next()
            index_in = tf.placeholder(tf.int64, [])
            image = level.parse(level.fetch(index_in)).op
            for _ in shown(range(self.num_images), 'Looking for the damaged image', 'images'):
                index = session.run(next_index)
                try:
                    session.run(image, {index_in: index})
                except tf.errors.OpError:
                    return int(index)
        return None
