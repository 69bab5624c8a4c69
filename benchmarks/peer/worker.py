"""A process that measures when it is asked to.

The peer's interpreter loads this file, too: it uses nothing but the standard library of Python 3.7.
"""

import json
import os
import resource
import sys
import time

# Of a call: time, that of all processors, the kernel's part of it, and pages that the kernel brought in.
COSTS = ('seconds', 'processor_seconds', 'system_seconds', 'minor_faults')


def cost_of(call, at_least=0.0):
    """What a call takes, the mean of as many as `at_least` seconds hold. -> list of what COSTS names."""
    count = 0
    start = _spent()
    while True:
        call()
        count += 1
        seconds, user, system, faults = [now - before for now, before in zip(_spent(), start)]
        if seconds >= at_least:
            return [each / count for each in (seconds, user + system, system, faults)]


def _spent():
    """Time now, and user time, system time and minor faults so far, those of finished children included."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return [time.perf_counter(), *(sum(getattr(usage, name) for usage in usages)
                                   for name in ('ru_utime', 'ru_stime', 'ru_minflt'))]


def take_stdout():
    """-> a function that writes an object as a line of JSON to stdout. All that is printed from here on goes
    to stderr, so that libraries do not write between the lines."""
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)

    def say(answer):
        answers.write(json.dumps(answer) + '\n')
        answers.flush()

    return say


def serve(prepare):
    """Prepare, which gives the function to measure, and call it once. Then answer every line on stdin, which
    says for how many seconds to measure at least, with what a call took; to the end of stdin."""
    say = take_stdout()
    call = prepare()
    call()  # the first call does what later ones find done
    say('ready')
    for line in sys.stdin:
        costs = cost_of(call, json.loads(line))
        say(dict(zip(COSTS, costs)))
