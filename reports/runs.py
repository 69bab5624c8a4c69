"""Run directories: finding them, and reading what the report shows of each."""

import ast
import glob
import os
from dataclasses import dataclass, field

from dnnlib.util import UserError, printable
from reports import events, metric_files, run_settings, tick_lines
from training.misc import pictures

_MARKS = ('events.out.tfevents.*', 'fakes*.png', 'network-snapshot-*.pkl', 'metric-*.txt')
_OVERLAP = 100  # Images: tick lines round them to tenths of kimg.


@dataclass
class Picture:
    """A picture of generated images."""
    path: str
    kimg: int | None  # None = before training.


@dataclass
class Run:
    """What is known about a run."""
    folder: str
    name: str
    settings: run_settings.Settings
    scalars: dict                                  # {tag: {step in images: value}}
    metrics: list                                  # metric_files.Result
    fakes: list                                    # Picture, in order.
    reals: str | None                              # Path of the picture of real images.
    log: list                                      # Last lines.
    notes: list = field(default_factory=list)      # What is missing or damaged, a line each.
    times: dict = field(default_factory=dict)      # start_time and stop_time.

    @property
    def steps(self):
        """All steps with a value, in order."""
        return sorted({step for values in self.scalars.values() for step in values})

    @property
    def kimg(self):
        """Thousands of images so far; None if nothing tells."""
        if self.steps:
            return self.steps[-1] / 1000
        return max((picture.kimg for picture in self.fakes if picture.kimg is not None), default=None)

    def last(self, tag):
        """Return the last value of a tag, or None."""
        values = self.scalars.get(tag)
        return values[max(values)] if values else None

    @property
    def total_kimg(self):
        """Thousands of images that the run is to have, or None."""
        try:
            return float(self.settings.values.get('total_kimg', ''))
        except ValueError:
            return None

    @property
    def is_complete(self):
        """Whether the final networks have been written, or enough images shown."""
        is_over = None not in (self.kimg, self.total_kimg) and self.kimg >= self.total_kimg
        return is_over or os.path.isfile(os.path.join(self.folder, 'network-final.pkl'))


def find(paths):
    """Return the run directories among these folders and directly in them.

    Raises UserError for a path that is not a folder, and for a folder without any.
    """
    found = []
    for path in paths:
        if not os.path.isdir(path):
            raise UserError(f'{path}: no such folder; expected a run directory or a folder of them')
        inside = sorted(os.path.join(path, name) for name in os.listdir(path))
        runs = [path] if is_run(path) else [each for each in inside if os.path.isdir(each) and is_run(each)]
        if not runs:
            raise UserError(f'{path}: neither a run directory of a training nor a folder of them: no event '
                            'files, no fakes*.png and no ticks in log.txt')
        found += runs
    return list({os.path.realpath(path): path for path in found}.values())


def is_run(folder):
    """Return whether a folder looks like the run directory of a training."""
    return (any(glob.glob(os.path.join(glob.escape(folder), mark)) for mark in _MARKS)
            or tick_lines.has_ticks(folder))


def read_all(folders):
    """Return a Run for each of these run directories. Names that are not unique show the folder, too."""
    names = [os.path.basename(os.path.abspath(folder)) for folder in folders]
    return [read(folder, printable(name if names.count(name) == 1 else folder))
            for folder, name in zip(folders, names, strict=True)]


def read(folder, name):
    """Return the Run of a run directory, which may be in progress."""
    notes = []
    scalars = events.scalars(folder, notes)
    ticks, log = tick_lines.read(folder)
    if not scalars and ticks:
        notes.append('There are no event files: the curves come from log.txt, which has fewer digits and no '
                     'losses.')
    elif not scalars:
        notes.append('There are neither event files nor ticks in log.txt.')
    _add_newer(ticks, scalars)
    fakes, reals = _pictures(folder)
    if not fakes:
        notes.append('There are no pictures (fakes*.png).')
    return Run(folder, name, run_settings.read(folder, notes), scalars, metric_files.read(folder, notes),
               fakes, reals, log, notes, _times(folder))


def _add_newer(ticks, scalars):
    """Add the ticks of the log that are not in the event files yet, which are written with a delay."""
    last = max((step for values in scalars.values() for step in values), default=-_OVERLAP)
    for tag, values in ticks.items():
        newer = {step: value for step, value in values.items() if step >= last + _OVERLAP}
        if newer:
            scalars.setdefault(tag, {}).update(newer)


def _pictures(folder):
    """Return the pictures of generated images, and the path of that of real ones or None."""
    fakes = [Picture(path, kimg) for kimg, path in pictures.snapshots_of_run(folder)]
    reals = os.path.join(folder, 'reals.png')
    return fakes, reals if os.path.isfile(reals) else None


def _times(folder):
    """Return what run.txt says about the times of a run."""
    try:
        with open(os.path.join(folder, 'run.txt'), encoding='utf-8') as file:
            content = ast.literal_eval(file.read())
        return {key: str(content[key]) for key in ('start_time', 'stop_time') if key in content}
    except (OSError, ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return {}  # other code bases have other files of this name
