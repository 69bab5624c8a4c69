"""Kill a small run repeatedly at random moments, and check that nothing is lost.

    python -m tests.stress_resume --kills=200

One process trains undisturbed. Other processes resume a second run, and each is killed (SIGKILL) at a random
moment: while it builds its graph, trains, reports or writes a state. After the last kill the run continues
until it ends. Its variables, order of data, logs and snapshots must be bit-for-bit identical to those of the
first run.

Loading TensorFlow takes most of a process's start, so it is loaded once and every process is forked from this
one, which starts no TensorFlow threads. Exits with status 1 if anything differs.
"""

import argparse
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
import traceback

from tests import resumed_runs


def main():
    """Parse the command line and run the experiment."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--kills', type=int, default=200)
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='stress-') as folder:
        sys.exit(stress(pathlib.Path(folder), args.kills, random.Random(args.seed)))


def stress(folder, kills, rnd):
    """Run the experiment and print its figures. -> exit status."""
    data_dir = resumed_runs.write_data(folder / 'data')
    kwargs = dict(
        network_snapshot_ticks=1, image_snapshot_ticks=None, keep_states=2, lazy_regularization=False,
        dataset_args=dict(tfrecord_dir='tiny', resolution=4, shuffle_mb=1),
        G_loss_args=dict(func_name='training.loss.G_logistic_ns'),
        D_loss_args=dict(func_name='training.loss.D_logistic'))
    begin = time.monotonic()
    pid = _forked(folder / 'log', lambda: resumed_runs.start(
        data_dir, folder / 'several', total_kimg=1000, **kwargs))
    run_dir = _first_state(folder / 'several')
    seen = Witness(run_dir)
    for number in range(kills):
        moment = _kill_at_random(pid, run_dir, rnd)
        print(f'kill {number + 1} of {kills}, {moment}: {seen.look()}', flush=True)
        pid = _forked(folder / 'log', lambda: resumed_runs.resume(run_dir))
    _kill_at_random(pid, run_dir, rnd)
    seen.look()
    seconds = time.monotonic() - begin
    total_kimg = float(seen.states[-1].removeprefix('training-state-')) + 0.016
    statuses = [_wait(_forked(folder / 'log', work)) for work in (
        lambda: resumed_runs.resume(run_dir, total_kimg=total_kimg),
        lambda: resumed_runs.start(data_dir, folder / 'one', total_kimg=total_kimg, **kwargs))]
    [undisturbed] = (folder / 'one').glob('0*')
    problems = resumed_runs.differences(undisturbed, run_dir) + seen.lost
    print(f'{kills + 1} kills in {seconds:.0f} s, {seen.torn} of them in the middle of writing; '
          f'{total_kimg:.3f} kimg; status of the last process and of the undisturbed one: {statuses}')
    print('\n'.join(problems) or 'Variables, order of data, logs and snapshots: as in the undisturbed run.')
    if problems:
        print((folder / 'log').read_text()[-4000:])
    return 1 if problems or any(statuses) else 0


def _first_state(result_dir):
    """Wait for the first state. -> run directory."""
    while not (states := list(result_dir.glob('0*/training-state-*'))):
        time.sleep(0.02)
    return states[0].parent


class Witness:
    """Checks that no state or snapshot gets lost."""

    def __init__(self, run_dir):
        self.run_dir = run_dir
        self.lost = []
        self.torn = 0
        self.states = []
        self.snapshots = set()

    def look(self):
        """Compare the files with those of the last call. -> description of the files."""
        names = sorted(path.name for path in self.run_dir.iterdir())
        states = [name for name in names if name.startswith('training-state-')]
        snapshots = {name for name in names if name.startswith('network-snapshot-')}
        torn = [name for name in names if name.startswith('.tmp-')]
        self.torn += bool(torn)
        if states[-1:] < self.states[-1:]:
            self.lost.append(f'state lost: {self.states} -> {states}')
        if self.snapshots - snapshots:
            self.lost.append(f'snapshots lost: {self.snapshots - snapshots}')
        self.states, self.snapshots = states, snapshots
        return ' '.join([*states[-1:], *(['(writing)'] if torn else [])])


def _forked(output, work):
    """Fork a process that calls `work` and ends. -> its id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid > 0:
        return pid
    status = 1
    try:
        log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _wait(pid):
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _kill_at_random(pid, run_dir, rnd):
    """Kill the process at startup, while it writes a state, or some time later. -> when, as text."""
    before = sorted(run_dir.glob('training-state-*'))[-1:]
    moments = [('its start', 3.0), ('it began a state', 0.06), ('a state', 0.5)]
    when, longest = rnd.choices(moments, [2, 4, 4])[0]
    while when != 'its start' and sorted(run_dir.glob('training-state-*'))[-1:] == before:
        if when == 'it began a state' and list(run_dir.glob('.tmp-training-state-*')):
            break
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            break  # it has ended on its own, which is an error
        time.sleep(0.002)
    delay = rnd.uniform(0, longest)
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    status = _wait(pid)
    ended = '' if status == -signal.SIGKILL else f', which had ended with status {status}'
    return f'{delay:.3f} s after {when}{ended}'


if __name__ == '__main__':
    main()
