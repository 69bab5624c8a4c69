"""Says on stdout what is being done and how much time is left."""

import os
import sys
import time

from dnnlib.util import format_time

SECONDS_BETWEEN_LINES = 10.0


def show(text):
    """Print a line. Once a closed terminal or pipe takes no more, all lines go nowhere: the report counts."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # flushed again when Python exits


class Screen:
    """Prints lines with the time left in front of them."""

    def __init__(self, budget):
        self._budget = budget
        self._next_time = 0.0

    def say(self, text):
        """Print a line."""
        left = format_time(self._budget.seconds_left())
        show(f'[at most {left:>7s} left] {text}')
        self._next_time = time.monotonic() + SECONDS_BETWEEN_LINES

    def remind(self, text):
        """Print a line if none has been printed for ten seconds."""
        if time.monotonic() >= self._next_time:
            self.say(text)
