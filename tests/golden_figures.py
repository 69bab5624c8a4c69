"""Read tests/golden and compare with it. All tolerances are defined here."""

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

VALUE_TOLERANCE = 1e-4     # relative to the largest reference value
GRADIENT_TOLERANCE = 1e-3  # relative to the gradient's norm

# Session settings of most tests: optimizing a graph takes longer than running it once.
QUICK = {'graph_options.rewrite_options.disable_meta_optimizer': True}


@functools.cache
def figures(name):
    """Return the parsed `<name>.json`."""
    return json.loads((FOLDER / f'{name}.json').read_text(encoding='utf-8'))


@functools.cache
def arrays(name):
    """Return the arrays of `<name>.npz`."""
    with np.load(FOLDER / f'{name}.npz') as file:
        return dict(file)


def replaced_randomness():
    """Build random ops in this context from the deterministic stand-ins of the golden runs."""
    return tflib.random.replaced(
        normal=functools.partial(golden_recipe.deterministic_normal, tf),
        uniform=functools.partial(golden_recipe.deterministic_random_uniform, tf))


def assert_close(actual, expected, name, tolerance=VALUE_TOLERANCE):
    """Check that no difference exceeds `tolerance` times the largest expected value."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f'{name}: shape {actual.shape}, expected {expected.shape}'
    scale = max(np.abs(expected).max(initial=0.0), 1e-12)
    error = np.abs(actual.astype(np.float64) - expected).max(initial=0.0) / scale
    assert error <= tolerance, f'{name}: off by {error:.3g} of the largest value'


def gradient_figures(gradients):
    """Reduce {name: gradient} to {name: [norm, dot with the direction of that name]}, as in the golden
    files."""
    result = {}
    for name, value in gradients.items():
        value = np.asarray(value, np.float64)
        direction = golden_input(f'direction/{name}', value.shape)
        result[name] = [float(np.linalg.norm(value)), float(np.sum(value * direction))]
    return result


def assert_gradients_close(gradients, expected, name, tolerance=GRADIENT_TOLERANCE):
    """Compare {variable: gradient} with {variable: [norm, dot]}. The keys must be equal."""
    actual = gradient_figures(gradients)
    assert set(actual) == set(expected), f'{name}: {set(actual) ^ set(expected)}'
    for key, (norm, dot) in expected.items():
        allowed = tolerance * max(norm, 1e-6)
        assert abs(actual[key][0] - norm) <= allowed, f'{name}: norm for {key}: {actual[key][0]} != {norm}'
        # The dot product with a random direction has the same magnitude as the norm.
        assert abs(actual[key][1] - dot) <= 3 * allowed, f'{name}: dot for {key}: {actual[key][1]} != {dot}'


def one_hot(count, size):
    """Return the labels of the golden runs [count, size]: row i has class i % size. Size 0 means no
    labels."""
    return np.eye(max(size, 1), dtype=np.float32)[np.arange(count) % max(size, 1)][:, :size]


def set_golden_values(network, prefix=''):
    """Set every variable of the network to its golden value, which depends on its local name and shape."""
    tflib.set_vars({var: golden_recipe.golden_value(prefix + name, var.shape.as_list())
                    for name, var in network.vars.items()})


@contextlib.contextmanager
def fresh_session(config=None):
    """Open a new graph with a default session, and close it at the end. `config`: see init_tf()."""
    with tf.Graph().as_default(), tflib.create_session(config).as_default() as session:
        tf.set_random_seed(1)
        yield session
        session.close()
