"""Processes that are ended with all that they started, and waited for no longer than a moment."""

import contextlib
import os
import signal
import subprocess

_SECONDS_TO_END = 5.0


def begin(command, **kwargs) -> subprocess.Popen:
    """Start a process in a group of its own, without input."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, errors='replace',
                            process_group=0 if os.name == 'posix' else None, **kwargs)


def end(process: subprocess.Popen) -> int | None:
    """Kill a process and those that it started. -> its exit status, None if it cannot be killed, such as one
    that waits for a driver."""
    if os.name == 'posix':
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(_SECONDS_TO_END)
    return None
