"""Runs of run_projector.py: images are projected in groups, and a run that was interrupted resumes."""

import contextlib
import itertools
import sys
import time
from dataclasses import dataclass

import numpy as np

import dnnlib
from dnnlib.progress import announced
from dnnlib.util import UserError, format_time
from latents import video_files
from latents.projection import results, schedule, state_file
from latents.projection.projector import Projector
from training.loop import interruption

SECONDS_BETWEEN_STATES = 60


@dataclass(frozen=True)
class Settings:
    """How images are projected."""
    features: str = 'lpips'
    space: str = 'w'
    num_steps: int = 1000
    minibatch_size: int = 1
    num_snapshots: int = 5
    video: bool = False


def project(Gs, targets, num_targets, settings):
    """Project all targets, an iterable of `targets.Target`, and write their files to the run directory.

    If the directory has the state of an interrupted run, continue there.
    """
    projector = Projector()
    projector.features, projector.space = settings.features, settings.space
    projector.num_steps = settings.num_steps
    size = min(settings.minibatch_size, num_targets)
    with announced('Building the graph...'):
        projector.set_network(Gs, size)
    first_group, arrays = state_file.read()
    for group, members in enumerate(_groups(targets, size)):
        if group < first_group:
            continue
        state_file.write(group, arrays)
        for target in members:
            print(target.message)
        _start(projector, members)
        if arrays:
            _continue(projector, arrays, members)
        _project_group(projector, group, members, settings)
        arrays = {}
    state_file.remove()


def _groups(items, size):
    items = iter(items)
    while members := list(itertools.islice(items, size)):
        yield members


def _start(projector, members):
    """Start with these targets; the last one fills the minibatch."""
    members = members + members[-1:] * (projector.minibatch_size - len(members))
    labels = np.stack([target.label for target in members])
    projector.start(np.stack([target.image for target in members]),
                    labels=labels if labels.any() else None, seeds=[target.seed for target in members])


def _continue(projector, arrays, members):
    """Continue from the state of a run. Raises UserError if the network or the images are others now."""
    try:
        if arrays.pop('targets').tolist() != _names(members):
            raise ValueError('other images')
        projector.set_state(arrays)
    except (ValueError, KeyError) as error:
        raise UserError(f'{dnnlib.make_run_dir_path()}: the network or the images have changed since the '
                        'interruption; start a new run') from error


def _names(members):
    return [target.message for target in members]  # with the name of the file, and the number of all


def _project_group(projector, group, members, settings):
    """Make the steps that are left for a group, and write its files."""
    images = np.stack([target.image for target in members])
    prefixes = [target.prefix for target in members]
    with (_saved_states(projector, group, members, settings.video) as save_if_due,
          _videos(settings.video, prefixes, images) as add_frame):
        project_images(projector, images, prefixes, settings.num_snapshots,
                       before_step=add_frame, after_step=save_if_due)


@contextlib.contextmanager
def _saved_states(projector, group, members, has_video):
    """Give a function that saves the state from time to time, and before a signal ends the run.

    With a video, the group begins anew when the run resumes, as its first frames are lost.
    """
    next_time = time.monotonic() + SECONDS_BETWEEN_STATES
    with interruption.after_iteration() as signal:
        def save_if_due():
            nonlocal next_time
            if (signal or time.monotonic() >= next_time) and not has_video:
                state_file.write(group, {**projector.get_state(), 'targets': _names(members)})
                next_time = time.monotonic() + SECONDS_BETWEEN_STATES
            if signal:
                print(f'\nStopped; --resume={dnnlib.make_run_dir_path()} continues.')
                signal.leave()
        yield save_if_due


@contextlib.contextmanager
def _videos(wanted, prefixes, targets):
    """Give a function that adds the image of a projector to the videos; None if they are not wanted."""
    if not wanted:
        yield None
        return
    paths = [dnnlib.make_run_dir_path(f'{prefix}projection{video_files.default_suffix()}')
             for prefix in prefixes]
    with results.videos(paths, targets) as add:
        yield lambda projector: add(projector.images_uint8)


def project_images(projector, targets, prefixes, num_snapshots, before_step=None, after_step=None):
    """Make all steps that are left after `start`, and write the files of each image.

    targets [N,C,H,W], range -1 to 1; N may be less than the minibatch of the projector.
    """
    for target, prefix in zip(targets, prefixes, strict=True):
        results.save_picture(target[np.newaxis], f'{prefix}target.png')
    snapshots = schedule.snapshot_steps(projector.num_steps, num_snapshots)
    progress = _Progress(projector.get_cur_step(), projector.num_steps)
    while (step := projector.get_cur_step()) < projector.num_steps:
        progress.show(step)
        if before_step is not None:
            before_step(projector)
        projector.step()
        if projector.get_cur_step() in snapshots:
            _save_snapshot(projector, prefixes)
        if after_step is not None:
            after_step()
    progress.clear()
    found = projector.get_images(), projector.get_dlatents(), projector.get_noises()
    for idx, (prefix, target) in enumerate(zip(prefixes, targets, strict=True)):
        results.save(prefix, target, found[0][idx], found[1][idx], [noise[idx] for noise in found[2]])


def _save_snapshot(projector, prefixes):
    images = projector.get_images()
    for image, prefix in zip(images, prefixes, strict=False):
        results.save_picture(image[np.newaxis], '%sstep%04d.png' % (prefix, projector.get_cur_step()))


class _Progress:
    """The published line, with the time left: overwritten on a terminal, now and then a new one elsewhere."""

    def __init__(self, step, num_steps):
        self._first, self._num_steps = step, num_steps
        self._start = self._next_time = time.monotonic()
        self._is_on_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()

    def show(self, step):
        now = time.monotonic()
        if now < self._next_time:
            return
        self._next_time = now + (0.5 if self._is_on_terminal else 30)
        text = '%d / %d ... ' % (step, self._num_steps)
        if step > self._first:
            seconds = (now - self._start) / (step - self._first) * (self._num_steps - step)
            text += f'about {format_time(seconds)} left '
        if self._is_on_terminal:
            print(f'\r{text:40s}', end='', flush=True)
        else:
            print(text, flush=True)

    def clear(self):
        if self._is_on_terminal:
            print('\r%-40s\r' % '', end='', flush=True)
