"""Where findings come from: files, commands, libraries and packages of this machine."""

import contextlib
import ctypes
import glob
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile

from dnnlib import util
from dnnlib.doctor import processes

try:
    import resource
except ImportError:  # Windows
    resource = None

# As a shell and `timeout` have them.
CANNOT_RUN, TIMED_OUT = 126, 124
_SECONDS_FOR_A_COMMAND = 30
_RETURNS_ITS_VERSION = 'cudnnGetVersion'  # The other libraries write theirs to a pointer.


class Machine:
    """Answers questions about this machine, and never raises because something is missing."""

    def __init__(self):
        self.environ = os.environ
        self.num_cores = util.num_cores()
        self.address_space = _address_space()
        self.architecture = platform.machine()
        self.python = platform.python_version()
        self.kernel = f'{platform.system()} {platform.release()}'
        self.libc = ' '.join(platform.libc_ver())

    def read(self, path: str) -> str:
        """Return the text of a file, '' if it cannot be read."""
        try:
            with open(path, encoding='utf-8', errors='replace') as file:
                return file.read()
        except OSError:
            return ''

    def paths(self, pattern: str) -> list[str]:
        """Return the paths that match a pattern with wildcards."""
        return sorted(glob.glob(pattern))

    def run(self, *command: str) -> tuple[int | None, str]:
        """Run a command. -> (exit status, output). The status is None without such a command."""
        try:
            process = processes.begin(command, stderr=subprocess.STDOUT)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None, ''
        except OSError as error:
            return CANNOT_RUN, f'it cannot be started ({error.strerror})'
        try:
            text, _ = process.communicate(timeout=_SECONDS_FOR_A_COMMAND)
        except subprocess.TimeoutExpired:
            return TIMED_OUT, f'no answer for {_SECONDS_FOR_A_COMMAND} seconds'
        finally:
            processes.end(process)
        return process.returncode, text

    def has_temporary_folder(self) -> bool:
        """Return whether there is a folder for temporary files."""
        try:
            tempfile.TemporaryFile().close()
        except OSError:
            return False
        return True

    def version_of(self, package: str) -> str | None:
        """Return the version of an installed Python package, None without it."""
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(package)
        return None

    def requirements_of(self, package: str) -> list[str]:
        """Return the requirements of an installed Python package, those of its extras included."""
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.requires(package) or []
        return []

    def files_of_wheels(self, pattern: str) -> list[str]:
        """Return the files below the folders `nvidia/*` of installed packages that match a pattern."""
        return [path for folder in sys.path for path in self.paths(
            os.path.join(glob.escape(folder or '.'), 'nvidia', '*', pattern))]

    def library(self, name: str, version_function: str | None = None) -> dict:
        """Load a shared library, from the packages `nvidia-*` or else from the system.

        -> {'path', 'version': int or None}, or {'reason'} if it cannot be loaded.
        """
        reason = ''
        for path in [*self.files_of_wheels(os.path.join('lib', name)), name]:
            try:
                library = ctypes.CDLL(path)
                return {'path': path, 'version': version_function and _version(library, version_function)}
            except OSError as error:
                reason = reason or str(error)
        return {'reason': reason}

    def free_bytes(self, folder: str) -> int | None:
        """Return the free space of the disk that a folder is on or would be made on, None if unknown."""
        folder = os.path.abspath(folder)
        while not os.path.exists(folder) and os.path.dirname(folder) != folder:
            folder = os.path.dirname(folder)
        with contextlib.suppress(OSError):
            return shutil.disk_usage(folder).free
        return None

    def folder_bytes(self, folder: str) -> int | None:
        """Return the size of the files in a folder and below, None without such a folder."""
        if not os.path.isdir(folder):
            return None
        total = 0
        for where, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError):  # removed meanwhile
                    total += os.lstat(os.path.join(where, name)).st_size
        return total


def _address_space():
    """Return the limit of the addresses of a process in bytes, None = none."""
    if resource is None:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _version(library, function):
    """Return what a library says of its version, None if it does not."""
    with contextlib.suppress(AttributeError):
        ask = getattr(library, function)
        if function == _RETURNS_ITS_VERSION:
            ask.restype = ctypes.c_size_t
            return int(ask())
        number = ctypes.c_int(0)
        return number.value if ask(ctypes.byref(number)) == 0 else None
    return None
