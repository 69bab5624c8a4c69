"""The one source of random tensors: networks, losses and data draw from here and from nowhere else.

Training builds its graph inside `counted`, which makes every number a function of a seed, the step and the
place in the graph. Tests swap the two generators with `replaced`; everything built meanwhile draws from the
stand-ins.
"""

import collections
import contextlib

import tensorflow.compat.v1 as tf


def _tf_normal(shape, mean=0.0, stddev=1.0, dtype=tf.float32):
    return tf.random_normal(shape, mean=mean, stddev=stddev, dtype=dtype)


def _tf_uniform(shape, minval=0, maxval=None, dtype=tf.float32):
    return tf.random_uniform(shape, minval=minval, maxval=maxval, dtype=dtype)


_generators = {'normal': _tf_normal, 'uniform': _tf_uniform}
_DEFAULTS = dict(_generators)

_PLACES_PER_TOWER = 1 << 16
_towers = [0]  # the last one is under construction


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


@contextlib.contextmanager
def counted(seed, step):
    """Numbers of what is built while the context is open follow from `seed`, `step` and the place in the
    graph: the running number of the draw among those of its `tower`.

    seed: an integer. step: int64 tensor [], another one for every evaluation that is to bring fresh numbers.
    Stand-ins of `replaced` stay in place.
    """
    places = collections.Counter()

    def key():
        tower = _towers[-1]
        place = tower * _PLACES_PER_TOWER + places[tower]
        places[tower] += 1
        with tf.device('/cpu:0'):  # where the ops read it, on whatever device they are
            return tf.stack([tf.constant((seed % 2 ** 31) << 32 | place, tf.int64), step])

    def normal_here(shape, mean=0.0, stddev=1.0, dtype=tf.float32):
        return tf.random.stateless_normal(shape, key(), mean=mean, stddev=stddev, dtype=dtype)

    def uniform_here(shape, minval=0, maxval=None, dtype=tf.float32):
        return tf.random.stateless_uniform(shape, key(), minval=minval, maxval=maxval, dtype=dtype)

    here = {'normal': normal_here, 'uniform': uniform_here}
    with replaced(**{name: here[name] for name, now in _generators.items() if now is _DEFAULTS[name]}):
        yield


@contextlib.contextmanager
def tower(index):
    """What is built while the context is open belongs to this tower of a graph of several: `counted` numbers
    the draws of each for itself, whichever towers a process builds."""
    _towers.append(index)
    try:
        yield
    finally:
        _towers.pop()
