"""Run commands in separate processes and measure their time and memory."""

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
    """Raised when a command fails, with the last line of its output."""


@dataclass(frozen=True)
class Finished:
    """Time and memory of a finished command."""
    start: float            # time.time() before the start.
    seconds: float          # Until the end, or until the awaited line.
    peak_memory_bytes: int  # Peak memory of the process.


def begin(command, **kwargs):
    """Start a process with stdout and stderr combined as text.

    The process handles SIGINT even if this one ignores it, as commands that a shell runs in the background
    do. It inherits that, as `preexec_fn` would lose signals: Python runs functions around it whose exceptions
    it ignores.
    """
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if is_ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, text=True, errors='replace', stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, **kwargs)
    finally:
        if is_ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def run(command, until=None):
    """Run a command in the repository root until it ends, or kill it when it prints a line that begins with
    `until`. -> Finished. Raises Failed."""
    env = {**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3', 'PYTHONUNBUFFERED': '1'}
    start = time.time()
    process = begin([str(word) for word in command], cwd=ROOT, env=env)
    try:
        lines, found = _read(process.stdout, until)
        seconds = time.time() - start
        if found:
            process.kill()
        _, status, usage = os.wait4(process.pid, 0)  # subprocess does not report memory
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = seconds if found else time.time() - start
    finally:
        _end(process)
    if until is not None and not found:
        raise Failed(f'no output line begins with {until!r}; last line: {_last(lines)}')
    if process.returncode not in (0, -signal.SIGKILL if found else 0):
        raise Failed(_last(lines))
    return Finished(start, seconds, usage.ru_maxrss * 1024)


def _read(stream, until):
    """Read lines up to one that begins with `until`. -> lines, whether it was found."""
    lines = []
    for line in stream:
        lines.append(line.rstrip())
        if until is not None and line.startswith(until):
            return lines, True
    return lines, False


def _last(lines):
    return next((line for line in reversed(lines) if line), 'no output')


def _end(process):
    """Interrupt the process if it still runs, and give it time to end its children."""
    process.stdout.close()
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=600)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def python(*words):
    """Return a command that runs this Python."""
    return [sys.executable, *words]


def call(function, arguments):
    """Call `module.function` of this package in a separate process. Raises Failed.

    Returns the function's dict, with the process's `peak_memory_bytes` unless the dict already has it.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, 'result.json')
        done = run(python('-m', 'benchmarks.piece', function, json.dumps(arguments), out))
        result = json.loads(out.read_text(encoding='utf-8')) or {}
    return {'peak_memory_bytes': done.peak_memory_bytes, **result}
