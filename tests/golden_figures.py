"""Reading tests/golden and comparing with it: how close is close is said here once."""

import contextlib
import functools
import json
import pathlib

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from tests import golden_recipe
from tests.golden_recipe import golden_input

FOLDER = pathlib.Path(__file__).parent / 'golden'

VALUE_TOLERANCE = 1e-4     # of the largest reference value
GRADIENT_TOLERANCE = 1e-3  # of the gradient's norm

# Session settings of most tests: to optimize a graph takes longer than to run it once.
QUICK = {'graph_options.rewrite_options.disable_meta_optimizer': True}


@functools.cache
def figures(name):
    """The parsed `<name>.json`."""
    return json.loads((FOLDER / f'{name}.json').read_text(encoding='utf-8'))


@functools.cache
def arrays(name):
    """The arrays of `<name>.npz`."""
    with np.load(FOLDER / f'{name}.npz') as file:
        return dict(file)


def replaced_randomness():
    """Context in which every random op is built from the deterministic stand-ins of the golden runs."""
    return tflib.random.replaced(
        normal=functools.partial(golden_recipe.deterministic_normal, tf),
        uniform=functools.partial(golden_recipe.deterministic_random_uniform, tf))


def assert_close(actual, expected, name, tolerance=VALUE_TOLERANCE):
    """Largest difference within `tolerance` of the largest expected value."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f'{name}: shape {actual.shape}, expected {expected.shape}'
    scale = max(np.abs(expected).max(initial=0.0), 1e-12)
    error = np.abs(actual.astype(np.float64) - expected).max(initial=0.0) / scale
    assert error <= tolerance, f'{name}: off by {error:.3g} of the largest value'


def gradient_figures(gradients):
    """{name: gradient} -> {name: [norm, dot with the direction of that name]}, as in the golden files."""
    result = {}
    for name, value in gradients.items():
        value = np.asarray(value, np.float64)
        direction = golden_input(f'direction/{name}', value.shape)
        result[name] = [float(np.linalg.norm(value)), float(np.sum(value * direction))]
    return result


def assert_gradients_close(gradients, expected, name, tolerance=GRADIENT_TOLERANCE):
    """Compare {variable: gradient} with {variable: [norm, dot]}; both have the same keys."""
    actual = gradient_figures(gradients)
    assert set(actual) == set(expected), f'{name}: {set(actual) ^ set(expected)}'
    for key, (norm, dot) in expected.items():
        allowed = tolerance * max(norm, 1e-6)
        assert abs(actual[key][0] - norm) <= allowed, f'{name}: norm for {key}: {actual[key][0]} != {norm}'
        # The dot product with a random direction of n entries has the scale of the norm.
        assert abs(actual[key][1] - dot) <= 3 * allowed, f'{name}: dot for {key}: {actual[key][1]} != {dot}'


def one_hot(count, size):
    """The labels of the golden runs [count, size]: row i has class i % size; width 0 without labels."""
    return np.eye(max(size, 1), dtype=np.float32)[np.arange(count) % max(size, 1)][:, :size]


def set_golden_values(network, prefix=''):
    """Give every variable of the network the value that follows from its local name and shape."""
    tflib.set_vars({var: golden_recipe.golden_value(prefix + name, var.shape.as_list())
                    for name, var in network.vars.items()})


@contextlib.contextmanager
def fresh_session(config=None):
    """A graph of its own with a default session; both are gone afterwards. `config`: as of init_tf()."""
    with tf.Graph().as_default(), tflib.create_session(config).as_default() as session:
        tf.set_random_seed(1)
        yield session
        session.close()
