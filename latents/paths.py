"""Paths through latents: smooth closed loops for videos. Pure NumPy and SciPy."""

import numpy as np
from scipy import interpolate, ndimage


class Loop:
    """A smooth closed curve through points: a cubic spline with periodic ends, evaluated at any time."""

    def __init__(self, points):
        """Take points [K,...], K >= 1."""
        points = np.asarray(points)
        self.num_points = len(points)
        self._dtype = np.result_type(points, np.float32)
        closed = np.concatenate([points, points[:1]])
        self._spline = interpolate.CubicSpline(np.arange(len(closed)), closed, bc_type='periodic')

    def at(self, times):
        """Return the curve [N,...] at times [N], or [...] at one time.

        0 is the first point, 1 the second, K the first again.
        """
        return self._spline(np.asarray(times) % self.num_points).astype(self._dtype)


def closed_loop(points, num_frames):
    """Return a smooth closed loop [num_frames,...] through points [K,...].

    Frame i * num_frames / K is point i, and the last frame is followed by the first.
    """
    return Loop(points).at(np.arange(num_frames) * (len(points) / num_frames))


def gaussian_walk(shape, num_frames, smoothing_frames, rnd):
    """Return a smooth closed random walk [num_frames,*shape] of normally distributed latents, float32.

    Latents that `rnd`, a RandomState, draws for every frame are smoothed over time by a Gaussian with a
    standard deviation of `smoothing_frames` and scaled to unit variance, as in the videos of Progressive GAN.
    With as many as `num_frames` or more, the walk stands still.
    """
    latents = rnd.randn(num_frames, *shape).astype(np.float32)
    sigma = [min(smoothing_frames, num_frames)] + [0] * len(shape)  # more would only take longer
    latents = ndimage.gaussian_filter(latents, sigma, mode='wrap')
    return latents / np.sqrt(np.mean(np.square(latents), dtype=np.float64)).astype(np.float32)
