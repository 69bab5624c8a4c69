"""What changes in the course of a projection, as functions of progress t from 0 to 1."""

import math

import numpy as np


def learning_rate(t, initial, rampup_length, rampdown_length):
    """Return the learning rate at progress t: a linear ramp up from 0, and a cosine ramp down to 0
    (StyleGAN2, appendix D). The lengths of the ramps are parts of the projection."""
    ramp = min(1.0, (1.0 - t) / rampdown_length)
    ramp = 0.5 - 0.5 * math.cos(ramp * math.pi)
    return initial * ramp * min(1.0, t / rampup_length)


def noise_factor(t, initial, ramp_length):
    """Return the noise that is added to dlatents at progress t, in standard deviations of W (StyleGAN2,
    appendix D). It falls to 0 at `ramp_length`, a part of the projection."""
    return initial * max(0.0, 1.0 - t / ramp_length) ** 2


def snapshot_steps(num_steps, num_snapshots):
    """Return the sorted steps, counted from 1, after which images are saved: equally spaced, the last one
    included."""
    before = np.linspace(0, num_steps, num_snapshots, endpoint=False, dtype=int)  # rounded as published
    return sorted({num_steps - int(each) for each in before})
