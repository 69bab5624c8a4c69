"""Divides a fixed time among parts. What a part leaves goes to those after it."""

import time

SECONDS_TO_END = 20  # for ending processes and writing the report


class Budget:
    """Knows until when each part may run, so that all of them end within `seconds`."""

    def __init__(self, seconds, shares, clock=time.monotonic):
        """Start the clock. shares: {part: share of the time}, in the order in which the parts will run."""
        self._clock, self._start = clock, clock()
        self._end = self._start + max(seconds - SECONDS_TO_END, 0)
        self._shares = dict(shares)

    def deadline(self, part) -> float:
        """Return the time on the clock at which a part that starts now is cut. Parts before it are over."""
        names = list(self._shares)
        rest = [self._shares[name] for name in names[names.index(part):]]
        return self._clock() + self.seconds_left() * rest[0] / sum(rest)

    def seconds_left(self) -> float:
        """Return the seconds that are left for all parts together, at least 0."""
        return max(self._end - self._clock(), 0.0)

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return self._clock() - self._start
