"""Files whose stored source text may be executed: once a file was trusted, its SHA-256 is remembered."""

import concurrent.futures
import hashlib
import io
import os
import sys

from dnnlib import files, util

_BLOCK_BYTES = 1 << 20  # of a stream that is hashed
_FILE = 'trusted-sources.txt'  # below the cache directory; a line for each file: its hash and its name


class _HashedBlocks(io.RawIOBase):
    """The blocks of a stream as they are read; another thread sees to their digest."""

    def __init__(self, stream):
        self._stream = stream
        self._hash = hashlib.sha256()
        self._hasher = concurrent.futures.ThreadPoolExecutor(max_workers=1)  # one: in the order of the stream

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
    """Reads from a binary stream; what was read is what the digest is of, whatever happens to the file.

    Another thread sees to the digest, as large files take long to read anyway. It gets whole blocks: a pickle
    is read in pieces of one byte, and each handover costs more than reading it.
    """

    def __init__(self, stream):
        self._blocks = _HashedBlocks(stream)
        self._buffered = io.BufferedReader(self._blocks, _BLOCK_BYTES)
        self.read = self._buffered.read
        self.readline = self._buffered.readline

    def digest(self) -> str:
        """SHA-256 of the whole stream, in hexadecimal digits; reads what is left of it."""
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
    """Was a file of this SHA-256 trusted before?"""
    return any(line.split(maxsplit=1)[:1] == [digest] for line in _lines())


def remember(digest: str, name: str) -> None:
    """Trust files of this SHA-256 from now on. The name is for the reader of the list.

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
        raise util.UserError(f'{path}: cannot be written ({error.strerror}), but trusted files are listed '
                             'there; choose another folder with --cache-dir or DNNLIB_CACHE_DIR') from error


def remember_file(path: str) -> None:
    """Trust a file from now on. Raises UserError if it cannot be read."""
    try:
        with open(path, 'rb') as file:
            remember(HashingStream(file).digest(), path)
    except OSError as error:
        raise util.UserError(f'{path}: cannot be trusted: {error.strerror}') from error


def ask(facts: str, digest: str, name: str) -> bool:
    """Ask a user whether the source text in a file may run; a yes is remembered.

    `facts`: what the file is, and what would be run. Without a terminal nobody is asked: the answer is no.
    """
    if not _on_terminal():
        return False
    # Not to sys.stderr, which a log may have taken over.
    print(f'{facts}.\nRun it, now and later? [y/N] ', end='', file=sys.__stderr__, flush=True)
    if sys.stdin.readline().strip().lower() not in ('y', 'yes'):
        return False
    remember(digest, name)
    return True


def _on_terminal():
    """Is there somebody to ask?"""
    return os.isatty(0) and os.isatty(2)
