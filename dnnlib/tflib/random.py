"""The source of all random tensors of networks, losses and data.

Training builds its graph in `counted`, so that all numbers follow from a seed, the step and the place in the
graph. Tests substitute the generators with `replaced`.
"""

import collections
import contextlib

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.tflib import xla

_generators = {'normal': tf.random_normal, 'uniform': tf.random_uniform}
_DEFAULTS = dict(_generators)

_PLACES_PER_TOWER = 1 << 16
_towers = [0]  # the last one is being built
_steps = []    # likewise, if it is not that of `counted`


def normal(shape, mean=0.0, stddev=1.0, dtype=tf.float32):
    """Draw normal numbers at every evaluation. `shape` may be a tensor. -> dtype [*shape]."""
    return _generators['normal'](shape, mean=mean, stddev=stddev, dtype=dtype)


def uniform(shape, minval=0, maxval=None, dtype=tf.float32):
    """Draw uniform numbers in [minval, maxval) at every evaluation. -> dtype [*shape].

    `maxval` defaults to 1 for floats and is required for integers. All but the dtype may be tensors.
    """
    return _generators['uniform'](shape, minval=minval, maxval=maxval, dtype=dtype)


def normal_of_seed(shape, seed, place):
    """Return the normal numbers of a seed (integer tensor []) and a place in the graph (an integer): the same
    at every evaluation and on every device. `shape` may be a tensor. -> float32 [*shape]."""
    key = tf.stack([tf.cast(seed, tf.int64), tf.constant(place, tf.int64)])
    return tf.random.stateless_normal(shape, key, alg='philox')


@contextlib.contextmanager
def replaced(**generators):
    """Substitute generators in this context: `replaced(normal=..., uniform=...)`, with equal signatures."""
    unknown = set(generators) - set(_generators)
    if unknown:
        raise TypeError(f'no such generator: {", ".join(sorted(unknown))}; expected normal or uniform')
    before = dict(_generators)
    _generators.update(generators)
    try:
        yield
    finally:
        _generators.update(before)


@contextlib.contextmanager
def counted(seed, step):
    """Make the numbers of what is built in this context follow from seed, step and place in the graph: the
    index of the draw in its `tower`.

    seed: an integer. step: int64 tensor [], with a new value for every evaluation that is to draw new
    numbers. Generators that are `replaced` remain.
    """
    places = collections.Counter()

    def key():
        tower = _towers[-1]
        place = tower * _PLACES_PER_TOWER + places[tower]
        places[tower] += 1
        # Random ops of all devices read the key there; it waits for nothing.
        with tf.control_dependencies(None), tf.device('/cpu:0'):
            step_here = _steps[-1] if _steps else step
            return tf.stack([tf.constant((seed % 2 ** 31) << 32 | place, tf.int64), step_here])

    def normal_here(shape, mean=0.0, stddev=1.0, dtype=tf.float32):
        return tf.random.stateless_normal(shape, key(), mean=mean, stddev=stddev, dtype=dtype)

    def uniform_here(shape, minval=0, maxval=None, dtype=tf.float32):
        return tf.random.stateless_uniform(shape, key(), minval=minval, maxval=maxval, dtype=dtype)

    def bits_as_normal(shape, mean=0.0, stddev=1.0, dtype=tf.float32):
        return tf.cast(_normal_of_bits(shape, key()) * stddev + mean, dtype)

    def bits_as_uniform(shape, minval=0, maxval=None, dtype=tf.float32):
        if not tf.as_dtype(dtype).is_floating:
            return tf.random.stateless_uniform(shape, key(), minval, maxval, dtype, alg='philox')
        high = 1.0 if maxval is None else maxval
        return tf.cast(_uniform_of_bits(_bits(shape, key())) * (high - minval) + minval, dtype)

    here = {'normal': normal_here, 'uniform': uniform_here}
    if xla.is_enabled():
        here = {'normal': bits_as_normal, 'uniform': bits_as_uniform}
    with replaced(**{name: here[name] for name, now in _generators.items() if now is _DEFAULTS[name]}):
        yield


# XLA has TensorFlow's random bits, but makes other numbers of them. These functions make TensorFlow's.


def _bits(shape, key):
    """Return the random bits of a key, int32 [*shape]."""
    return tf.random.stateless_uniform(shape, key, minval=None, maxval=None, dtype=tf.int32, alg='philox')


def _uniform_of_bits(bits):
    """Return numbers in [0, 1) whose mantissas are the lower 23 bits, float32."""
    mantissas = tf.bitwise.bitwise_and(bits, 0x7fffff)
    return tf.bitcast(tf.bitwise.bitwise_or(mantissas, 0x3f800000), tf.float32) - 1.0


def _normal_of_bits(shape, key):
    """Return normal numbers, two of each pair of uniform ones (Box and Muller 1958). -> float32 [*shape]."""
    count = tf.reduce_prod(shape)
    pairs = _uniform_of_bits(_bits([(count + 1) // 2, 2], key))
    length = tf.sqrt(-2.0 * tf.log(tf.maximum(pairs[:, 0], 1e-7)))
    angle = (2 * np.pi) * pairs[:, 1]
    numbers = tf.stack([tf.sin(angle) * length, tf.cos(angle) * length], axis=1)
    return tf.reshape(tf.reshape(numbers, [-1])[:count], shape)  # [pairs,2] -> [*shape]


@contextlib.contextmanager
def at_step(step):
    """Let numbers of what is built in this context follow from another step (int64 tensor []) in `counted`:
    what is computed ahead draws as it will where it is used."""
    _steps.append(step)
    try:
        yield
    finally:
        _steps.pop()


@contextlib.contextmanager
def tower(index):
    """Make what is built in this context a part of tower `index`, whose draws `counted` numbers separately,
    whichever towers this process builds."""
    _towers.append(index)
    try:
        yield
    finally:
        _towers.pop()
