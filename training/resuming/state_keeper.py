"""When training states are written, and what they contain."""

import glob
import os

import numpy as np

import dnnlib
from dnnlib.files import sync
from dnnlib.progress import announced
from training.resuming import state_folder

LOGS = ('log.txt', 'metric-*.txt', 'metric-*.jsonl', 'events.out.tfevents.*')  # they only grow


class StateKeeper:
    """Writes the state of a run into its directory, and resumes from one."""

    def __init__(self, trainer, reporter, variables, seed, keep_states, state_kimg):
        """seed: of the graph. keep_states: how many are kept. state_kimg: thousands of images between two;
        None = only when `save` is called."""
        self._trainer = trainer
        self._reporter = reporter
        self._variables = variables
        self._seed = seed
        self._keep_states = keep_states
        self._state_nimg = None if state_kimg is None else state_kimg * 1000
        self._last_nimg = trainer.cur_nimg
        self._last_path = None

    def save(self):
        """Write a state to the disk and remove the oldest ones. Does nothing if there was no training since
        the last state."""
        if self._last_path is not None and self._last_nimg == self._trainer.cur_nimg:
            return
        run_dir, nimg = dnnlib.make_run_dir_path(), self._trainer.cur_nimg
        with announced(f'Saving {state_folder.folder_name(nimg)}...'):
            self._last_path = state_folder.write(
                run_dir, nimg, self._variables, self._reporter.grid.arrays(), self._content())
        self._last_nimg = nimg
        state_folder.keep_newest(run_dir, self._keep_states)

    def save_if_due(self):
        """Write a state if `state_kimg` says so."""
        nimg = self._trainer.cur_nimg
        if self._state_nimg and nimg // self._state_nimg > self._last_nimg // self._state_nimg:
            self.save()

    def amend(self):
        """Replace what the report of a tick has changed in the state that was saved just before it."""
        state_folder.amend(self._last_path, {**self._content(), 'summaries_written': True})

    def restore(self, state):
        """Continue as when the state was written. The trainer has been restored."""
        self._variables.restore(state, empty_summaries=state.content['summaries_written'])
        self._reporter.restore(state.content['reporter'])
        np.random.set_state(state.content['numpy'])
        self._last_nimg = self._trainer.cur_nimg
        self._last_path = state.path

    def _content(self):
        self._reporter.summary_log.flush()
        numpy_state = np.random.get_state()
        return {
            'seed': self._seed,
            'trainer': self._trainer.state(),
            'reporter': self._reporter.state(),
            'data': self._trainer.training_set.position(),
            'numpy': [part.tolist() if isinstance(part, np.ndarray) else part for part in numpy_state],
            'summaries_written': False,
            'logs': log_sizes(dnnlib.make_run_dir_path()),
        }


def log_sizes(run_dir):
    """Return {name: bytes} of the logs in a run directory, after writing them to the disk."""
    patterns = [os.path.join(glob.escape(run_dir), pattern) for pattern in LOGS]
    paths = [path for pattern in patterns for path in sorted(glob.glob(pattern))]
    for path in paths:
        sync(path)
    return {os.path.basename(path): os.path.getsize(path) for path in paths}


def cut_logs(run_dir, sizes):
    """Cut the logs back to the sizes that `log_sizes()` returned. -> names of those that were longer."""
    longer = []
    for name, size in log_sizes(run_dir).items():
        path = os.path.join(run_dir, name)
        if size > sizes.get(name, 0):
            longer.append(name)
            if name in sizes:
                os.truncate(path, sizes[name])
            else:
                os.remove(path)
    return longer
