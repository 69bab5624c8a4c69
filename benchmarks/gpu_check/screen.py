"""Says on stdout what is being done and how much time is left."""

import time

from dnnlib.util import format_time

SECONDS_BETWEEN_LINES = 10.0


class Screen:
    """Prints lines with the time left in front of them."""

    def __init__(self, budget):
        self._budget = budget
        self._next_time = 0.0

    def say(self, text):
        """Print a line."""
        left = format_time(self._budget.seconds_left())
        print(f'[at most {left:>7s} left] {text}', flush=True)
        self._next_time = time.monotonic() + SECONDS_BETWEEN_LINES

    def remind(self, text):
        """Print a line if none has been printed for ten seconds."""
        if time.monotonic() >= self._next_time:
            self.say(text)
