"""Shapes of tensors, static where they are known."""

import tensorflow.compat.v1 as tf


def dims(x) -> list:
    """Return the shape of a tensor as a list: an int where the size is static, else a scalar tensor."""
    return [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape.as_list())]


def dims_for_reshape(x) -> list:
    """Return `dims`, with -1 in place of the only unknown size, which takes no operations."""
    shape = x.shape.as_list()
    return [-1 if size is None else size for size in shape] if shape.count(None) == 1 else dims(x)
