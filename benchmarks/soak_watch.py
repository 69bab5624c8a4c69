"""Sample memory, threads and open files of a running process."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
from collections import deque

from benchmarks import processes

SECONDS_TO_END = 600  # for an interrupted process to save its state, even on a slow machine
LAST_LINES = 40


def look(pid) -> dict | None:
    """Sample the resident memory in bytes, threads, open files and processor time of a process (Linux).

    The process is this one or a child. Returns None if it has ended.
    """
    folder = pathlib.Path('/proc', str(pid))
    status = dict(line.split(':', 1) for line in (folder / 'status').read_text().splitlines())
    if 'VmRSS' not in status:
        return None
    user, system = (folder / 'stat').read_text().rpartition(')')[2].split()[11:13]  # utime, stime
    return {'rss_bytes': int(status['VmRSS'].split()[0]) * 1024, 'threads': int(status['Threads']),
            'open_files': len(os.listdir(folder / 'fd')),
            'processor_seconds': (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')}


def watch(command, folder, position):
    """Run a command in `folder` until it ends, and yield a sample for each line of output that has a
    position.

    `position` returns a dict for such a line and None for others. A sample joins this dict with the result of
    `look` and with the `seconds` since the start. Raises processes.Failed if the command fails. Closing the
    generator ends the process.
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
    """Interrupt the process, so that training can save its state, and kill it if it does not end in time."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=SECONDS_TO_END)  # keeps reading, so that the process can write
    if process.poll() is None:
        process.kill()
        process.wait()
    process.stdout.close()
