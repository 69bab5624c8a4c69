"""Files whose stored source text may be executed: once a file was trusted, its SHA-256 is remembered."""

import concurrent.futures
import hashlib
import os
import sys

from . import util

_FILE = 'trusted-sources.txt'  # below the cache directory; a line for each file: its hash and its name


class HashingStream:
    """Reads from a binary stream; what was read is what the digest is of, whatever happens to the file.

    Another thread sees to the digest, as large files take long to read anyway.
    """

    def __init__(self, stream):
        self._stream = stream
        self._hash = hashlib.sha256()
        self._hasher = concurrent.futures.ThreadPoolExecutor(max_workers=1)  # one: in the order of the stream

    def read(self, num_bytes: int = -1) -> bytes:
        """At most so many bytes."""
        return self._seen(self._stream.read(num_bytes))

    def readline(self) -> bytes:
        """Up to the end of a line."""
        return self._seen(self._stream.readline())

    def _seen(self, data):
        self._hasher.submit(self._hash.update, data)
        return data

    def digest(self) -> str:
        """SHA-256 of the whole stream, in hexadecimal digits; reads what is left of it."""
        while self.read(1 << 20):
            pass
        return self._hasher.submit(self._hash.hexdigest).result()


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
        with util.atomic_write(path, mode='w') as file:
            file.write('\n'.join(lines) + '\n')
    except OSError as error:
        raise util.UserError(f'{path}: cannot be written ({error.strerror}), but trusted files are listed '
                             'there; let DNNLIB_CACHE_DIR be another directory') from error


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
