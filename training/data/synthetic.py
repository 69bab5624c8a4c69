"""Data sets that are computed in the graph, without files."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError


class SyntheticDataset:
    """Images and labels that a graph computes. These are all zero: subclasses override `_generate_images` and
    `_generate_labels`.

    Needs a default session. Attributes: `shape` [C,H,W] at the full resolution, `resolution`,
    `resolution_log2` and the last four arguments. Raises UserError unless the resolution is a power of two.
    """

    def __init__(self,
        resolution      = 1024,         # Side in pixels, a power of two.
        num_channels    = 3,            # Channels of an image.
        dtype           = 'uint8',      # Type of the images.
        dynamic_range   = [0, 255],     # Values that stand for black and for white.
        label_size      = 0,            # Components of a label, 0 = no labels.
        label_dtype     = 'float32'):   # Type of the labels.

        if resolution < 1 or resolution & (resolution - 1) != 0:
            raise UserError(f'resolution must be a power of two, not {resolution}')
        self.resolution = resolution
        self.resolution_log2 = int(np.log2(resolution))
        self.shape = [num_channels, resolution, resolution]
        self.dtype = dtype
        self.dynamic_range = dynamic_range
        self.label_size = label_size
        self.label_dtype = label_dtype
        self._minibatch_np_expr = None
        self._random_labels_np_exprs = {}  # minibatch size: tensor
        with tf.name_scope('Dataset'), tf.device('/cpu:0'):
            self._minibatch_var = tf.Variable(np.int32(0), name='minibatch_var', trainable=False)
            self._lod_var = tf.Variable(np.int32(0), name='lod_var', trainable=False)

    def close(self):
        """Nothing to do; there for the sake of callers."""

    def configure(self, minibatch_size, lod=0):
        """Choose minibatch size and level of detail (rounded down; 0 = full resolution) of what follows."""
        lod = int(np.floor(lod))
        assert minibatch_size >= 1 and 0 <= lod <= self.resolution_log2
        tflib.set_vars({self._minibatch_var: minibatch_size, self._lod_var: lod})

    def get_minibatch_tf(self):
        """Tensors of a minibatch as configured: images [N,C,H,W], labels [N,label_size]."""
        with tf.name_scope('SyntheticDataset'):
            side = self.resolution // 2 ** self._lod_var
            images = self._generate_images(
                self._minibatch_var, self._lod_var, [self.shape[0], side, side])
            labels = self._generate_labels(self._minibatch_var)
            return (tf.ensure_shape(images, [None, self.shape[0], None, None]),
                    tf.ensure_shape(labels, [None, self.label_size]))

    def get_minibatch_np(self, minibatch_size, lod=0):
        """Configure, then compute one minibatch: arrays of images [N,C,H,W] and labels [N,label_size]."""
        self.configure(minibatch_size, lod)
        if self._minibatch_np_expr is None:
            self._minibatch_np_expr = self.get_minibatch_tf()
        return tflib.run(self._minibatch_np_expr)

    def get_random_labels_tf(self, minibatch_size):
        """Labels [minibatch_size, label_size], computed afresh at every evaluation."""
        with tf.name_scope('SyntheticDataset'):
            return self._generate_labels(minibatch_size)

    def get_random_labels_np(self, minibatch_size):
        """Array of labels [minibatch_size, label_size]."""
        if minibatch_size not in self._random_labels_np_exprs:
            self._random_labels_np_exprs[minibatch_size] = self.get_random_labels_tf(minibatch_size)
        return tflib.run(self._random_labels_np_exprs[minibatch_size])

    def _generate_images(self, minibatch, lod, shape):
        """Images [minibatch, *shape] of type `dtype`. `minibatch`, `lod`: int32 tensors; `shape`: [C,H,W],
        whose height and width are tensors."""
        return tf.zeros([minibatch, *shape], self.dtype)

    def _generate_labels(self, minibatch):
        """Labels [minibatch, label_size] of type `label_dtype`. `minibatch`: number or int32 tensor."""
        return tf.zeros([minibatch, self.label_size], self.label_dtype)
