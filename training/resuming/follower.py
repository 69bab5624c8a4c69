"""Workers other than the first: they train along and write nothing; all of them start and stop together."""

import signal

from dnnlib.util import UserError
from training.resuming.state_folder import State


class Follower:
    """Takes the place of reporting.Reporter where there is nothing to write."""

    def __init__(self):
        self.cur_tick = -1

    def should_stop(self):
        """It looks for no `abort.txt`."""
        return False

    def snapshot_due(self, cur_nimg, tick_kimg, done):
        """It takes none."""
        return False

    def report(self, cur_nimg, tick_kimg, sched, done, skipped=0):
        """Count the ticks."""
        self.cur_tick += 1

    def save_networks(self, name):
        """Write nothing."""

    def close(self):
        """Nothing to do."""


class FollowingKeeper:
    """Takes the place of state_keeper.StateKeeper likewise."""

    def __init__(self, trainer):
        self._trainer = trainer

    def save(self):
        """Write nothing."""

    def save_if_due(self):
        """Write nothing."""

    def restore(self, state):
        """Count and read on from where the first process does; the variables are sent by it."""
        self._trainer.restore(state.content['trainer'])
        if state.content['data'] is not None:
            self._trainer.training_set.restore(state.content['data'])


def as_all_know_it(state, cluster):
    """The training state that the first process has read, None if there is none. The others get its counters
    and positions, without the arrays."""
    if cluster.is_alone:
        return state
    content = cluster.gather(None if state is None else state.content)[0]
    return state if content is None or cluster.is_first else State(path=None, content=content, arrays={})


def check_shares(phases, cluster):
    """Raise UserError where the devices of all processes cannot share a minibatch of one of these phases of
    the schedule, as in a run that goes on with more of them."""
    for phase in phases if not cluster.is_alone else []:
        images = phase.minibatch_gpu * cluster.num_devices
        if phase.minibatch_size % images != 0:
            raise UserError(
                f'{cluster.workers.count} workers with {cluster.num_gpus} devices each cannot share '
                f'minibatches of {phase.minibatch_size}: {phase.minibatch_gpu} per device and round; start '
                'another number of workers')


def agreed_stop(cluster, reporter, interrupted):
    """Shall all processes stop before the next iteration? All have to ask at the same place.

    A signal to any of them interrupts all.
    """
    votes = cluster.gather([reporter.should_stop(), interrupted.signal])
    signals = [number for _, number in votes if number is not None]
    if signals and not interrupted:
        interrupted.signal = signal.Signals(signals[0])
    return bool(signals) or any(aborted for aborted, _ in votes)
