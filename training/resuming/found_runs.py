"""Finds the run that --resume names, by the names of files: without TensorFlow."""

import glob
import os
import re
from dataclasses import dataclass

from dnnlib.pickles import arrays, contents
from dnnlib.util import UserError, is_url
from training.data.official_files import OFFICIAL_URLS
from training.settings import precision

STATE_PREFIX = 'training-state-'  # of the folders of training states
_CONFIG = 'submit_config.pkl'


@dataclass(frozen=True)
class Run:
    """A run that has training states."""
    run_dir: str
    state_path: str | None  # The state that was named; None = the newest.


def state_paths(run_dir):
    """Return the paths of all training states in a run directory, the newest last."""
    return sorted(glob.glob(os.path.join(glob.escape(run_dir), STATE_PREFIX + '*')))


def find_run(resume, result_dir):
    """Return the run that the value of --resume names; None for a file, a URL or a run without states.

    Raises UserError for 'latest' without any run, and for states without the settings of their run.
    """
    if resume == 'latest':
        return _with_settings(Run(_latest(result_dir), None))
    if resume in OFFICIAL_URLS or is_url(resume) or not os.path.isdir(resume):
        return None
    resume = os.path.abspath(resume)
    if os.path.basename(resume).startswith(STATE_PREFIX):
        return _with_settings(Run(os.path.dirname(resume), resume))
    return _with_settings(Run(resume, None)) if state_paths(resume) else None


def _latest(result_dir):
    """Return the run directory with the highest number among those with training states."""
    states = glob.glob(os.path.join(glob.escape(result_dir), '*', STATE_PREFIX + '*'))
    runs = {os.path.dirname(path) for path in states}
    numbered = [(int(match[0]), run) for run in runs if (match := re.match('[0-9]+', os.path.basename(run)))]
    if not numbered:
        raise UserError(f'--resume=latest: no run in {result_dir} has a training state')
    return max(numbered)[1]


def _with_settings(run):
    if not os.path.isfile(os.path.join(run.run_dir, _CONFIG)):
        raise UserError(f'{run.run_dir}: has no {_CONFIG} with the settings of the run; expected a '
                        'run directory or a training state in one')
    return run


def contradiction(run, flag, there):
    """Return the error about a flag with its value, which says `there` about the run."""
    return UserError(f'{flag} contradicts the run in {run.run_dir}, {there}; leave it out, or start a new '
                     'run from one of its network pickles')


def check_precision(run, flags):
    """Raise UserError if --precision or --fp16, in {name: value}, contradict a run."""
    there = _stored_precision(os.path.join(run.run_dir, _CONFIG))
    for name, in_run in (('precision', there), ('fp16', precision.fp16_of(there))):
        if name in flags and flags[name] != in_run:
            what = f'has {in_run}' if in_run else 'was started without it'
            raise contradiction(run, f'--{name}={flags[name]}', f'which {what}')


def _stored_precision(path):
    """Return the precision in the settings of a run; None = it was started without one."""
    try:
        with open(path, 'rb') as file:
            found = contents.unpickled(file)
            stored = contents.Finisher()(found) if isinstance(found, arrays.StoredDict) else {}
    except UserError as error:
        raise UserError(f'{path}: {error}') from error
    settings = stored.get('run_func_kwargs')
    if not isinstance(settings, dict) or settings.get('precision') not in (None, *precision.NAMES):
        raise UserError(f'{path}: holds no settings of a training; expected those that run_training.py or '
                        'train.py wrote')
    return precision.MIXED if settings.get('fp16_on_cpu') else settings.get('precision')
