"""Build networks on any machine as they are built on GPUs."""

from unittest import mock

import tensorflow.compat.v1 as tf
from tensorflow.python.ops.ref_variable import RefVariable

from dnnlib.tflib.ops import conv2d


def built_for_gpus():
    """Use the layout and the ops for GPUs in this context."""
    return mock.patch.object(conv2d, '_has_gpu', lambda: True)


def compiled(function):
    """Compile a function of tensors with XLA.

    On CPUs, XLA also supports channels-first and grouped convolutions, forward and backward. TensorFlow's own
    kernels do not.
    """
    by_xla = tf.function(function, jit_compile=True, autograph=False)

    def call(*args):
        # A compiled function can capture values of variables, but not reads of references.
        with mock.patch.object(RefVariable, 'read_value', RefVariable.value):
            return by_xla(*args)

    return call
