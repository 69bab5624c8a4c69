"""Data sets that are computed in the graph, without files."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from training.data.base import Dataset


class SyntheticDataset(Dataset):
    """Images and labels computed by the graph: zeros, unless a subclass overrides `_generate_images` and
    `_generate_labels`.

    Needs a default session. Raises UserError unless the resolution is a power of two.
    """

    def __init__(self,
        resolution      = 1024,         # Side in pixels, a power of two.
        num_channels    = 3,            # Channels of an image.
        dtype           = 'uint8',      # Type of the images.
        dynamic_range   = [0, 255],     # Values of black and white.
        label_size      = 0,            # Components of a label, 0 = no labels.
        label_dtype     = 'float32'):   # Type of the labels.

        if resolution < 1 or resolution & (resolution - 1) != 0:
            raise UserError(f'resolution must be a power of two, not {resolution}')
        shape = [num_channels, resolution, resolution]
        super().__init__(shape, dtype, dynamic_range, label_size, label_dtype)
        with tf.name_scope('Dataset'), tf.device('/cpu:0'):
            self._minibatch_var = tf.Variable(np.int32(0), name='minibatch_var', trainable=False)
            self._lod_var = tf.Variable(np.int32(0), name='lod_var', trainable=False)

    def configure(self, minibatch_size, lod=0):
        lod = int(np.floor(lod))
        assert minibatch_size >= 1 and 0 <= lod <= self.resolution_log2
        tflib.set_vars({self._minibatch_var: minibatch_size, self._lod_var: lod})

    def get_minibatch_tf(self):
        with tf.name_scope('SyntheticDataset'):
            side = self.resolution // 2 ** self._lod_var
            images = self._generate_images(
                self._minibatch_var, self._lod_var, [self.shape[0], side, side])
            labels = self._generate_labels(self._minibatch_var)
            return (tf.ensure_shape(images, [None, self.shape[0], None, None]),
                    tf.ensure_shape(labels, [None, self.label_size]))

    def get_random_labels_tf(self, minibatch_size):
        with tf.name_scope('SyntheticDataset'):
            return self._generate_labels(minibatch_size)

    def _generate_images(self, minibatch, lod, shape):
        """Return images [minibatch, *shape] of type `dtype`.

        `minibatch`, `lod`: int32 tensors. `shape`: [C,H,W], where H and W are tensors.
        """
        return tf.zeros([minibatch, *shape], self.dtype)

    def _generate_labels(self, minibatch):
        """Return labels [minibatch, label_size] of type `label_dtype`. `minibatch`: number or tensor."""
        return tf.zeros([minibatch, self.label_size], self.label_dtype)
