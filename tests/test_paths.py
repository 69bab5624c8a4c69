"""Test latents/paths.py: loops through points, smoothed random walks."""

import numpy as np
import pytest

from latents import paths


def circular_steps(path):
    """Return the differences between frames, the last one from the last frame to the first."""
    return np.roll(path, -1, axis=0) - path


@pytest.mark.parametrize('num_points', [1, 2, 3, 4, 7])
def test_a_loop_hits_its_points(num_points):
    points = np.random.RandomState(1).randn(num_points, 3, 5).astype(np.float32)
    loop = paths.closed_loop(points, num_points * 12)
    assert (loop.shape, loop.dtype) == ((num_points * 12, 3, 5), np.float32)
    np.testing.assert_allclose(loop[::12], points, atol=1e-6)


def test_a_loop_is_closed_and_smooth():
    """Smooth: a step differs from the next one by little, across the end as anywhere else."""
    points = np.random.RandomState(2).randn(5, 64)
    steps = circular_steps(paths.closed_loop(points, 300))
    lengths = np.linalg.norm(steps, axis=1)
    turns = np.linalg.norm(circular_steps(steps), axis=1)
    assert lengths.max() < 3 * np.median(lengths)
    assert turns.max() < 0.1 * np.median(lengths)


def test_a_loop_runs_on_around_its_end():
    points = np.random.RandomState(3).randn(4, 2)
    loop = paths.Loop(points)
    np.testing.assert_allclose(loop.at([4.25, -0.5]), loop.at([0.25, 3.5]))
    np.testing.assert_allclose(loop.at([3 - 1e-9, 4 - 1e-9]), points[[3, 0]], atol=1e-6)


def test_a_loop_may_have_fewer_frames_than_points():
    points = np.arange(6.0).reshape(6, 1)
    np.testing.assert_allclose(paths.closed_loop(points, 2), points[[0, 3]])


def test_a_gaussian_walk_has_unit_variance_and_wraps_around():
    walk = paths.gaussian_walk((2, 256), 200, smoothing_frames=10, rnd=np.random.RandomState(4))
    assert (walk.shape, walk.dtype) == ((200, 2, 256), np.float32)
    np.testing.assert_allclose(np.mean(walk ** 2), 1, rtol=1e-5)
    assert abs(walk.mean()) < 0.05
    lengths = np.linalg.norm(circular_steps(walk).reshape(200, -1), axis=1)
    assert lengths[-1] < 1.5 * np.median(lengths)
    assert np.linalg.norm(walk[100] - walk[0]) > 10 * lengths.max() / 2


def test_smoothing_sets_the_speed_of_a_gaussian_walk():
    """The mean squared step of noise smoothed by a Gaussian is about 1 / (2 sigma^2)."""
    for sigma in (5, 20):
        walk = paths.gaussian_walk((512,), 800, sigma, np.random.RandomState(5))
        np.testing.assert_allclose(np.mean(circular_steps(walk) ** 2), 1 / (2 * sigma ** 2), rtol=0.1)


def test_a_gaussian_walk_depends_on_its_seed_only():
    walks = [paths.gaussian_walk((4,), 20, 3, np.random.RandomState(seed)) for seed in (6, 6, 7)]
    np.testing.assert_array_equal(walks[0], walks[1])
    assert np.abs(walks[0] - walks[2]).max() > 0.1


def test_smoothing_may_be_longer_than_the_walk():
    walk = paths.gaussian_walk((8,), 3, 1e9, np.random.RandomState(8))
    assert np.isfinite(walk).all()
    np.testing.assert_allclose(np.mean(walk ** 2), 1, rtol=1e-5)
    assert np.abs(circular_steps(walk)).max() < 1e-4
