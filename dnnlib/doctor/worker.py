"""The process that loads TensorFlow and computes: started early, listened to, and survived."""

import collections
import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

from dnnlib.doctor import processes
from dnnlib.progress import SECONDS_BETWEEN_LINES, SECONDS_OF_SILENCE
from dnnlib.util import format_time

COMMAND = (sys.executable, '-m', 'dnnlib.tflib.device_checks')
LOADING = 'Loading TensorFlow'
SECONDS_TO_LOAD = 180.0
SECONDS_TO_LOAD_IN_LIMITS = 45.0  # With few addresses it may try again and again.
SECONDS_UNTIL_GIVEN_UP = 1200.0  # The driver may compile kernels for minutes at the first start.
_SECONDS_AFTER_THE_LAST_LINE = 10.0
_LINES_OF_ERRORS = 1000
# What TensorFlow prints if it does not use a GPU, the most telling first.
_REASONS = ('failed call to cuInit', 'Cannot dlopen some GPU libraries', 'Could not load dynamic library',
            'Ignoring visible gpu device', 'Could not find cuda drivers')
# Lines that TensorFlow prints in any case, or around the one that says why it fails.
_NO_REASONS = ('Could not find cuda drivers', 'cpu_feature_guard.cc', 'To enable the following instructions:',
               'oneDNN custom operations are on', 'before absl::InitializeLog()', '.inc : ',
               'mlir_graph_optimization_pass.cc')
_STACK = re.compile(r'\s*(\*\*\*|PC:|@|#\d+)')  # how lines of a stack in C++ begin
_ENDS_OF_LOG_HEADERS = re.compile(r'^.*?[\w./-]+\.(?:cc|h|py):\d+\] ')


class Worker:
    """Runs the checks in another process. After `messages`, `reason` says why they did not end, or is None,
    and `complaint` is TensorFlow's own reason not to use a GPU, or None."""

    def __init__(self, command: tuple[str, ...] = COMMAND, limit_seconds: float | None = None):
        """Start the process. limit_seconds: for each stage, None = as usual."""
        self.reason = self.complaint = self._process = None
        self._limit_seconds = limit_seconds
        self._lines = queue.Queue()
        self._errors = collections.deque(maxlen=_LINES_OF_ERRORS)
        self._listeners = []
        environment = {**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '0', 'PYTHONPATH': _search_path()}
        try:
            self._process = processes.begin(command, stderr=subprocess.PIPE, env=environment)
            self._listen(self._process.stdout, self._lines.put, self._lines.put)
            self._listen(self._process.stderr, self._errors.append, lambda _end: None)
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread
            self.reason = f'{LOADING}: cannot be started: {error}'

    def _listen(self, stream, keep, end):
        def listen():
            with contextlib.suppress(ValueError):  # closed
                for line in stream:
                    keep(line)
            end(None)
        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        self._listeners.append(thread)

    def messages(self, say: Callable[[str], None]) -> Iterator[dict]:
        """Yield what the process finds. `say` is called with a line whenever nothing has come for a while."""
        stage = LOADING
        message = {}
        while self.reason is None and message.get('kind') != 'done' \
                and (line := self._next_line(stage, say)) is not None:
            message = _parsed(line)
            stage = message.get('text', stage)
            if message:
                yield message
        if self._process is not None:
            self._end(stage, is_done=message.get('kind') == 'done')

    def _next_line(self, stage, say):
        """Return the next line that the process prints, None at its end."""
        start = time.monotonic()
        limit = self._limit_seconds or (SECONDS_TO_LOAD if stage == LOADING else SECONDS_UNTIL_GIVEN_UP)
        wait = SECONDS_OF_SILENCE
        while True:
            seconds = time.monotonic() - start
            with contextlib.suppress(queue.Empty):
                return self._lines.get(timeout=max(min(wait, limit - seconds), 0))
            seconds = time.monotonic() - start
            if seconds >= limit:
                self.reason = f'{stage}: no answer for {format_time(seconds)}'
                return None
            say(f'{stage}...' + (f' {format_time(seconds)}' if seconds >= SECONDS_BETWEEN_LINES else ''))
            wait = SECONDS_BETWEEN_LINES

    def _end(self, stage, is_done):
        """Conclude what happened; TensorFlow may take seconds to tidy up, or has closed its output."""
        status = None
        if not is_done and self.reason is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(_SECONDS_AFTER_THE_LAST_LINE)
        ended = processes.end(self._process)
        for thread in self._listeners:
            thread.join(_SECONDS_AFTER_THE_LAST_LINE)
        lines = list(self._errors)
        self.complaint = complaint_in(lines)
        if is_done:
            return
        if self.reason is None:
            self.reason = f'{stage}: {_how_it_ended(ended if status is None else status)}'
        elif ended is None:
            self.reason += ', and it cannot be killed'
        self.reason += _last_of(lines)

    def close(self) -> None:
        """End the process if it still runs."""
        if self._process is not None:
            processes.end(self._process)


def _last_of(lines):
    """Return the last line that says something, after a colon, '' without one."""
    told = [_ENDS_OF_LOG_HEADERS.sub('', line).strip(' .\n') for line in lines
            if not _STACK.match(line) and not any(noise in line for noise in _NO_REASONS)]
    return next((f': {text}' for text in reversed(told) if text), '')


def _search_path():
    """Return PYTHONPATH with the folder of this project, which need not be the current one."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.pathsep.join(filter(None, [root, os.environ.get('PYTHONPATH')]))


def _parsed(line):
    """Return the message in a line, {} for anything else that a library prints."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _how_it_ended(status):
    if status is None:
        return 'did not end, and cannot be killed'
    if status >= 0:
        return f'ended with status {status}'
    name = signal.Signals(-status).name if -status in signal.valid_signals() else f'signal {-status}'
    hint = {'SIGILL': ' (the processor lacks instructions that this TensorFlow is built with)',
            'SIGKILL': ' (out of memory, as a rule)'}.get(name, '')
    return f'ended by {name}{hint}'


def complaint_in(lines: list[str]) -> str | None:
    """Return what TensorFlow's log says about a GPU that it does not use, None if nothing."""
    for reason in _REASONS:
        for line in lines:
            if reason in line:
                return _ENDS_OF_LOG_HEADERS.sub('', line).strip()
    return None
