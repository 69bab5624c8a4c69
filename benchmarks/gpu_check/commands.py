"""Runs the processes of a part until they end or their time is up."""

import contextlib
import json
import os
import queue
import re
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass

from benchmarks import processes

SECONDS_TO_STOP = 4.0  # for an interrupted process to end by itself
SECONDS_BETWEEN_LOOKS = 0.5
LAST_LINES = 400       # TensorFlow's errors are that long
ERROR = re.compile(r'[\w.]*(Error|Exception): (?!Graph execution error)')  # begins the message of an error
RESULT = 'RESULT '     # begins a line that holds a result in JSON
OUT_OF_MEMORY = 'this is too large for the device'  # in the message of a worker whose memory has run out
UNBUFFERED = {'PYTHONUNBUFFERED': '1'}
ENVIRONMENT = {
    'TF_CPP_MIN_LOG_LEVEL': '2',
    'TF_FORCE_GPU_ALLOW_GROWTH': 'true',  # several processes share a GPU
}


@dataclass
class Ended:
    """How a process ended."""
    status: int      # Exit status, negative for signals.
    is_cut: bool     # Whether its time was up.
    lines: list      # Its last lines.
    seconds: float
    log: str         # Name of the file with all its lines, in the folder of the report.

    @property
    def is_good(self) -> bool:
        """Return whether it ended by itself and without an error."""
        return self.status == 0 and not self.is_cut

    @property
    def reason(self) -> str:
        """Say in one line why it ended too early: by its last error, as TensorFlow prints a stack of calls
        after that, or else by its last line."""
        told = [line.strip() for line in self.lines if line.strip()]
        last = ([line for line in told if ERROR.match(line)] or told or ['no output'])[-1]
        reason = 'no time left' if self.is_cut else f'exit status {self.status}: {last}'
        return f'{reason}; {self.log} has the output'


def run(command, deadline, log, show=None, environment=ENVIRONMENT, idle=None) -> Ended:
    """Run a command in the repository root, and end it and its children when time.monotonic() reaches
    `deadline`.

    log: path of a file for its output. show: function(line) for every line of it; what it returns, unless
    that is None, is a signal to send. idle: function() that is called twice a second.
    """
    start, last, lines = time.monotonic(), deque(maxlen=LAST_LINES), queue.SimpleQueue()
    command = [str(word) for word in command]
    environment = {**os.environ, **UNBUFFERED, **environment}
    with log.open('wb', buffering=0) as file:
        _write(file, f'$ {shlex.join(command)}\n')
        process = processes.begin(command, cwd=processes.ROOT, env=environment, start_new_session=True)
        reader = threading.Thread(target=_read, args=(process.stdout, file, lines), daemon=True)
        try:
            reader.start()
            _follow(process, _until(deadline, lines, idle), last, show)
            is_cut = reader.is_alive() and time.monotonic() >= deadline
            if not is_cut:
                process.wait()
        finally:
            _end(process)
            with contextlib.suppress(RuntimeError):  # a signal came before the reader had begun
                reader.join()
    return Ended(process.returncode, is_cut, list(last), time.monotonic() - start, name_of(log))


def _write(file, text):
    with contextlib.suppress(OSError, ValueError):  # a full disk; closed after a signal
        file.write(text.encode())


def _read(stream, file, lines):
    """Write every line to the file, also those of an end that nobody waits for, and put it into the queue."""
    for line in stream:
        _write(file, line)
        lines.put(line.rstrip('\n'))
    lines.put(None)


def _follow(process, lines, last, show):
    """Keep the last lines, show all, and send the signals that are asked for."""
    for line in lines:
        last.append(line)
        request = show(line) if show else None
        if request is not None:
            process.send_signal(request)


def _until(deadline, lines, idle):
    """Yield lines until the last one or until the time is up."""
    while time.monotonic() < deadline:
        with contextlib.suppress(queue.Empty):
            line = lines.get(timeout=SECONDS_BETWEEN_LOOKS)
            if line is None:
                return
            yield line
        if idle:
            idle()


def _end(process):
    """Interrupt the process if it still runs, and kill it and its children, also if Ctrl-C comes again."""
    try:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_TO_STOP)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def name_of(log):
    """Return how the report calls a log."""
    return f'{log.parent.name}/{log.name}'


def results(function, arguments, deadline, log, idle=None, on_result=None):
    """Call a generator `module.function` of this package in a process. -> results (dicts), Ended.

    on_result: function(dict) for every result as soon as it is there.
    """
    found = []

    def show(line):
        if line.startswith(RESULT):
            found.append(json.loads(line.removeprefix(RESULT)))
            if on_result:
                on_result(found[-1])

    command = processes.python('-m', 'benchmarks.gpu_check.worker', function, json.dumps(arguments))
    return found, run(command, deadline, log, show, idle=idle)
