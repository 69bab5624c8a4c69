"""Workers other than the first: they train along and write nothing; all stop together."""

import signal


class Follower:
    """Takes the place of reporting.Reporter where there is nothing to write."""

    def __init__(self):
        self.cur_tick = -1

    def should_stop(self):
        """It looks for no `abort.txt`."""
        return False

    def report(self, cur_nimg, tick_kimg, sched, done):
        """Count the ticks."""
        self.cur_tick += 1

    def save_networks(self, name):
        """Write nothing."""

    def close(self):
        """Nothing to do."""


def agreed_stop(cluster, reporter, interrupted):
    """Shall all processes stop before the next iteration? All have to ask at the same place.

    A signal to any of them interrupts all: it gets into the lists `interrupted` of the others.
    """
    votes = cluster.gather([reporter.should_stop(), bool(interrupted)])
    if any(signalled for _, signalled in votes) and not interrupted:
        interrupted.append(signal.SIGINT)
    return any(aborted or signalled for aborted, signalled in votes)
