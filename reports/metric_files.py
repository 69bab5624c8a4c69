"""Results of metrics: metric-*.jsonl and metric-*.txt of a run, and those of run_metrics.py beside it."""

import glob
import json
import os
import re
from dataclasses import dataclass

_TEXT = re.compile(r'(\S+) +time +(?:\d+[dhms] *)+(.*)')
_VALUE = re.compile(r'(\S+) +(-?\d+\.?\d*(?:e[-+]?\d+)?|nan|-?inf)(?= |$)')


@dataclass(frozen=True)
class Result:
    """A value of a metric."""
    name: str             # Such as fid50k.
    value: float
    network: str          # Name of the file that was measured.
    kimg: float | None    # Of its snapshot. None = at the end of training.


def read(folder, notes):
    """Return the Results for a run directory.

    The lines of metric-*.jsonl have all digits; metric-*.txt counts where there is no such file. Records in
    metrics.jsonl of the neighbouring folders count if they name networks of this run.
    """
    parent, name = os.path.split(os.path.abspath(folder))
    with_all_digits = _files(folder, 'metric-*.jsonl')
    records = [record for path in with_all_digits for record in _records(path, notes)]
    records += [record for path in _files(parent, '*', 'metrics.jsonl') for record in _records(path, notes)
                if os.path.basename(os.path.dirname(str(record.get('network')))) == name]
    texts = [path for path in _files(folder, 'metric-*.txt')
             if path.removesuffix('.txt') + '.jsonl' not in with_all_digits]
    return ([result for record in records for result in _of_record(record)]
            + [result for path in texts for result in _of_text(path, notes)])


def _files(folder, *pattern):
    return sorted(glob.glob(os.path.join(glob.escape(folder), *pattern)))


def _records(path, notes):
    """Return the dicts in a file of JSON lines."""
    records = [_record(line) for line in _lines(path, notes) if line.strip()]
    if None in records:
        number = records.count(None)
        notes.append(f'{os.path.basename(path)}: lines that are not records of a metric: {number}.')
    return [record for record in records if record is not None]


def _lines(path, notes):
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read().splitlines()
    except OSError as error:
        notes.append(f'{os.path.basename(path)} cannot be read: {error.strerror}.')
        return []


def _record(line):
    """Return the dict in a line, or None if it is not a record of results."""
    try:
        record = json.loads(line, parse_int=float)  # however long
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get('results'), dict) else None


def _of_record(record):
    network = os.path.basename(str(record.get('network') or record.get('snapshot_pkl') or ''))
    network = network.removesuffix('.pkl')
    return [Result(str(name), float(value), network, _kimg(network))
            for name, value in record['results'].items() if isinstance(value, float)]


def _of_text(path, notes):
    """Return the Results in lines such as `network-snapshot-000020   time 1m 05s   fid50k 12.3456`."""
    lines = list(filter(None, map(_TEXT.match, _lines(path, notes))))
    return [Result(name, float(value), line[1], _kimg(line[1]))
            for line in lines for name, value in _VALUE.findall(line[2])]


def _kimg(network):
    number = re.search(r'network-snapshot-(\d+)', network)
    return float(number[1]) if number else None
