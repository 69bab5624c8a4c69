"""Progress of long work: how much is done, and how long the rest will take."""

import sys
import time

from .util import format_time

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Shows how much is done and the time left: on a terminal in one line that is overwritten, elsewhere as
    plain lines."""

    def __init__(self, total, unit='', start=0):
        """`total` None = unknown; `start`: what was done before."""
        self._total = total
        self._unit = unit
        self._start = start
        self._start_time = self._last_time = time.monotonic()

    def show(self, done):
        """Print the state if it is time."""
        now = time.monotonic()
        on_terminal = sys.__stderr__.isatty()
        if now - self._last_time < (0.5 if on_terminal else SECONDS_BETWEEN_LINES):
            return
        self._last_time = now
        text = self._text(done, now - self._start_time)
        if on_terminal:  # not through sys.stdout, which may be a log file too
            print(f'{text:60s}', end='\r', file=sys.__stderr__, flush=True)
        else:
            print(text, flush=True)

    def _text(self, done, seconds):
        unit = f' {self._unit}' if self._unit else ''
        number = f'{done}' if isinstance(done, int) else f'{done:.1f}'
        if self._total is None:
            return f'{number}{unit}'
        text = f'{number} / {self._total}{unit}'
        if done <= self._start:
            return text
        seconds_left = seconds * max((self._total - done) / (done - self._start), 0)
        return f'{text}, about {format_time(seconds_left)} left'
