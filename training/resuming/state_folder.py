"""Training states: folders that are complete or absent, with everything that a run needs to resume.

`training-state-<kimg>` in the run directory contains `variables.*` (written by TensorFlow), `arrays.npz` (the
grid of the snapshots) and `state.json` (counters, positions, checksums of the other files and of itself).
"""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import uuid
from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.files import NO_SPACE, TEMPORARY, atomic_write, sha256, sync
from dnnlib.tflib import autosummary
from dnnlib.util import UserError
from training.resuming.found_runs import STATE_PREFIX
from training.resuming.found_runs import state_paths as paths

FORMAT = 1
_JSON, _ARRAYS, _VARIABLES = 'state.json', 'arrays.npz', 'variables'


class DamagedState(UserError):
    """A training state is incomplete or has changed since it was written."""


@dataclass(frozen=True)
class State:
    """A training state that has been checked."""
    path: str
    content: dict  # As given to `write`, from JSON.
    arrays: dict   # {name: array}


class Variables:
    """The variables of a training graph that belong to its state."""

    def __init__(self, variables, copies):
        """`copies`: {another variable: the one of `variables` that always has the same value}."""
        self._variables = list(variables)
        self._copies = copies

    @functools.cached_property
    def _saver(self):
        return _saver_of(self._variables)

    def save(self, folder):
        """Write all values. Raises OSError if the disk is full."""
        tflib.init_uninitialized_vars(self._variables)
        try:
            self._saver.save(tflib.tfutil.default_session(), os.path.join(folder, _VARIABLES),
                             write_meta_graph=False, write_state=False)
        except tf.errors.OpError as error:
            if 'No space left' not in error.message and 'quota exceeded' not in error.message.lower():
                raise
            raise OSError(NO_SPACE[0], os.strerror(NO_SPACE[0]), folder) from error

    def restore(self, state, empty_summaries):
        """Assign the values of a state. `empty_summaries`: clear the means for TensorBoard, which have been
        written since. Raises UserError if the state is of another graph.

        Means that the program did not record when the state was written begin empty.
        """
        prefix = os.path.join(state.path, _VARIABLES)
        is_stored = tf.train.load_checkpoint(prefix).has_tensor
        new = {var for var in autosummary.accumulators() if not is_stored(var.op.name)}
        saver = _saver_of([var for var in self._variables if var not in new]) if new else self._saver
        try:
            saver.restore(tflib.tfutil.default_session(), prefix)
        except (tf.errors.NotFoundError, tf.errors.InvalidArgumentError) as error:
            raise UserError(f'{state.path}: does not fit the networks and optimizers of this run; its '
                            'settings or the program have changed since it was written') from error
        tflib.run([tf.assign(copy, original) for copy, original in self._copies.items()])
        if empty_summaries:
            tflib.run([var.initializer for var in autosummary.accumulators()])


def _saver_of(variables):
    with tf.device('/cpu:0'):
        return tf.train.Saver({var.op.name: var for var in variables}, max_to_keep=None)


def folder_name(nimg):
    """Return the name of the state after `nimg` images."""
    return f'{STATE_PREFIX}{nimg / 1000:010.3f}'


def write(run_dir, nimg, variables, arrays, content):
    """Write the state after `nimg` images to the disk. -> its path.

    variables: `Variables`. arrays: {name: array}. content: dict for JSON.
    """
    path = os.path.join(run_dir, folder_name(nimg))
    if os.path.exists(path):
        remove(path)
    temporary = _temporary_path(run_dir)
    with _named(path):
        os.mkdir(temporary)
        try:
            variables.save(temporary)
            np.savez(os.path.join(temporary, _ARRAYS), **arrays)
            checksums = {name: sha256(os.path.join(temporary, name))
                         for name in sorted(os.listdir(temporary))}
            _write_json(temporary, content, checksums)
            for name in checksums:
                sync(os.path.join(temporary, name))
            os.rename(temporary, path)
            sync(run_dir)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return path


def amend(path, content):
    """Replace the content of a state, which keeps its variables and arrays."""
    checksums = _read_json(path)['checksums']
    with _named(path):
        _write_json(path, content, checksums)


def read(path):
    """Read the state in a folder. Raises DamagedState if a file is missing or has changed."""
    whole = _read_json(path)
    for name, checksum in whole['checksums'].items():
        try:
            actual = sha256(os.path.join(path, name))
        except OSError as error:
            raise DamagedState(f'{path}: {name} cannot be read ({error.strerror})') from error
        if actual != checksum:
            raise DamagedState(f'{path}: {name} is damaged, its checksum is wrong')
    with np.load(os.path.join(path, _ARRAYS), allow_pickle=False) as file:
        return State(path, whole['content'], dict(file))


def newest(run_dir):
    """Read the newest intact state of a run directory; None without one. Prints a warning for each damaged
    state."""
    for path in reversed(paths(run_dir)):
        try:
            return read(path)
        except DamagedState as error:
            print(f'Warning: {error}; trying the state before it.')
    return None


def keep_newest(run_dir, count):
    """Remove all states but the newest `count`."""
    for path in paths(run_dir)[:-count]:
        remove(path)


def remove(path):
    """Remove a state atomically: it is renamed first."""
    temporary = _temporary_path(os.path.dirname(path))
    os.rename(path, temporary)
    shutil.rmtree(temporary, ignore_errors=True)


def _temporary_path(run_dir):
    return os.path.join(run_dir, f'{TEMPORARY}{STATE_PREFIX}{uuid.uuid4().hex}')


@contextlib.contextmanager
def _named(path):
    """Make an OSError, such as a full disk, name this path."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


# A flipped bit in JSON often gives another valid state, which would resume silently.
def _checksum_of(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _write_json(folder, content, checksums):
    whole = {'format': FORMAT, 'checksums': checksums, 'content': content}
    with atomic_write(os.path.join(folder, _JSON), 'w') as file:
        json.dump({**whole, 'checksum': _checksum_of(whole)}, file)


def _read_json(path):
    try:
        with open(os.path.join(path, _JSON), encoding='utf-8') as file:
            whole = json.load(file)
        checksum = whole.pop('checksum')
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise DamagedState(f'{path}: {_JSON} is missing or damaged') from error
    if checksum != _checksum_of(whole):
        raise DamagedState(f'{path}: {_JSON} is damaged, its checksum is wrong')
    if whole['format'] != FORMAT:
        raise UserError(f'{path}: is of format {whole["format"]}; this program reads format {FORMAT}')
    return whole
