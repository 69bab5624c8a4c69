"""The lines of log.txt: a tick each, as this project and the published ones print them."""

import os
import re

_TAGS = {
    'lod': 'Progress/lod', 'minibatch': 'Progress/minibatch', 'sec/tick': 'Timing/sec_per_tick',
    'sec/kimg': 'Timing/sec_per_kimg', 'maintenance': 'Timing/maintenance_sec',
    'gpumem': 'Resources/peak_gpu_mem_gb', 'cpumem': 'Resources/cpu_mem_gb',
    'augment': 'Progress/augment', 'rt': 'Progress/rt', 'rv': 'Progress/rv',
    'skipped': 'Progress/skipped_steps'}
_LINE = re.compile(r'tick +\d+ +kimg +(\d+\.?\d*) +(.*)')
_PAIR = re.compile(r'([a-z/]+) +(-?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf))(?= |$)')
_TIME = re.compile(r'time +((?:\d+[dhms] *)+)')
_SECONDS = {'d': 24 * 60 * 60, 'h': 60 * 60, 'm': 60, 's': 1}
TAIL_LINES = 200


def read(folder):
    """Return {tag: {step: value}} of the tick lines, and the last lines of the log; empty without log.txt.

    Steps are images. Where a run was resumed from an earlier tick, the later lines count.
    """
    path = os.path.join(folder, 'log.txt')
    if not os.path.isfile(path):
        return {}, []
    with open(path, encoding='utf-8', errors='replace') as file:
        lines = file.read().splitlines()
    ticks = {}  # {step: rest of the line}
    for match in filter(None, map(_LINE.match, lines)):
        step = round(float(match[1]) * 1000)
        while ticks and next(reversed(ticks)) >= step:
            ticks.popitem()
        ticks[step] = match[2]
    table = {}
    for step, text in ticks.items():
        _add(step, text, table)
    return table, lines[-TAIL_LINES:]


def _add(step, text, table):
    for name, number in _PAIR.findall(text):
        if name in _TAGS:
            table.setdefault(_TAGS[name], {})[step] = float(number)
    time = _TIME.search(text)
    if time:
        table.setdefault('Timing/total_hours', {})[step] = seconds(time[1]) / 3600


def seconds(text):
    """Parse '1h 00m 05s', as `dnnlib.util.format_time` writes it."""
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r'(\d+)([dhms])', text))


def has_ticks(folder):
    """Return whether the log of a folder shows a training run."""
    path = os.path.join(folder, 'log.txt')
    if not os.path.isfile(path):
        return False
    with open(path, encoding='utf-8', errors='replace') as file:
        return any(map(_LINE.match, file))
