"""The process that loads TensorFlow and computes: started early, listened to, and survived."""

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

from dnnlib.progress import SECONDS_BETWEEN_LINES, SECONDS_OF_SILENCE
from dnnlib.util import UserError, format_time

COMMAND = (sys.executable, '-m', 'dnnlib.tflib.device_checks')
LOADING = 'Loading TensorFlow'
SECONDS_TO_LOAD = 180.0
SECONDS_UNTIL_GIVEN_UP = 1200.0  # The driver may compile kernels for minutes at the first start.
# What TensorFlow prints if it does not use a GPU, the most telling first.
_REASONS = ('failed call to cuInit', 'Cannot dlopen some GPU libraries', 'Could not load dynamic library',
            'Ignoring visible gpu device', 'Could not find cuda drivers')
_STACK = re.compile(r'\s*(\*\*\*|PC:|@|#\d+)')  # how lines of a stack in C++ begin
_ENDS_OF_LOG_HEADERS = re.compile(r'^.*?[\w./-]+\.(?:cc|h|py):\d+\] ')


class Worker:
    """Runs the checks in another process. After `messages`, `reason` says why they did not end, or is None,
    and `complaint` is TensorFlow's own reason not to use a GPU, or None."""

    def __init__(self, command: tuple[str, ...] = COMMAND):
        self.reason = self.complaint = None
        self._errors = _temporary_file()
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            errors='replace', env={**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '0', 'PYTHONPATH': _search_path()})
        self._lines = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def messages(self, say: Callable[[str], None]) -> Iterator[dict]:
        """Yield what the process finds. `say` is called with a line whenever nothing has come for a while."""
        stage = LOADING
        message = {}
        while message.get('kind') != 'done' and (line := self._next_line(stage, say)) is not None:
            message = _parsed(line)
            stage = message.get('text', stage)
            if message:
                yield message
        self._end(stage, is_done=message.get('kind') == 'done')

    def _next_line(self, stage, say):
        """Return the next line that the process prints, None at its end."""
        start = time.monotonic()
        limit = SECONDS_TO_LOAD if stage == LOADING else SECONDS_UNTIL_GIVEN_UP
        wait = SECONDS_OF_SILENCE
        while True:
            with contextlib.suppress(queue.Empty):
                return self._lines.get(timeout=wait)
            seconds = time.monotonic() - start
            if seconds > limit:
                self._process.kill()
                self.reason = f'{stage}: no answer for {format_time(seconds)}'
                return None
            say(f'{stage}...' + (f' {format_time(seconds)}' if seconds >= SECONDS_BETWEEN_LINES else ''))
            wait = SECONDS_BETWEEN_LINES

    def _end(self, stage, is_done):
        if is_done:  # TensorFlow may take seconds to tidy up
            self._process.kill()
        status = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors='replace').splitlines()
        self._errors.close()
        self.complaint = complaint_in(lines)
        if not is_done and self.reason is None:
            last = next((_ENDS_OF_LOG_HEADERS.sub('', line) for line in reversed(lines)
                         if line.strip() and not _STACK.match(line)), '')
            self.reason = f'{stage}: {_how_it_ended(status)}' + (f': {last.strip()}' if last else '')

    def close(self) -> None:
        """End the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _temporary_file():
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise UserError(f'no folder for temporary files can be written ({error.strerror}); let TMPDIR name '
                        'one') from error


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
