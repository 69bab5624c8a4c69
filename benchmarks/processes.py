"""Commands in processes of their own: how long they take and how much memory."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Failed(Exception):
    """A command that ended with an error; the text is the last that it said."""


@dataclass(frozen=True)
class Finished:
    """How a command went."""
    start: float            # time.time() before it was started.
    seconds: float          # Until its end, or the line that was waited for.
    peak_memory_bytes: int  # The most memory that the process has held.


def begin(command, **kwargs):
    """A process with its output, errors included, as text. It can be interrupted even where this one cannot:
    what a shell runs in the background ignores SIGINT, and so would all that it starts."""
    return subprocess.Popen(
        command, text=True, errors='replace', stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler), **kwargs)


def run(command, until=None):
    """Run a command in the repository's root to its end or until it prints a line that begins with `until`,
    which ends it. -> Finished. Raises Failed."""
    env = {**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3', 'PYTHONUNBUFFERED': '1'}
    start = time.time()
    process = begin([str(word) for word in command], cwd=ROOT, env=env)
    try:
        lines, found = _read(process.stdout, until)
        seconds = time.time() - start
        if found:
            process.kill()
        _, status, usage = os.wait4(process.pid, 0)  # subprocess does not tell the memory
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = seconds if found else time.time() - start
    finally:
        _end(process)
    if until is not None and not found:
        raise Failed(f'no line with {until!r}; {_last(lines)}')
    if process.returncode not in (0, -signal.SIGKILL if found else 0):
        raise Failed(_last(lines))
    return Finished(start, seconds, usage.ru_maxrss * 1024)


def _read(stream, until):
    """-> lines, was the line found?"""
    lines = []
    for line in stream:
        lines.append(line.rstrip())
        if until is not None and line.startswith(until):
            return lines, True
    return lines, False


def _last(lines):
    return next((line for line in reversed(lines) if line), 'no output')


def _end(process):
    """Without anything left running: what is interrupted has time to end the processes that it started."""
    process.stdout.close()
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=600)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def python(*words):
    """Command that runs this Python."""
    return [sys.executable, *words]


def call(function, arguments):
    """Call `module.function` of this package in a process of its own. -> the dict that it returns, with the
    process's `peak_memory_bytes` unless it has some already. Raises Failed."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, 'result.json')
        done = run(python('-m', 'benchmarks.piece', function, json.dumps(arguments), out))
        result = json.loads(out.read_text(encoding='utf-8')) or {}
    return {'peak_memory_bytes': done.peak_memory_bytes, **result}
