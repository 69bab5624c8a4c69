"""What tests of `benchmarks.gpu_check` give to its parts and to its report."""

import pathlib
import time

from benchmarks.gpu_check import __main__ as command
from benchmarks.gpu_check import commands
from benchmarks.gpu_check.budget import Budget

SHARES = {'a': 1, 'b': 2, 'c': 1}
SPEED = dict(kind='training', resolution=1024, minibatch=4, precision='tf32', xla='off', first_seconds=9.0,
             seconds_per_kimg=120.9, gpu_bytes=11_000_000_000)
GOOD = commands.Ended(0, False, [], 1.0, 'logs/good.log')


def failed(*lines, status=1):
    """Return how a process ended that printed these lines."""
    return commands.Ended(status, False, list(lines), 1.0, 'logs/failed.log')


def cut():
    """Return how a process ended whose time was up."""
    return commands.Ended(-9, True, [], 120.0, 'logs/cut.log')


def a_check(parts=(), gpus=(), is_interrupted=False):
    """Return what the report is written from."""
    return dict(command='python -m benchmarks.gpu_check', date='2026-01-01 12:00 +0000', machine={},
                seconds=75.0, gpus=list(gpus), unknown_gpus=None, parts=list(parts),
                is_interrupted=is_interrupted)


def a_context(folder, num_gpus=0, seconds=60):
    """Return what a part needs to know."""
    screen = command.Screen(Budget(seconds, SHARES))
    deadline = time.monotonic() + seconds
    pathlib.Path(folder, command.LOGS).mkdir(exist_ok=True)
    return command.Context(screen, ['Card X'] * num_gpus, str(folder), str(folder), deadline)
