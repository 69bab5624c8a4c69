"""Estimates of time on this machine: how many images a picture can have, how long a training will take."""

import math
import os
import re

import tensorflow.compat.v1 as tf

from dnnlib.base_shapes import level_shape
from dnnlib.progress import Progress

# A low estimate per second for the networks of this project, so that pictures take no longer than they
# should. A constant, so that the same machine always decides the same way. Measurements: docs/performance.md.
MULTIPLY_ADDS_PER_CORE = 25e9
LONG_DAYS = 30  # Trainings that take longer are announced.


def on_cpu():
    """Return whether there is no GPU."""
    return not tf.config.list_physical_devices('GPU')


def multiply_adds(net):
    """Estimate the multiply-adds of an image: each convolution at every pixel of the resolution in its name,
    everything else once."""
    total = 0
    for name, var in net.trainables.items():
        size = math.prod(var.shape.as_list())
        resolution = re.search(r'(\d+)x\1/', name)
        level = (level_shape(net.static_kwargs.get('base_shape'), int(resolution[1]).bit_length() - 1)
                 if resolution else net.output_shape[2:])
        total += size * math.prod(level) if len(var.shape) == 4 else size
    return total


def images_within(seconds, G):
    """Estimate how many images a generator makes on the CPU within `seconds`, at least 1."""
    speed = MULTIPLY_ADDS_PER_CORE * (os.cpu_count() or 1)
    return max(int(seconds * speed / multiply_adds(G)), 1)


def long_training(seconds_per_image, images_left, lod):
    """Return a line about a training that takes longer than a month, None for a shorter one."""
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


class TrainingProgress:
    """Shows how far a training is, and announces one of months. Ignores the slow first minibatch, and for the
    time left also the end of the first tick, which draws and saves after only one iteration."""

    def __init__(self, trainer):
        print('TensorFlow prepares the first steps...')
        total_kimg = trainer.settings.total_kimg
        self._trainer = trainer
        self._is_timed = self._has_estimate = False
        self._progress = Progress(total_kimg, 'kimg', start=total_kimg)  # shows no time left
        trainer.after_step = lambda: self._progress.show(trainer.nimg_done / 1000)

    def after_iteration(self):
        """Announce a long training once a minibatch has been timed, and estimate the time left after that."""
        if self._trainer.minibatch_seconds is None:
            return
        if not self._is_timed:
            self._is_timed = True
            self._announce()
        if not self._has_estimate and self._trainer.cur_tick >= 0:
            self._has_estimate = True
            self._progress.restart(self._trainer.cur_nimg / 1000)

    def _announce(self):
        trainer = self._trainer
        seconds_per_image = trainer.minibatch_seconds / trainer.sched.minibatch_size
        line = long_training(seconds_per_image, trainer.total_nimg - trainer.cur_nimg, trainer.sched.lod)
        if line is not None:
            print(line, flush=True)
