"""The state of a run of projections, in a file of its directory, from which the run resumes."""

import contextlib
import os

import numpy as np

import dnnlib
from dnnlib.files import atomic_write
from dnnlib.util import UserError
from latents.array_files import DAMAGED

FILE = 'projection-state.npz'


def write(group, arrays=()):
    """Write that this group of images is the next one or, with the arrays of `Projector.get_state`, has been
    begun."""
    with atomic_write(dnnlib.make_run_dir_path(FILE)) as file:
        np.savez(file, group=group, **dict(arrays))


def read():
    """Return the group and the arrays, {} for a group that has not been begun; (0, {}) for a new run."""
    path = dnnlib.make_run_dir_path(FILE)
    if not os.path.exists(path):
        return 0, {}
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        return int(arrays.pop('group')), arrays
    except (OSError, *DAMAGED, KeyError) as error:
        raise UserError(f'{path}: this state is damaged; start a new run') from error


def remove():
    """Remove the state of a run that has ended."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(dnnlib.make_run_dir_path(FILE))
