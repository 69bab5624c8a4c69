"""The one source of random tensors: networks, losses and data draw from here and from nowhere else.

Tests swap the two generators with `replaced`; everything built meanwhile draws from the stand-ins.
"""

import contextlib

import tensorflow.compat.v1 as tf


def _tf_normal(shape, mean=0.0, stddev=1.0, dtype=tf.float32):
    return tf.random_normal(shape, mean=mean, stddev=stddev, dtype=dtype)


def _tf_uniform(shape, minval=0, maxval=None, dtype=tf.float32):
    return tf.random_uniform(shape, minval=minval, maxval=maxval, dtype=dtype)


_generators = {'normal': _tf_normal, 'uniform': _tf_uniform}


def normal(shape, mean=0.0, stddev=1.0, dtype=tf.float32):
    """Fresh normal numbers at every evaluation. `shape` may be a tensor. -> dtype [*shape]."""
    return _generators['normal'](shape, mean=mean, stddev=stddev, dtype=dtype)


def uniform(shape, minval=0, maxval=None, dtype=tf.float32):
    """Fresh uniform numbers in [minval, maxval) at every evaluation; `maxval` defaults to 1 for floats and is
    required for integers. `shape`, `minval` and `maxval` may be tensors. -> dtype [*shape]."""
    return _generators['uniform'](shape, minval=minval, maxval=maxval, dtype=dtype)


@contextlib.contextmanager
def replaced(**generators):
    """Draw from other generators while the context is open: `replaced(normal=..., uniform=...)`, each with
    the signature of the function that it replaces."""
    unknown = set(generators) - set(_generators)
    if unknown:
        raise TypeError(f'no such generator: {", ".join(sorted(unknown))}; there are normal and uniform')
    before = dict(_generators)
    _generators.update(generators)
    try:
        yield
    finally:
        _generators.update(before)
