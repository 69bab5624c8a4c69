"""What networks are made of on GPUs, on any machine."""

from unittest import mock

import tensorflow.compat.v1 as tf

from dnnlib.tflib.ops import conv2d


def built_for_gpus():
    """Context in which tensors get the layout and the ops that they have on GPUs."""
    return mock.patch.object(conv2d, '_has_gpu', lambda: True)


def compiled(function):
    """The same function of tensors, run by XLA: on a CPU, too, it convolves channels first and in groups,
    forward and backward, which TensorFlow's own kernels do not."""
    return tf.function(function, jit_compile=True, autograph=False)
