"""Files that are complete and on the disk, or not there."""

import contextlib
import errno
import os
import uuid

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)  # of an OSError: the disk, or the user's share of it, is full
TEMPORARY = '.tmp-'  # what names of files and folders begin with that are not complete


@contextlib.contextmanager
def atomic_write(path, mode: str = 'wb'):
    """Open a file that appears at `path` when the block ends without an error, complete, and never otherwise.

    When this returns the file is on the disk, and outlasts a loss of power. `mode` is 'wb' or 'w' (UTF-8). An
    OSError for want of space or of permission names `path`.
    """
    assert mode in ('wb', 'w'), mode
    path = os.fspath(path)
    temporary = os.path.join(os.path.dirname(path), f'{TEMPORARY}{uuid.uuid4().hex}')
    try:
        with open(temporary, mode.replace('w', 'x'), encoding=None if 'b' in mode else 'utf-8') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync(os.path.dirname(path) or '.')
    except BaseException as error:
        with contextlib.suppress(OSError):  # not there, or the file system has become read-only
            os.remove(temporary)
        if isinstance(error, OSError) and (error.filename == temporary or error.errno in NO_SPACE):
            raise OSError(error.errno, os.strerror(error.errno), path) from error
        raise


def sync(path) -> None:
    """Return when a file, or the names in a folder, are on the disk. Without effect for folders where the
    system cannot open them."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # folders on Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
