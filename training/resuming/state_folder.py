"""Training states: all that a run needs to go on as if it had never stopped, in a folder that is complete or
not there.

`training-state-<kimg>` in the run directory holds `variables.*` (written by TensorFlow), `arrays.npz` (the
grid of the snapshots) and `state.json` (counters, positions, checksums of the other files and of itself).
"""

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.files import NO_SPACE, TEMPORARY, atomic_write, sync
from dnnlib.tflib import autosummary
from dnnlib.util import UserError
from training.resuming.found_runs import STATE_PREFIX
from training.resuming.found_runs import state_paths as paths

FORMAT = 1
_JSON, _ARRAYS, _VARIABLES = 'state.json', 'arrays.npz', 'variables'


class DamagedState(UserError):
    """A training state is not as it was written."""


@dataclass(frozen=True)
class State:
    """A training state that has been checked."""
    path: str
    content: dict  # Whatever was given to `write`, from JSON.
    arrays: dict   # Name: array.


class Variables:
    """The variables of a training graph, as far as they are a part of its state."""

    def __init__(self, copies, without):
        """All variables of the graph as it is now but the `copies`, {variable: the one that always has the
        same value}, and those in `without`, which are set again before they are read."""
        self._copies = copies
        left_out = {*copies, *without}
        self._stored = {var.op.name: var for var in tf.global_variables() if var not in left_out}
        self._saver = None
        self._copy_op = None

    def _make_saver(self):
        if self._saver is None:
            with tf.device('/cpu:0'):
                self._saver = tf.train.Saver(self._stored, max_to_keep=None)
        return self._saver

    def save(self, folder):
        """Write all values. OSError where the disk is full."""
        tflib.init_uninitialized_vars(list(self._stored.values()))
        try:
            self._make_saver().save(tflib.tfutil.default_session(), os.path.join(folder, _VARIABLES),
                                    write_meta_graph=False, write_state=False)
        except tf.errors.OpError as error:
            if 'No space left' not in error.message and 'quota exceeded' not in error.message.lower():
                raise
            raise OSError(NO_SPACE[0], os.strerror(NO_SPACE[0]), folder) from error

    def restore(self, state, empty_summaries):
        """Assign the values of a state. `empty_summaries`: forget what had been recorded for TensorBoard,
        which has been written since. UserError if the state is of another graph."""
        try:
            self._make_saver().restore(tflib.tfutil.default_session(), os.path.join(state.path, _VARIABLES))
        except (tf.errors.NotFoundError, tf.errors.InvalidArgumentError) as error:
            raise UserError(f'{state.path}: does not fit the networks and optimizers of this run; its '
                            'settings or the program have changed since it was written') from error
        tflib.run([tf.assign(copy, original) for copy, original in self._copies.items()])
        if empty_summaries:
            tflib.run([var.initializer for var in autosummary.accumulators()])


def folder_name(nimg):
    """Name of the state after `nimg` images."""
    return f'{STATE_PREFIX}{nimg / 1000:010.3f}'


def write(run_dir, nimg, variables, arrays, content):
    """Write the state after `nimg` images. -> path. It is on the disk when this returns.

    variables: `Variables`. arrays: {name: array}. content: dict for JSON.
    """
    path = os.path.join(run_dir, folder_name(nimg))
    if os.path.exists(path):
        remove(path)
    with _named(path), _temporary_folder(run_dir) as temporary:
        variables.save(temporary)
        with open(os.path.join(temporary, _ARRAYS), 'wb') as file:
            np.savez(file, **arrays)
        checksums = {name: _checksum(os.path.join(temporary, name)) for name in sorted(os.listdir(temporary))}
        _write_json(temporary, content, checksums)
        for name in checksums:
            sync(os.path.join(temporary, name))
        os.rename(temporary, path)
        sync(run_dir)
    return path


def amend(path, content):
    """Replace what belongs to the variables and arrays of a state."""
    checksums = _read_json(path)['checksums']
    with _named(path):
        _write_json(path, content, checksums)


def read(path):
    """The state in a folder. Raises DamagedState if anything is missing or not as it was written."""
    whole = _read_json(path)
    for name, checksum in whole['checksums'].items():
        try:
            actual = _checksum(os.path.join(path, name))
        except OSError as error:
            raise DamagedState(f'{path}: {name} cannot be read ({error.strerror})') from error
        if actual != checksum:
            raise DamagedState(f'{path}: {name} is damaged, its checksum is wrong')
    with np.load(os.path.join(path, _ARRAYS), allow_pickle=False) as file:
        return State(path, whole['content'], dict(file))


def newest(run_dir):
    """The newest state of a run directory that is intact; None if there is none. Prints a line for each that
    is damaged."""
    for path in reversed(paths(run_dir)):
        try:
            return read(path)
        except DamagedState as error:
            print(f'Warning: {error}; the state before it is used.')
    return None


def keep_newest(run_dir, count):
    """Remove all states but the newest `count`."""
    for path in paths(run_dir)[:-count]:
        remove(path)


def remove(path):
    """Remove a state. It is never there in parts."""
    temporary = os.path.join(os.path.dirname(path), f'{TEMPORARY}{STATE_PREFIX}{uuid.uuid4().hex}')
    os.rename(path, temporary)
    shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _temporary_folder(run_dir):
    """A new folder, which is gone afterwards unless it has been renamed."""
    path = os.path.join(run_dir, f'{TEMPORARY}{STATE_PREFIX}{uuid.uuid4().hex}')
    os.mkdir(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _named(path):
    """An OSError for want of space or of permission names this path."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def _checksum(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


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
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DamagedState(f'{path}: {_JSON} is missing or damaged') from error
    if checksum != _checksum_of(whole):
        raise DamagedState(f'{path}: {_JSON} is damaged, its checksum is wrong')
    if whole['format'] != FORMAT:
        raise UserError(f'{path}: is of format {whole["format"]}; this program reads format {FORMAT}')
    return whole
