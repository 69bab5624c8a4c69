"""A process as the system sees it, looked at again and again while it works."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
from collections import deque

from benchmarks import processes

SECONDS_TO_END = 600  # for a process that is interrupted: it saves what it has, on a slow machine too
LAST_LINES = 40


def look(pid) -> dict | None:
    """Resident memory in bytes, threads, open files and the processor time so far of a child process or this
    one (Linux). None if it has ended."""
    folder = pathlib.Path('/proc', str(pid))
    status = dict(line.split(':', 1) for line in (folder / 'status').read_text().splitlines())
    if 'VmRSS' not in status:
        return None
    user, system = (folder / 'stat').read_text().rpartition(')')[2].split()[11:13]  # utime, stime
    return {'rss_bytes': int(status['VmRSS'].split()[0]) * 1024, 'threads': int(status['Threads']),
            'open_files': len(os.listdir(folder / 'fd')),
            'processor_seconds': (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')}


def watch(command, folder, position):
    """Run a command in `folder` to its end. Yields `look` with what `position` makes of a line of its output,
    a dict with which it is joined, and `seconds` since the start; lines of which it makes None are left out.

    Raises processes.Failed if the command does. It is ended if nobody goes on to listen.
    """
    env = {**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3', 'PYTHONUNBUFFERED': '1', 'PYTHONPATH': processes.ROOT}
    start = time.monotonic()
    process = processes.begin(command, cwd=folder, env=env)
    try:
        last = deque(maxlen=LAST_LINES)
        for line in process.stdout:
            last.append(line)
            place = position(line)
            seen = None if place is None else look(process.pid)
            if seen is not None:
                yield {**place, 'seconds': time.monotonic() - start, **seen}
        if process.wait() != 0:
            raise processes.Failed(''.join(last) or 'no output')
    finally:
        _end(process)


def _end(process):
    """Without anything left running; training ends in good order."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=SECONDS_TO_END)  # reads on, so that it can write
    if process.poll() is None:
        process.kill()
        process.wait()
    process.stdout.close()
