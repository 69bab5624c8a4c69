"""Files whose stored source text may be executed, remembered by their SHA-256."""

import concurrent.futures
import hashlib
import io
import os
import sys

from dnnlib import files, util

_BLOCK_BYTES = 1 << 20
_FILE = 'trusted-sources.txt'  # In the cache directory, one line per file: its hash and its name.


class _HashedBlocks(io.RawIOBase):
    """The blocks of a stream as they are read, hashed by another thread."""

    def __init__(self, stream):
        self._stream = stream
        self._hash = hashlib.sha256()
        self._hasher = concurrent.futures.ThreadPoolExecutor(max_workers=1)  # One keeps the order.

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._stream.read(len(buffer))
        buffer[:len(data)] = data
        self._hasher.submit(self._hash.update, data)
        return len(data)

    def hexdigest(self):
        return self._hasher.submit(self._hash.hexdigest).result()


class HashingStream:
    """Reads from a binary stream and hashes exactly what was read, even if the file changes meanwhile.

    Another thread hashes, as large files take long to read anyway. It gets whole blocks: pickles are read in
    pieces of one byte, and passing on each would take longer than reading it.
    """

    def __init__(self, stream):
        self._blocks = _HashedBlocks(stream)
        self._buffered = io.BufferedReader(self._blocks, _BLOCK_BYTES)
        self.read = self._buffered.read
        self.readline = self._buffered.readline
        self.peek = self._buffered.peek

    def digest(self) -> str:
        """Read the rest of the stream and return the SHA-256 of all of it in hexadecimal digits."""
        while self.read(_BLOCK_BYTES):
            pass
        return self._blocks.hexdigest()


def _lines():
    try:
        with open(util.make_cache_dir_path(_FILE), encoding='utf-8', errors='replace') as file:
            return file.read().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_trusted(digest: str) -> bool:
    """Return whether a file of this SHA-256 was trusted before."""
    return any(line.split(maxsplit=1)[:1] == [digest] for line in _lines())


def remember(digest: str, name: str) -> None:
    """Trust files of this SHA-256 from now on. The name helps readers of the list.

    Raises UserError if the list cannot be written.
    """
    if is_trusted(digest):
        return
    path = util.make_cache_dir_path(_FILE)
    lines = [*_lines(), f'{digest}  {ascii(os.path.basename(name))[1:-1]}']
    try:
        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
        with files.atomic_write(path, mode='w') as file:
            file.write('\n'.join(lines) + '\n')
    except OSError as error:
        raise util.UserError(f'{path}: the list of trusted files cannot be written ({error.strerror}); '
                             'choose another folder with --cache-dir or DNNLIB_CACHE_DIR') from error


def remember_file(path: str) -> None:
    """Trust a file from now on. Raises UserError if it cannot be read."""
    try:
        with open(path, 'rb') as file:
            remember(HashingStream(file).digest(), path)
    except OSError as error:
        raise util.UserError(f'{path}: cannot be trusted: {error.strerror}') from error


def ask(facts: str, digest: str, name: str) -> bool:
    """Ask the user whether the source text in a file may run, and remember a yes.

    `facts`: what the file is and what would run. Without a terminal the answer is no.
    """
    if not (os.isatty(0) and os.isatty(2)):
        return False
    # sys.stderr may be redirected to a log.
    print(f'{facts}.\nRun it, now and later? [y/N] ', end='', file=sys.__stderr__, flush=True)
    if sys.stdin.readline().strip().lower() not in ('y', 'yes'):
        return False
    remember(digest, name)
    return True
