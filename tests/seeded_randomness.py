"""Give two graphs the same random numbers."""

import itertools

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib


def seeded_by_order():
    """Seed the random ops in this context with 1, 2, 3, ... in the order in which they are built."""
    seeds = itertools.count(1)
    return tflib.random.replaced(
        normal=lambda shape, **kwargs: tf.random_normal(shape, seed=next(seeds), **kwargs),
        uniform=lambda shape, **kwargs: tf.random_uniform(shape, seed=next(seeds), **kwargs))
