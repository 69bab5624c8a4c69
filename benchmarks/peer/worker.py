"""Measure on request in a separate process.

The peer's interpreter loads this file too, so it uses only the standard library of Python 3.7.
"""

import json
import os
import resource
import sys
import time

# Costs of a call: elapsed time, processor time, the kernel's share of it, and minor page faults.
COSTS = ('seconds', 'processor_seconds', 'system_seconds', 'minor_faults')


def cost_of(call, at_least=0.0):
    """Return the mean cost of a call, repeated for at least `at_least` seconds. -> list in the order of
    COSTS."""
    count = 0
    start = _spent()
    while True:
        call()
        count += 1
        seconds, user, system, faults = [now - before for now, before in zip(_spent(), start)]
        if seconds >= at_least:
            return [each / count for each in (seconds, user + system, system, faults)]


def _spent():
    """Return the time now, and user time, system time and minor faults so far, including finished
    children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return [time.perf_counter(), *(sum(getattr(usage, name) for usage in usages)
                                   for name in ('ru_utime', 'ru_stime', 'ru_minflt'))]


def take_stdout():
    """Return a function that writes an object to stdout as a line of JSON.

    From then on, all other output goes to stderr, so that libraries do not write between these lines.
    """
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)

    def say(answer):
        answers.write(json.dumps(answer) + '\n')
        answers.flush()

    return say


def serve(prepare):
    """Prepare the function to measure, call it once, then measure it for every line on stdin until stdin
    ends.

    A line holds the minimum duration in seconds. The answer is a line with the mean cost of a call.
    """
    say = take_stdout()
    call = prepare()
    call()  # the first call includes one-time work
    say('ready')
    for line in sys.stdin:
        costs = cost_of(call, json.loads(line))
        say(dict(zip(COSTS, costs)))
