"""Writes the report of a check: REPORT.md for people, report.json for programs."""

import dataclasses
import json
import os

from benchmarks.gpu_check import published
from benchmarks.gpu_check.results import CUT, FAILED, LEFT_OUT, PASSED
from dnnlib.files import atomic_write
from dnnlib.util import format_time

REPORT, RESULTS = 'REPORT.md', 'report.json'
MARKS = {PASSED: 'passed', FAILED: '**FAILED**', CUT: '**cut**', LEFT_OUT: 'left out'}
NO_GPU = ('**No GPU was found. All of this ran on the CPU, with small networks and images: it shows that the '
          'check itself works. Nothing in it says anything about GPUs.**')
ATTACH = '''\
## What to attach to a report

- this file, `{results}` and, if a test failed, `tests.log`
- the command that failed, and the last lines of its output
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
    doctor = '\n'.join(['```', *facts.get('doctor', []), '```'])
    verdict = 'passed' if passed(check) else 'not passed'
    lines = [f'# Check of a machine: {verdict}', doctor]
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
    return '## Parts\n\n' + table(['part', 'result', 'time'], rows)


def _part(part, card):
    lines = [f'## {part.title}']
    if 'on_gpu' in part.facts:
        lines.append(f'{part.facts["on_gpu"]} of {part.facts["tests"]} tests took memory of the GPU beyond '
                     'what was in use before them. Others look at arguments and names, run on the CPU by '
                     'themselves, or do with memory that tests before them left in use.')
    if 'size' in part.facts:
        lines.append(f'{part.facts["size"]}.')
    if part.speeds:
        lines.append(speeds_text(part.speeds, card))
    rows = [[check.name, MARKS[check.status], check.note.replace('|', '\\|')] for check in part.checks]
    lines.append(table(['check', 'result', ''], rows) if rows else 'Nothing was done.')
    pictures = part.facts.get('pictures', [])
    if pictures:
        lines.append('Networks that have seen so few images show coloured blotches:')
    lines += [f'![{name}]({name})' for name in pictures]
    return '\n\n'.join(lines)


def table(head, rows):
    """Return a table in Markdown."""
    return '\n'.join('| ' + ' | '.join(str(cell) for cell in row) + ' |'
                     for row in [head, ['---'] * len(head), *rows])


def speeds_text(measured, card):
    """Return tables of speeds, ours beside the published ones, and what XLA does. card: name of the GPU."""
    title = card or 'this CPU, small networks'
    trained = [each for each in measured if each['kind'] == 'training']
    drawn = [each for each in measured if each['kind'] == 'generation']
    sections = []
    if trained:
        head = [f'training config F on {title}', 'precision', 'XLA', 'sec/kimg', 'beside published',
                'first run', 'GPU memory']
        sections.append(table(head, [_training_row(each, card) for each in trained]))
    if drawn:
        head = [f'images of config F on {title}', 'minibatch', 'precision', 'XLA', 'images/s', 'first run',
                'GPU memory']
        sections.append(table(head, [_generation_row(each) for each in drawn]))
    return '\n\n'.join([*sections, *xla_lines(measured, title), _published(card)])


def _training_row(speed, card):
    reference = published.seconds_per_kimg(1)
    comparable = card and speed['resolution'] == published.RESOLUTION
    seconds = speed['seconds_per_kimg']
    ratio = f'{reference / seconds:.2f} times as fast' if comparable else 'not the same work'
    return [f'{_size(speed)}, {speed["minibatch"]} images per step', speed['precision'], speed['xla'],
            f'{seconds:.4g}', ratio, *_first_and_memory(speed)]


def _generation_row(speed):
    return [_size(speed), speed['minibatch'], speed['precision'], speed['xla'],
            f'{1 / speed["seconds_per_image"]:.4g}', *_first_and_memory(speed)]


def _size(speed):
    return f'{speed["resolution"]}x{speed["resolution"]}'


def _first_and_memory(speed):
    """Return the time of the first run, which compiles, and the GPU's peak memory."""
    memory = 'none' if speed['gpu_bytes'] is None else f'{speed["gpu_bytes"] / 1e9:.2f} GB'
    return [f'{speed["first_seconds"]:.1f} s', memory]


def xla_lines(measured, title):
    """Say for each work that was measured both with and without XLA which is faster."""
    by_work = {}
    for each in measured:
        work = f'{each["kind"]} {_size(each)}, minibatch {each["minibatch"]}, {each["precision"]}'
        is_training = each['kind'] == 'training'
        by_work.setdefault(work, {})[each['xla']] = each[
            'seconds_per_kimg' if is_training else 'seconds_per_image']
    lines = []
    for work, seconds in by_work.items():
        if {'on', 'off'} <= {*seconds}:
            better, worse = sorted(('on', 'off'), key=seconds.get)
            ratio = seconds[worse] / seconds[better]
            lines.append(f'- {work}: `--xla={better}` is {ratio:.2f} times as fast as `--xla={worse}`')
    return [f'XLA on {title}:\n\n' + '\n'.join(lines)] if lines else []


def _published(card):
    rows = [[f'{number} x {published.CARD}', f'{published.seconds_per_kimg(number):.1f}']
            for number in published.TRAINING_SECONDS]
    note = ('They include all that a training does; ours are the steps alone, with an update every time.'
            if card else 'Nothing above compares with them.')
    return ('NVIDIA\'s figures for StyleGAN2, config F at 1024x1024, not ours (sec/kimg follow from the days '
            f'for 25,000 kimg). {note} {published.ELSEWHERE}\n\n' + table(['GPUs', 'sec/kimg'], rows))
