"""Test dnnlib.tflib.random, the only source of random tensors."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from dnnlib.tflib import random


def test_numbers_are_fresh_at_every_evaluation_and_follow_the_arguments(session):
    size = tf.placeholder_with_default(4000, [])
    normal = random.normal([size], mean=3.0, stddev=2.0)
    uniform = random.uniform([size], minval=-1, maxval=1)
    integers = random.uniform([size], 1, 4, dtype=tf.int32)
    first, second = (session.run([normal, uniform, integers]) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert (a != b).any()
    assert abs(first[0].mean() - 3) < 0.2
    assert abs(first[0].std() - 2) < 0.2
    assert -1 <= first[1].min() < -0.9 < 0.9 < first[1].max() < 1
    assert set(first[2]) == {1, 2, 3}
    assert session.run(random.normal([3], dtype=tf.float16)).dtype == np.float16


def test_stand_ins_serve_what_is_built_meanwhile(session):
    def ones(shape, mean, stddev, dtype):
        return tf.ones(shape, dtype)

    with random.replaced(normal=ones):
        inside = random.normal([2])
    outside = random.normal([2])
    assert session.run(inside).tolist() == [1, 1]
    assert session.run(outside).tolist() != [1, 1]


def test_an_error_or_an_unknown_name_leaves_the_generators_alone(session):
    before = dict(random._generators)
    with pytest.raises(TypeError, match='no such generator: gamma; expected normal or uniform'), \
            random.replaced(gamma=None):
        pass
    with pytest.raises(ValueError, match='inside'), random.replaced(normal=None):
        raise ValueError('inside')
    assert random._generators == before


def _counted(session, seed=3, towers=(0,)):
    """Return a function: step -> numbers of two draws per tower."""
    step = tf.placeholder(tf.int64, [])
    draws = []
    with random.counted(seed, step):
        for tower in towers:
            with random.tower(tower):
                draws += [random.normal([2, 3], stddev=2.0), random.uniform([tf.constant(4)], 1, 9, tf.int32)]
    return lambda number: [value.tolist() for value in session.run(draws, {step: number})]


def test_counted_numbers_follow_from_seed_step_and_place(session):
    one, same, other = _counted(session), _counted(session), _counted(session, seed=4)
    outside = random.normal([2, 3])
    assert one(5) == same(5) == one(5)
    assert one(5) != one(6)
    assert one(5) != other(5)
    assert session.run(outside).tolist() != session.run(outside).tolist()


def test_a_tower_draws_the_same_whichever_others_a_process_builds(session):
    both, second = _counted(session, towers=(0, 1)), _counted(session, towers=(1,))
    assert both(5)[2:] == second(5)
    assert both(5)[:2] != second(5)


def test_what_is_computed_ahead_draws_as_at_its_own_step(session):
    step, later = tf.constant(3, tf.int64), tf.constant(4, tf.int64)
    drawn = []
    for first, second in ((step, step), (later, later), (step, later)):
        with random.counted(7, step), random.tower(1), random.at_step(first):
            ahead = random.normal([2])
            with random.at_step(second):
                inside = random.normal([2])
        drawn.append(session.run([ahead, inside]))
    at_three, at_four, both = drawn
    np.testing.assert_array_equal(both, [at_three[0], at_four[1]])
    assert (at_three[1] != at_four[1]).all()


def test_stand_ins_stay_in_place_where_numbers_are_counted(session):
    with random.replaced(normal=lambda shape, **_kwargs: tf.ones(shape)), \
            random.counted(1, tf.constant(0, tf.int64)):
        assert session.run(random.normal([2])).tolist() == [1, 1]
        assert session.run(random.uniform([2])).max() < 1
