"""Define the sides of a comparison and the processes in which they work."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
from dataclasses import dataclass

from benchmarks import processes

OURS = 'ours'
HUGE_PAGES = ('glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=10000000000:'
              'glibc.malloc.trim_threshold=100000000000')
_TUNABLES = 'GLIBC_TUNABLES'
_CPU_ONLY = {'CUDA_VISIBLE_DEVICES': '-1'}


@dataclass(frozen=True)
class Side:
    """A project to measure, and how to start its processes."""
    name: str
    command: list
    env: dict


def ours():
    """Return this project's side."""
    command = processes.python('-m', 'benchmarks.peer.our_work')
    return Side(OURS, command, {**os.environ, **_CPU_ONLY, 'TF_CPP_MIN_LOG_LEVEL': '3'})


def peers(python, repo, glibc):
    """Return the peer with default settings and, if it uses glibc, with huge pages, which make it faster."""
    command = peer_command(python, repo)
    env = {name: value for name, value in os.environ.items() if name != _TUNABLES} | _CPU_ONLY
    sides = [Side('peer, defaults', command, env)]
    if glibc:
        sides.append(Side('peer, huge pages', command, {**env, _TUNABLES: HUGE_PAGES}))
    return sides


def peer_command(python, repo):
    """Return the command for the peer, to which work and arguments are added."""
    return [python, str(pathlib.Path(__file__).with_name('peer_work.py')), repo]


class Worker:
    """A process of one side that prepares its work and measures it on request.

    Raises processes.Failed, with the side and the last line of output, whenever the process has ended.
    """

    def __init__(self, side, work, arguments):
        """Start the process; `ready` waits until everything is prepared."""
        self.name = side.name
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [*side.command, work, json.dumps(arguments)], cwd=processes.ROOT, env=side.env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            start_new_session=True)  # so that it can be killed together with its children

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        with contextlib.suppress(ProcessLookupError):  # it has already ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self._log):
            with contextlib.suppress(BrokenPipeError):
                file.close()

    def ready(self):
        """Wait until the work can be measured."""
        self._answer()

    def measure(self, seconds):
        """Return the mean cost of a call, repeated for at least `seconds`, as a dict with the keys
        `worker.COSTS`."""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(seconds), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        status = self.process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors='replace').split('\n')
        last = next((line.strip() for line in reversed(lines) if line.strip()), 'no output')
        raise processes.Failed(f'{self.name}: exited with status {status}; last line: {last}')
