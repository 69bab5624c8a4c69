"""Graphs and sessions that leave nothing behind."""

import contextlib
import gc

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib

# TensorFlow's optimizer fuses convolutions with what follows them, but only where graphs are not pruned.
# Of its other changes, moving casts makes oneDNN complain of integers that it cannot transpose.
_DEFAULTS = {'graph_options.place_pruned_graph': False,
             'graph_options.rewrite_options.arithmetic_optimization': tf.GraphOptions().rewrite_options.OFF}


@contextlib.contextmanager
def fresh_session(tf_config):
    """A graph and a session of their own, both gone afterwards. `tf_config`: as of tflib.init_tf(), but no
    seeds are applied, and the graph is optimized."""
    with tf.Graph().as_default() as graph:
        try:
            with tflib.create_session({**_DEFAULTS, **(tf_config or {})}):
                yield
        finally:
            _forget_custom_gradients(graph)


def collect_graphs():
    """Free graphs that nobody holds any more: they are circles, which would pile up."""
    gc.collect()


def _forget_custom_gradients(graph):
    """Take the gradient functions of tf.custom_gradient in a graph out of TensorFlow's table.

    It has one for every call and never drops one; each holds its tensors, and they hold their graph.
    """
    table = tf.RegisterGradient.__call__.__globals__['gradient_registry']._registry
    for op in graph.get_operations():
        with contextlib.suppress(ValueError):  # operations without this attribute
            name = op.get_attr('_gradient_op_type').decode()
            if name.startswith('CustomGradient-'):
                table.pop(name, None)
