"""How long things will take on this machine: what fits into a picture, and whether a training ends at all."""

import math
import os
import re

import tensorflow.compat.v1 as tf

# What a core of a CPU does in a second with the networks of this project, low: a picture takes no longer
# than it should, and the same machine always decides alike. See docs/performance.md for measurements.
MULTIPLY_ADDS_PER_CORE = 25e9
LONG_DAYS = 30  # Trainings that take longer are announced.


def on_cpu():
    """Is there no GPU?"""
    return not tf.config.list_physical_devices('GPU')


def multiply_adds(net):
    """About how many an image takes: each convolution at every pixel of its resolution, which its name
    tells, and everything else once."""
    total = 0
    for name, var in net.trainables.items():
        size = math.prod(var.shape.as_list())
        resolution = re.search(r'(\d+)x\1/', name)
        side = int(resolution[1]) if resolution else net.output_shape[-1]
        total += size * side ** 2 if len(var.shape) == 4 else size
    return total


def images_within(seconds, G):
    """About how many images a generator makes in so many seconds on the CPU, at least 1."""
    speed = MULTIPLY_ADDS_PER_CORE * (os.cpu_count() or 1)
    return max(int(seconds * speed / multiply_adds(G)), 1)


def long_training(seconds_per_image, images_left, lod):
    """A line about a training that takes longer than a month, None for any other."""
    days = seconds_per_image * images_left / (24 * 60 * 60)
    if days < LONG_DAYS:
        return None
    growing = ', and longer as the resolution grows' if lod > 0 else ''
    return (f'At this pace, the remaining {images_left / 1000:.0f} kimg take about {_in_words(days)} on this '
            f'machine{growing}. Fewer images (--total-kimg), smaller networks (--fmap-base, --fmap-max), a '
            'lower --resolution or a GPU shorten that.')


def _in_words(days):
    if days < 90:
        return f'{days:.0f} days'
    return f'{days / 30.4:.0f} months' if days < 3 * 365 else f'{days / 365:.0f} years'
