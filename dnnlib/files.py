"""Files that are complete and on disk, or absent."""

import contextlib
import errno
import hashlib
import os
import shutil
import threading
import uuid

from dnnlib.util import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# The disk or the user's quota is full, or files must not be as large.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What NumPy raises for a damaged .npy file, in which any shape can be written.
BAD_ARRAY = (OSError, EOFError, MemoryError, OverflowError, ValueError)
TEMPORARY = '.tmp-'  # prefix of the names of incomplete files and folders
_seeking = threading.Lock()


@contextlib.contextmanager
def atomic_write(path, mode: str = 'wb'):
    """Open a file that appears at `path`, complete, if the block ends without an error, and never otherwise.

    Afterwards the file is on disk and survives a power failure. `mode` is 'wb' or 'w' (UTF-8). An OSError for
    lack of space or permission names `path`.
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
        with contextlib.suppress(OSError):  # absent, or the file system has become read-only
            os.remove(temporary)
        if isinstance(error, OSError) and (error.filename == temporary or error.errno in NO_SPACE):
            raise OSError(error.errno, os.strerror(error.errno), path) from error
        raise


def create_folder(path) -> None:
    """Create a folder, unless it exists. Raises UserError if that is not possible."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise UserError(f'{path}: the folder cannot be created ({error.strerror}); choose another') from error


def sha256(path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def sync(path) -> None:
    """Flush a file, or the names in a folder, to disk. No effect for folders on Windows."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder on Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock_folder(path) -> int | None:
    """Lock a folder until the descriptor that is returned is closed, or until the process ends.

    Raises BlockingIOError if another process has locked it. None where folders cannot be locked: on Windows
    and on some network file systems.
    """
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return descriptor


def read_at(file, num_bytes: int, offset: int) -> bytes:
    """Return the bytes at an offset of a binary file, which several threads may read at a time."""
    if hasattr(os, 'pread'):
        return os.pread(file.fileno(), num_bytes, offset)
    with _seeking:  # Windows
        file.seek(offset)
        return file.read(num_bytes)


@contextlib.contextmanager
def atomic_folder(path):
    """Give a folder for files, which appears as `path` if the block ends without an error.

    Raises UserError if `path` is neither absent nor an empty folder.
    """
    if os.path.lexists(path) and not (os.path.isdir(path) and not os.listdir(path)):
        raise UserError(f'{path}: is not an empty folder; choose a new one')
    parent = os.path.dirname(os.path.abspath(path))
    with contextlib.suppress(FileExistsError):
        os.makedirs(parent)
    temporary = os.path.join(parent, f'{TEMPORARY}{uuid.uuid4().hex}')
    os.mkdir(temporary)
    try:
        yield temporary
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(path)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
