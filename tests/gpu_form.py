"""What networks are made of on GPUs, on any machine."""

from unittest import mock

import tensorflow.compat.v1 as tf
from tensorflow.python.ops.ref_variable import RefVariable

from dnnlib.tflib.ops import conv2d


def built_for_gpus():
    """Context in which tensors get the layout and the ops that they have on GPUs."""
    return mock.patch.object(conv2d, '_has_gpu', lambda: True)


def compiled(function):
    """The same function of tensors, run by XLA: on a CPU, too, it convolves channels first and in groups,
    forward and backward, which TensorFlow's own kernels do not."""
    by_xla = tf.function(function, jit_compile=True, autograph=False)

    def call(*args):
        # Such a function can capture the values of variables, but not the references that are read again.
        with mock.patch.object(RefVariable, 'read_value', RefVariable.value):
            return by_xla(*args)

    return call
