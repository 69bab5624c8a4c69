"""Feature networks whose weights are constants. Metrics use them like a `tflib.Network`."""

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib


class ConstantNetwork:
    """A network for one graph. Input: images [N,C,H,W], uint8 or float32 in the range 0 to 255, of any
    resolution. Subclasses override `get_output_for`."""

    def __init__(self, name, num_outputs):
        self.name = name
        self.input_shape = [None, None, None, None]  # any resolution
        self.output_shape = [None, num_outputs]
        self._run_cache = {}

    def clone(self, name=None):
        """Return the network itself: `get_output_for` creates constants on the caller's device, no
        variables."""
        return self

    def get_output_for(self, images):
        """Build the network on images [N,C,H,W] with static C, H and W. -> output [N,F]"""
        raise NotImplementedError

    def run(self, images, minibatch_size=None, num_gpus=1, assume_frozen=True):
        """Evaluate the network on an array and return an array. Each session call takes `minibatch_size`
        images, a multiple of `num_gpus`. Weights are constant, so `assume_frozen` has no effect."""
        dtype = np.uint8 if images.dtype == np.uint8 else np.float32
        key = (images.shape[1:], dtype, num_gpus)
        if key not in self._run_cache:
            self._run_cache[key] = self._build(*key)
        placeholder, output = self._run_cache[key]
        step = minibatch_size or max(len(images), 1)
        results = np.empty([len(images), self.output_shape[1]], np.float32)
        for begin in range(0, len(images), step):
            results[begin:begin + step] = tflib.run(output, {placeholder: images[begin:begin + step]})
        return results

    def _build(self, shape, dtype, num_gpus):
        with tf.name_scope(self.name + '_run'), tf.control_dependencies(None):
            with tf.device('/cpu:0'):
                placeholder = tf.placeholder(dtype, [None, *shape])
                parts = tf.split(placeholder, num_gpus)
            outputs = []
            for gpu, part in enumerate(parts):
                with tflib.device(gpu):
                    outputs.append(self.get_output_for(part))
            with tf.device('/cpu:0'):
                return placeholder, tf.concat(outputs, axis=0)
