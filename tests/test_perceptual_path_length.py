"""Test the path between two latents in metrics.perceptual_path_length."""

import numpy as np

import dnnlib.tflib as tflib
from metrics.perceptual_path_length import slerp
from tests import golden_figures
from tests.golden_recipe import golden_input


def test_slerp_has_the_golden_values(module_session):
    golden = golden_figures.figures('metrics')['unit']['slerp']
    a, b = golden_input('slerp/a', [6, 8]), golden_input('slerp/b', [6, 8])
    actual = tflib.run(slerp(a, b, np.float32(golden['t'])[:, np.newaxis]))
    assert actual.dtype == np.float32
    golden_figures.assert_close(actual, golden['value'], 'slerp', tolerance=1e-6)


def test_slerp_turns_at_a_constant_rate_whatever_the_lengths(module_session):
    a, b = np.float32([[5, 0]] * 4), np.float32([[0, 0.1]] * 4)
    t = np.float32([[0], [0.5], [1], [2]])  # a quarter of a turn from 0 to 1
    angle = np.pi / 2 * t
    expected = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(tflib.run(slerp(a, b, t)), expected, atol=1e-6)


def test_slerp_between_equal_directions_stays_there(module_session):
    a = np.float32([[3, 4]])
    np.testing.assert_allclose(tflib.run(slerp(a, 2 * a, 0.5)), [[0.6, 0.8]], rtol=1e-5)
