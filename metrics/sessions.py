"""Graphs and sessions that leave nothing behind."""

import contextlib

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib

# TensorFlow's optimizer fuses convolutions with the operations that follow them, but only in graphs that are
# not pruned. Of its other changes, moving casts makes oneDNN complain of integers that it cannot transpose.
_DEFAULTS = {'graph_options.place_pruned_graph': False,
             'graph_options.rewrite_options.arithmetic_optimization': tf.GraphOptions().rewrite_options.OFF}


@contextlib.contextmanager
def fresh_session(tf_config):
    """Open a graph and a session, which are gone afterwards. `tf_config` is that of tflib.init_tf(), except
    that seeds are not applied and the graph is optimized."""
    with tf.Graph().as_default() as graph:
        try:
            with tflib.create_session({**_DEFAULTS, **(tf_config or {})}):
                yield
        finally:
            _forget_custom_gradients(graph)


def _forget_custom_gradients(graph):
    """Remove the gradient functions of tf.custom_gradient in a graph from TensorFlow's table.

    The table has one for every call and never drops any; each holds its tensors, and they hold their graph.
    """
    table = tf.RegisterGradient.__call__.__globals__['gradient_registry']._registry
    for op in graph.get_operations():
        with contextlib.suppress(ValueError):  # operations without this attribute
            name = op.get_attr('_gradient_op_type').decode()
            if name.startswith('CustomGradient-'):
                table.pop(name, None)
