"""Shows the progress of long work: how much is done, and how long the rest will take."""

import contextlib
import sys
import threading
import time

from dnnlib.util import format_time

SECONDS_OF_SILENCE = 2.0      # Shorter work shows nothing.
SECONDS_BETWEEN_LINES = 30.0  # Where lines are not overwritten.


class Progress:
    """Shows how much is done and the time left, in one line on a terminal and in several elsewhere.

    Work that takes less than two seconds shows nothing.
    """

    def __init__(self, total, unit='', start=0, title='', digits=3, shows_rate=False):
        """Start the clock.

        total: None = unknown. start: amount that was done before. digits: decimals of amounts that are not
        whole. shows_rate: show the speed, too.
        """
        self._total, self._unit, self._title = total, unit, title
        self._digits, self._shows_rate = digits, shows_rate
        self._is_on_terminal = False
        self._next_time = time.monotonic() + SECONDS_OF_SILENCE
        self.restart(start)

    def restart(self, done):
        """Estimate the time left from here on; what was done before took longer than the rest will."""
        self._start = done
        self._start_time = time.monotonic()

    def show(self, done):
        """Print the state if it is due."""
        now = time.monotonic()
        if now < self._next_time:
            return
        on_terminal = sys.__stderr__.isatty()
        self._next_time = now + (0.5 if on_terminal else SECONDS_BETWEEN_LINES)
        text = self._text(done, now - self._start_time)
        if on_terminal:  # not through sys.stdout, which may be a log file too
            print(f'{text:60s}', end='\r', file=sys.__stderr__, flush=True)
            self._is_on_terminal = True
        else:
            print(text, flush=True)

    def clear(self):
        """Clear the line on a terminal."""
        if self._is_on_terminal:
            print(' ' * 60, end='\r', file=sys.__stderr__, flush=True)
            self._is_on_terminal = False

    def _text(self, done, seconds):
        title = f'{self._title}: ' if self._title else ''
        unit = f' {self._unit}' if self._unit else ''
        number = f'{done}' if isinstance(done, int) else f'{done:.{self._digits}f}'
        total = '' if self._total is None else f' / {self._total}'
        text = f'{title}{number}{total}{unit}'
        if done <= self._start:
            return text
        if self._shows_rate:
            text += f', {(done - self._start) / seconds:.1f}{unit}/s'
        if self._total is None:
            return text
        seconds_left = seconds * max((self._total - done) / (done - self._start), 0)
        return f'{text}, about {format_time(seconds_left)} left'


@contextlib.contextmanager
def announced(text):
    """Print a line if the work in the block takes longer than two seconds, and the time so far every half
    minute."""
    done = threading.Event()
    thread = threading.Thread(target=_announce, args=(text, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()  # a line that has been begun ends before the next one


def _announce(text, done):
    start = time.monotonic()
    if done.wait(SECONDS_OF_SILENCE):
        return
    with contextlib.suppress(OSError):  # the next line that the program prints meets it, too
        print(text, flush=True)
        while not done.wait(SECONDS_BETWEEN_LINES):
            print(f'{text} {format_time(time.monotonic() - start)} so far', flush=True)


def shown(items, title, unit=''):
    """Yield the items of a sequence, and show how many are done."""
    progress = Progress(len(items), unit, title=title)
    for count, item in enumerate(items):
        progress.show(count)
        yield item
    progress.clear()
