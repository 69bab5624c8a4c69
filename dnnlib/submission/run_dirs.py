"""Run directories: numbered, one for each run, removed again if a run ends without a result."""

import contextlib
import os
import re
import shutil

from dnnlib import util
from dnnlib.submission.slurm import target

# The files of a run directory that the submission writes, not the run function.
_OWN_FILES = {'submit_config.pkl', 'submit_config.txt', 'src', 'run.py', 'log.txt', 'run.txt',
              '_finished.txt', target.SCRIPT}


class SubmitError(util.UserError, RuntimeError):
    """A configuration cannot run."""


def next_run_id(root):
    """Return 1 + the largest number at the start of the name of a directory in `root`; 0 without any."""
    with os.scandir(root) as entries:
        numbers = [re.match(r'[0-9]+', entry.name) for entry in entries if entry.is_dir()]
    return max((int(number[0]) for number in numbers if number), default=-1) + 1


def create_run_dir(root, run_desc):
    """Create the next run directory and return (run_id, run_name).

    A hidden directory claims the number first, because processes with different descriptions would not
    collide on the final name. The holder of the claim looks again: an earlier holder may have created its
    run directory in the meantime.
    """
    run_id = next_run_id(root)
    while True:
        claim = os.path.join(root, f'.{run_id:05d}')
        try:
            os.mkdir(claim)
        except FileExistsError:
            run_id += 1
            continue
        now_next = next_run_id(root)
        if now_next <= run_id:
            break
        os.rmdir(claim)
        run_id = now_next
    run_name = f'{run_id:05d}-{run_desc}'
    run_dir = os.path.join(root, run_name)
    if os.path.lexists(run_dir):
        os.rmdir(claim)
        raise SubmitError(f'The run dir already exists! ({run_dir})')
    os.rename(claim, run_dir)
    return run_id, run_name


def make_root(root):
    """Create the folder of the run directories."""
    try:
        os.makedirs(root, exist_ok=True)
    except OSError as error:
        in_the_way = isinstance(error, (FileExistsError, NotADirectoryError))
        reason = 'a file is in the way' if in_the_way else error.strerror
        raise SubmitError(f'{root}: cannot be the root of run directories: {reason}') from error


def check_root(root):
    """Raise SubmitError if no run directory can be created in this folder, which may not exist yet."""
    absent = absent_folders(root)
    existing = os.path.dirname(absent[-1]) if absent else os.path.abspath(root)
    if os.path.isdir(existing) and os.access(existing, os.W_OK | os.X_OK):
        return
    reason = f'no permission to write in {existing}' if os.path.isdir(existing) else 'a file is in the way'
    raise SubmitError(f'{root}: cannot be the root of run directories: {reason}')


def absent_folders(path):
    """Return the folder and its parents that do not exist, the innermost first."""
    path, absent = os.path.abspath(path), []
    while not os.path.lexists(path):
        absent.append(path)
        path = os.path.dirname(path)
    return absent


@contextlib.contextmanager
def removed_without_result(run_dir, new_folders, ends):
    """Remove a run directory after an error for which `ends` is true, unless it contains a result.

    `new_folders` around it, as of `absent_folders`, go too. A result is a file that the submission has not
    written.
    """
    try:
        yield
    except BaseException as error:
        files = set(os.listdir(run_dir))
        if ends(error) and files <= _OWN_FILES:
            shutil.rmtree(run_dir, ignore_errors=True)
            _remove_empty(new_folders)
            if 'log.txt' in files:  # the user has seen its path
                print(f'dnnlib: Removed {run_dir}, which contained no result.')
        raise


def _remove_empty(folders):
    with contextlib.suppress(OSError):  # another run is there by now
        for folder in folders:
            os.rmdir(folder)
