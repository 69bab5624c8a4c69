"""Folders whose files are replaced together: all of the new ones, or none, whenever a run is killed."""

import contextlib
import os
import shutil
import tempfile

from dnnlib.files import TEMPORARY, lock_folder
from dnnlib.util import UserError
from training.data import class_names, folders, set_files

_REMOVING = 'earlier'   # Subfolder to which earlier files move before new ones are in place.
_REPLACED = 'replaced'  # Its name when all of them have moved.
_SUFFIXES = ('.tfrecords', '.labels', class_names.SUFFIX, '-report.txt')


class WorkFolder:
    """A subfolder `path` of `folder` in which files are completed before they replace earlier ones.

    It is locked against other processes that do the same. What a killed process has left is removed; if it
    was replacing files, that is completed or undone first. Raises UserError if another process writes to the
    folder, and OSError.
    """

    def __init__(self, folder):
        self.folder = folder
        self._is_new = not os.path.exists(folder)
        os.makedirs(folder, exist_ok=True)
        try:
            self._lock = lock_folder(folder)
        except BlockingIOError as error:
            raise UserError(f'{folder}: another process writes to this folder; wait for it') from error
        self.path = None
        try:
            if self._lock is not None:  # else their owners may be alive
                for path in filter(_is_ours, folders.incomplete_in(folder)):
                    _take_up(path, folder)
            self.path = tempfile.mkdtemp(prefix=folders.INCOMPLETE, dir=folder)
        except BaseException:
            self.discard()
            raise

    def move_into_place(self, earlier):
        """Replace the files `earlier`, names in the folder, by all files here.

        Earlier files go in alphabetical order, those of a validation set last, and new ones come in reverse
        order. After an error, the earlier files are back.
        """
        names = _in_order(os.listdir(self.path), reverse=True)
        removing, replaced = (os.path.join(self.path, name) for name in (_REMOVING, _REPLACED))
        os.mkdir(removing)
        try:
            _move(_in_order(earlier), self.folder, removing)
            os.rename(removing, replaced)
            _move(names, self.path, self.folder)
        except BaseException:
            _move([name for name in names if not os.path.exists(os.path.join(self.path, name))],
                  self.folder, self.path)
            for path in filter(os.path.isdir, (removing, replaced)):
                _move(_in_order(os.listdir(path), reverse=True), path, self.folder)
            raise

    def discard(self):
        """Remove the files that are not in place, and the folder if it is new and empty; unlock it."""
        if self.path is not None:
            shutil.rmtree(self.path, ignore_errors=True)
        if self._is_new:
            with contextlib.suppress(OSError):  # not empty if files have been moved there
                os.rmdir(self.folder)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _is_ours(path):
    """Return whether a subfolder holds only what is written here: users may have given one the same name."""
    return os.path.isdir(path) and not os.path.islink(path) and all(
        name in (_REMOVING, _REPLACED) or name.startswith(TEMPORARY) or name.endswith(_SUFFIXES)
        for name in os.listdir(path))


def _take_up(path, folder):
    """Remove what a killed process has left, after completing or undoing the replacement it was at."""
    removing = os.path.join(path, _REMOVING)
    if os.path.isdir(removing):
        _move(_in_order(os.listdir(removing), reverse=True), removing, folder)
    elif os.path.isdir(os.path.join(path, _REPLACED)):
        names = [name for name in os.listdir(path) if name != _REPLACED]
        _move(_in_order(names, reverse=True), path, folder)
    shutil.rmtree(path)


def _in_order(names, reverse=False):
    """Sort names of files, with those of a validation set after the others."""
    return sorted(names, key=lambda name: (set_files.is_validation(name), name), reverse=reverse)


def _move(names, source_dir, target_dir):
    for name in names:
        os.replace(os.path.join(source_dir, name), os.path.join(target_dir, name))
