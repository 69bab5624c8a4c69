"""The base class of data sets: what training asks of them, with defaults for what they need not do."""

import numpy as np

import dnnlib.tflib as tflib
from training.data import sizes


class Dataset:
    """Images and labels, streamed into TensorFlow. Derive your own data set from this class.

    A subclass calls `__init__` and implements `configure`, `get_minibatch_tf` and, if it has labels,
    `get_random_labels_tf`. The training loop takes it as dataset_args=dict(class_name='my_module.MyDataset').
    Optional: `advance`, `position` and `restore`, so that resumed runs continue with the next image, and
    `take_share`, so that each of several workers reads only its part. `TFRecordDataset` has them all.

    Attributes: `shape` [C,H,W] at full resolution, `base_shape` [h,w] at the lowest one, `resolution` (4
    times 2 to the number of doublings from there: the side of squares if that is a power of two),
    `resolution_log2`, `dtype`, `dynamic_range` (values of black and white), `label_size` (0 = no labels),
    `label_dtype`, `class_names` (list, or None if the classes have no names), `has_validation_set` (see
    `load_validation_set_np`).
    """

    # Variables that the data set creates and restores itself; training states leave them out.
    variables = ()
    base_shape = sizes.SQUARE
    class_names = None
    has_validation_set = False

    def __init__(self, shape, dtype='uint8', dynamic_range=(0, 255), label_size=0, label_dtype='float32'):
        self.shape = list(shape)
        self.base_shape, doublings = sizes.split(*self.shape[1:])
        if self.base_shape is None:  # for classes of users, which may put such images to other uses
            self.base_shape = self.shape[1:]
            self.resolution = self.shape[1]
        else:
            self.resolution = 4 << doublings
        self.resolution_log2 = int(np.log2(self.resolution))
        self.dtype = dtype
        self.dynamic_range = list(dynamic_range)
        self.label_size = label_size
        self.label_dtype = label_dtype
        self._minibatch_np_expr = None
        self._random_labels_np_exprs = {}  # minibatch size: tensor

    def configure(self, minibatch_size, lod=0):
        """Set the minibatch size and the level of detail (rounded down; 0 = full resolution) of the next
        minibatches."""
        raise NotImplementedError

    def get_minibatch_tf(self):
        """Return tensors of the next minibatch, as configured: images [N,C,H,W], labels [N,label_size]."""
        raise NotImplementedError

    def get_minibatch_np(self, minibatch_size, lod=0):
        """Configure the data set and read one minibatch: arrays of images [N,C,H,W] and labels
        [N,label_size]."""
        self.configure(minibatch_size, lod)
        if self._minibatch_np_expr is None:
            self._minibatch_np_expr = self.get_minibatch_tf()
        minibatch = tflib.run(self._minibatch_np_expr)
        self.advance(1)
        return minibatch

    def get_random_labels_tf(self, minibatch_size):
        """Return a tensor of labels [minibatch_size, label_size], drawn anew at every evaluation."""
        raise NotImplementedError

    def get_random_labels_np(self, minibatch_size):
        """Return an array of random labels [minibatch_size, label_size]."""
        if minibatch_size not in self._random_labels_np_exprs:
            self._random_labels_np_exprs[minibatch_size] = self.get_random_labels_tf(minibatch_size)
        return tflib.run(self._random_labels_np_exprs[minibatch_size])

    def load_validation_set_np(self):
        """Return all images of the validation set, uint8 [N,C,H,W], and labels, float32 [N,label_size]. They
        are like those of the training set, but not among them. N = 0 without a validation set."""
        return np.zeros([0, *self.shape], np.uint8), np.zeros([0, self.label_size], np.float32)

    def classes(self):
        """Return the classes that images have, as the set of the largest components of their labels. None =
        unknown."""

    def take_share(self, first, count, total):
        """Restrict the stream to minibatches first ... first + count - 1 of every `total`, for one of several
        workers. Returns False if the data set cannot do that; the worker then skips the others' minibatches.
        """
        return False

    def advance(self, num_minibatches):
        """Count minibatches that were taken from `get_minibatch_tf`, by all workers together."""

    def position(self):
        """Return what `restore` needs to continue with the next image, valid JSON. None = nothing."""

    def restore(self, position):
        """Continue where another data set was at `position()`, possibly in another process."""

    def describe_error(self, error):
        """Return the exception to raise for a tf.errors.OpError in training: `error` itself, or a UserError
        that names the damaged file."""
        return error

    def close(self):
        """Release what the data set holds, when training ends."""
