"""The part of a file that has arrived, kept on disk so that any process can resume the download."""

import contextlib
import hashlib
import json
import os
import uuid

from dnnlib.files import sync

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


class PartialFile:
    """An incomplete file at `path`, its `size` in bytes, and `facts` about the whole file in `<path>.json`.

    As a context, it waits for other processes that download the same file, and is None if one of them has
    finished it. What has arrived is kept. On Windows, every process has its own file.
    """

    def __init__(self, path, verbose=False):
        """`verbose`: print a line before waiting for another process."""
        self._file = open(path if fcntl else f'{path}-{uuid.uuid4().hex}', 'a+b')  # noqa: SIM115
        self._verbose = verbose
        self._facts_path = self._file.name + '.json'

    def __enter__(self):
        self._lock()
        if not self._is_in_its_place():
            return None
        self.size = self._file.seek(0, os.SEEK_END)
        self.facts = self._read_facts()
        if not self.facts:
            self.begin({})
        return self

    def __exit__(self, *_error):
        # An interrupted process may have written more than `size`.
        if self._is_in_its_place() and self._file.seek(0, os.SEEK_END) == 0:
            for path in (self._facts_path, self._file.name):
                with contextlib.suppress(OSError):
                    os.remove(path)
        self._file.close()

    def _lock(self):
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if self._verbose:
                print('Another process is downloading this file; waiting for it.', flush=True)
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def _is_in_its_place(self):
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._file.name))
        except (FileNotFoundError, ValueError):  # renamed, or closed for that
            return False

    def _read_facts(self):
        try:
            with open(self._facts_path, encoding='utf-8') as file:
                facts = json.load(file)
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def begin(self, facts):
        """Empty the file, and store `facts`, a dictionary for JSON."""
        self.size, self.facts = 0, facts
        self._file.truncate(0)
        with open(self._facts_path, 'w', encoding='utf-8') as file:
            json.dump(facts, file)

    def append(self, data):
        """Append data."""
        self._file.write(data)
        self.size += len(data)

    def digest(self):
        """Return the SHA-256 of the data."""
        self._file.flush()
        self._file.seek(0)
        return hashlib.file_digest(self._file, 'sha256').hexdigest()

    def rename(self, path):
        """Move the complete file to `path`, and return that."""
        self._file.flush()
        os.fsync(self._file.fileno())
        if fcntl is None:  # Windows cannot rename open files
            self._file.close()
        os.replace(self._file.name, path)
        sync(os.path.dirname(path) or '.')
        with contextlib.suppress(OSError):
            os.remove(self._facts_path)
        return path
