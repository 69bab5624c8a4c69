"""Writes the report of a check: REPORT.md for people, report.json for programs."""

import dataclasses
import json
import os

from benchmarks.gpu_check import speed_report
from benchmarks.gpu_check.results import CUT, FAILED, LEFT_OUT, PASSED
from benchmarks.gpu_check.tables import table
from dnnlib.files import atomic_write
from dnnlib.util import format_time

REPORT, RESULTS = 'REPORT.md', 'report.json'
MARKS = {PASSED: 'passed', FAILED: '**FAILED**', CUT: '**cut**', LEFT_OUT: 'left out'}
NO_GPU = ('**No GPU was found. All of this ran on the CPU, with small networks and images: it shows that the '
          'check itself works. Nothing in it says anything about GPUs.**')
LEGEND = ('What was cut had not ended when its time was up. What was left out is no fault: there was no time '
          'or no device for it.')
ATTACH = '''\
## What to attach to a report

- this file, `{results}` and the files in `logs/` that this one names
- if something else failed: its command, and all that it printed
- what you changed in the checkout, if anything (`git diff --stat`)'''


def write(check, folder):
    """Write both files. check: {'parts': [Part], 'gpus': [name], 'seconds', 'is_interrupted', ...}."""
    os.makedirs(folder, exist_ok=True)
    with atomic_write(os.path.join(folder, RESULTS), 'w') as file:
        json.dump({**check, 'passed': passed(check),
                   'parts': [{**dataclasses.asdict(part), 'status': part.status} for part in check['parts']]},
                  file, indent=1)
        file.write('\n')
    with atomic_write(os.path.join(folder, REPORT), 'w') as file:
        file.write(text(check))


def passed(check) -> bool:
    """Return whether all parts ran and none failed or was cut."""
    return not check['is_interrupted'] and all(part.is_good for part in check['parts'])


def text(check) -> str:
    """Return the report in Markdown."""
    card = check['gpus'][0] if check['gpus'] else None
    parts = [_part(part, card) for part in check['parts']]
    return '\n\n'.join([_head(check), _overview(check), *parts, ATTACH.format(results=RESULTS)]) + '\n'


def _head(check):
    facts = next((part.facts for part in check['parts'] if 'doctor' in part.facts), {})
    verdict = 'passed' if passed(check) else 'not passed'
    lines = [f'# Check of a machine: {verdict}']
    if 'doctor' in facts:
        lines.append('\n'.join(['```', *facts['doctor'], '```']))
    if check['is_interrupted']:
        lines.append('**Interrupted: the rest is missing.**')
    if check['unknown_gpus']:
        lines.append(f'**{check["unknown_gpus"]}**')
    elif not check['gpus']:
        lines.append(NO_GPU)
    lines.append(f'{check["date"]}, {format_time(check["seconds"])}, by `{check["command"]}`.')
    return '\n\n'.join(lines)


def _overview(check):
    rows = [[part.title, MARKS[part.status], format_time(part.seconds)] for part in check['parts']]
    troubles = [f'- {MARKS[each.status]}: {part.title}, {each.name}: {each.note}'
                for part in check['parts'] for each in part.checks if each.status in (FAILED, CUT)]
    lines = ['## Parts', table(['part', 'result', 'time'], rows), LEGEND]
    return '\n\n'.join([*lines, 'What did not pass:\n\n' + '\n'.join(troubles)] if troubles else lines)


def _part(part, card):
    lines = [f'## {part.title}']
    if 'on_gpu' in part.facts:
        lines.append(f'{part.facts["on_gpu"]} of {part.facts["tests"]} tests took memory of the GPU beyond '
                     'what was in use before them. Others look at arguments and names, run on the CPU by '
                     'themselves, or do with memory that tests before them left in use.')
    if 'size' in part.facts:
        lines.append(f'{part.facts["size"]}.')
    if part.speeds:
        lines.append(speed_report.text(part.speeds, card))
    rows = [[check.name, MARKS[check.status], check.note.replace('|', '\\|')] for check in part.checks]
    lines.append(table(['check', 'result', 'note'], rows) if rows else 'Nothing was done.')
    pictures = part.facts.get('pictures', [])
    if pictures:
        lines.append('Networks that have seen so few images show coloured blotches:')
    lines += [f'![{name}]({name})' for name in pictures]
    return '\n\n'.join(lines)
