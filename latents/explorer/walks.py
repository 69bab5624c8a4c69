"""Latents on the way: frames of the walks that a state can name."""

import functools

import numpy as np

from latents import paths
from latents.commands.command import FIRST_ABSENT_SEED
from latents.explorer.state import GAUSSIAN

FPS = 30
SMOOTHING_FRAMES = FPS  # One second, as in the videos of Progressive GAN.


def latents(seed, walk, latent_size):
    """Return latents [1,latent_size] of the present frame of a walk that starts from a seed."""
    frames = _all_frames(seed, walk.path, walk.num_frames, walk.num_stops, latent_size)
    return frames[walk.frame][np.newaxis]


@functools.lru_cache(maxsize=4)
def _all_frames(seed, path, num_frames, num_stops, latent_size):
    """Return [num_frames,latent_size]."""
    if path == GAUSSIAN:
        return paths.gaussian_walk([latent_size], num_frames, SMOOTHING_FRAMES, np.random.RandomState(seed))
    seeds = [(seed + stop) % FIRST_ABSENT_SEED for stop in range(num_stops)]
    return paths.closed_loop(
        np.stack([np.random.RandomState(each).randn(latent_size) for each in seeds]), num_frames)
