"""Run a worker that only exchanges values with the others: python -m tests.link_worker TIMEOUT ROUNDS
[SETTING [DO]].

SETTING applies to all workers except the first. DO: 'fail' makes worker 1 fail at the end, 'wait' makes
worker 0 wait.
"""

import sys
import time

from dnnlib import cli
from dnnlib.parallel import link as worker_link
from dnnlib.parallel import workers


def main():
    """Print 'connected', then the number of each round, then 'done'."""
    timeout_seconds, rounds, *more = sys.argv[1:]
    me = workers.from_environment()
    mine = more[0] if more and not me.is_first else 'the same'
    link = worker_link.connect(me, {'setting': mine}, float(timeout_seconds))
    print('connected', flush=True)
    for index in range(int(rounds)):
        values = link.gather(me.index * 100 + index)
        assert values == [worker * 100 + index for worker in range(me.count)], values
        print('round', index, flush=True)
        time.sleep(0.05)
        if 'wait' in more and me.is_first:
            time.sleep(2 * float(timeout_seconds))
    if 'fail' in more and me.index == 1:
        link.fail('failed: the disk is full', status=2)
        raise SystemExit(3)
    link.close()
    print('done', flush=True)


if __name__ == '__main__':
    cli.run_script(main)
