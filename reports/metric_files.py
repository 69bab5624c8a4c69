"""Results of metrics: metric-*.jsonl and metric-*.txt of a run, and those of run_metrics.py beside it."""

import glob
import json
import os
import re
from dataclasses import dataclass

_TEXT = re.compile(r'(\S+) +time +(?:\d+[dhms] *)+(.*)')


@dataclass(frozen=True)
class Result:
    """A value of a metric."""
    name: str             # Such as fid50k.
    value: float
    network: str          # Name of the file that was measured.
    kimg: float | None    # Of its snapshot. None = at the end of training.


def read(folder, notes):
    """Return the Results for a run directory, each once, in the order of the files.

    The lines of metric-*.jsonl have all digits; metric-*.txt counts where there is no such file. Records in
    metrics.jsonl of the neighbouring folders count if they name networks of this run.
    """
    results = []
    texts = set(_files(folder, 'metric-*.txt'))
    for path in _files(folder, 'metric-*.jsonl'):
        texts.discard(path.removesuffix('.jsonl') + '.txt')
        results += [result for record in _records(path, notes) for result in _of_record(record)]
    for path in sorted(texts):
        results += _of_text(path, notes)
    parent, name = os.path.split(os.path.abspath(folder))
    for path in _files(os.path.join(parent, '*'), 'metrics.jsonl', escape=False):
        for record in _records(path, notes):
            if os.path.basename(os.path.dirname(str(record.get('network')))) == name:
                results += _of_record(record)
    return results


def _files(folder, pattern, escape=True):
    return sorted(glob.glob(os.path.join(glob.escape(folder) if escape else folder, pattern)))


def _records(path, notes):
    """Return the dicts in a file of JSON lines."""
    records, num_bad = [], 0
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            for line in filter(str.strip, file):
                try:
                    record = json.loads(line)
                except ValueError:
                    record = None
                if isinstance(record, dict) and isinstance(record.get('results'), dict):
                    records.append(record)
                else:
                    num_bad += 1
    except OSError as error:
        notes.append(f'{os.path.basename(path)} cannot be read: {error.strerror}.')
    if num_bad:
        notes.append(f'{os.path.basename(path)}: {num_bad} lines are not records of a metric.')
    return records


def _of_record(record):
    network = os.path.basename(str(record.get('network') or record.get('snapshot_pkl') or ''))
    network = network.removesuffix('.pkl')
    return [Result(str(name), float(value), network, _kimg(network))
            for name, value in record['results'].items() if isinstance(value, (int, float))]


def _of_text(path, notes):
    results = []
    with open(path, encoding='utf-8', errors='replace') as file:
        for line in map(_TEXT.match, file):
            words = line[2].split() if line else []
            for name, text in zip(words[::2], words[1::2], strict=False):
                try:
                    results.append(Result(name, float(text), line[1], _kimg(line[1])))
                except ValueError:
                    notes.append(f'{os.path.basename(path)}: {text[:40]} is not a number.')
    return results


def _kimg(network):
    number = re.search(r'network-snapshot-(\d+)', network)
    return float(number[1]) if number else None
