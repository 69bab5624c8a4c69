"""Random numbers that two graphs have in common."""

import itertools

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib


def seeded_by_order():
    """Context in which the random ops that are built have the seeds 1, 2, 3, ...: whoever asks for the same
    numbers in the same order gets the same."""
    seeds = itertools.count(1)
    return tflib.random.replaced(
        normal=lambda shape, **kwargs: tf.random_normal(shape, seed=next(seeds), **kwargs),
        uniform=lambda shape, **kwargs: tf.random_uniform(shape, seed=next(seeds), **kwargs))
