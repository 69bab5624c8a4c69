"""Check in ten minutes whether this machine computes correctly and trains, and how fast. Writes a report."""

import contextlib
import os
import pathlib
import shlex
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass

from benchmarks import machine
from benchmarks.gpu_check import agreement, commands, device_tests, machine_facts, report, speeds, trainings
from benchmarks.gpu_check.budget import Budget
from benchmarks.gpu_check.results import CUT, FAILED, Part
from benchmarks.gpu_check.screen import Screen, show
from dnnlib import cli
from dnnlib.files import create_folder
from dnnlib.util import UserError, format_time
from training.loop import interruption

OUT, LOGS = 'gpu-check', 'logs'
SECONDS = 600
SECONDS_TO_FIND_GPUS = 120


@dataclass(frozen=True)
class Stage:
    """A part of the check: what it is called, its share of the time, and the module whose `run` does it."""
    title: str
    share: float
    module: object


STAGES = {
    'machine': Stage('Machine', 0.10, machine_facts),
    'tests': Stage('Tests on the device', 0.39, device_tests),
    'agreement': Stage('CPU and GPU', 0.08, agreement),
    'trainings': Stage('Short trainings', 0.24, trainings),
    'speeds': Stage('Speeds', 0.19, speeds),
}


@dataclass
class Context:
    """What a part needs to know."""
    screen: Screen
    gpus: list           # Names of the GPUs.
    folder: str          # Temporary files.
    out: str             # Folder of the report.
    deadline: float = 0  # Of time.monotonic(), for the current part.

    def log(self, name):
        """Return the path of the log of a process."""
        return pathlib.Path(self.out, LOGS, f'{name}.log')

    @property
    def num_gpus(self) -> int:
        """Return the number of GPUs."""
        return len(self.gpus)


def make_parser():
    """Build the command-line parser."""
    parser = cli.ArgumentParser(prog='python -m benchmarks.gpu_check', description=__doc__)
    add = parser.add_argument
    add('--only', type=cli.some_of(*STAGES), default=list(STAGES), metavar='PARTS',
        help=f'comma-separated parts: {", ".join(STAGES)} (default: all)')
    add('--seconds', type=cli.int_at_least(30), default=SECONDS, metavar='N',
        help='time after which everything ends, finished or not (default: %(default)s)')
    add('--out', type=cli.folder, default=OUT, metavar='DIR',
        help='folder of the report (default: %(default)s)')
    return parser


def main(argv=None):
    """Run the parts and write the report. The exit status is 1 unless all of them passed."""
    args = make_parser().parse_args(argv)
    _prepare(args.out)
    budget = Budget(args.seconds, {name: stage.share for name, stage in STAGES.items() if name in args.only})
    args.only = [name for name in STAGES if name in args.only]
    check = {'command': shlex.join(['python', '-m', 'benchmarks.gpu_check', *sys.argv[1:]]),
             'date': machine.today(), 'machine': machine.describe(), 'gpus': [], 'unknown_gpus': None,
             'parts': [], 'seconds': 0.0, 'is_interrupted': True}
    with interruption.at_once():
        try:
            _run(args, budget, check)
            check['is_interrupted'] = False
        finally:
            check['seconds'] = budget.elapsed()
            report.write(check, args.out)
            _print_summary(check, args.out)
    if not report.passed(check):
        sys.exit(1)


def _prepare(out):
    """Create the folders of the report. Raises UserError unless files can be written there."""
    logs = os.path.join(out, LOGS)
    create_folder(logs)
    try:
        for folder in (out, logs):
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        raise UserError(f'--out={out}: no file can be written to this folder ({error.strerror}); '
                        'choose another') from error


def _run(args, budget, check):
    """Run the wanted parts one after the other, whatever becomes of them."""
    screen = Screen(budget)
    screen.say(f'checking this machine; ends within {format_time(args.seconds)}')
    with tempfile.TemporaryDirectory(prefix='gpu-check-') as folder:
        context = Context(screen, check['gpus'], folder, args.out)
        _find_gpus(context, budget, check)
        for number, name in enumerate(args.only, 1):
            part = Part(name, STAGES[name].title)
            check['parts'].append(part)
            title = f'[{number}/{len(args.only)}] {part.title}'
            screen.say(title)
            _run_part(part, context, budget)
            screen.say(f'{title}: {part.status}, {format_time(part.seconds)}')
            report.write({**check, 'seconds': budget.elapsed()}, args.out)  # survives whatever happens


def _find_gpus(context, budget, check):
    """List the GPUs. If that fails, the parts still run, as without GPUs, but the check does not pass."""
    screen = context.screen
    deadline = time.monotonic() + min(SECONDS_TO_FIND_GPUS, budget.seconds_left())
    found, ended = commands.results('found_devices.gpus', {}, deadline, context.log('gpus'),
                                    lambda: screen.remind('looking for GPUs'))
    check['gpus'] += [each['name'] for each in found]
    if ended.is_good:
        screen.say(f'GPUs: {", ".join(check["gpus"]) or "none; the check runs on the CPU, on small sizes"}')
        return
    check['unknown_gpus'] = f'GPUs could not be looked for: {ended.reason}'
    screen.say(check['unknown_gpus'])
    part = Part('gpus', 'GPUs', seconds=ended.seconds)
    part.add('list of GPUs', FAILED, check['unknown_gpus'])
    check['parts'].append(part)


def _run_part(part, context, budget):
    """Run one part. An error is a check that failed, so that the other parts still run."""
    start = time.monotonic()
    context.deadline = budget.deadline(part.name)
    try:
        if budget.seconds_left() < 1:
            part.add(part.title, CUT, 'no time left')
        else:
            STAGES[part.name].module.run(part, context)
    except Exception as error:
        log = context.log(f'{part.name}-error')
        with contextlib.suppress(OSError):  # a full disk
            log.write_text(traceback.format_exc(), encoding='utf-8')
        part.add(part.title, FAILED, f'{type(error).__name__}: {error}; {commands.name_of(log)} says where')
    finally:
        part.seconds = time.monotonic() - start


def _print_summary(check, out):
    for part in check['parts']:
        show(f'{part.title:22s}{part.status}')
        for each in part.checks:
            if each.status in (FAILED, CUT):
                show(f'    {each.name}: {each.status}, {each.note}')
    show(f'Report: {os.path.join(out, report.REPORT)}')


if __name__ == '__main__':
    cli.run_script(main)
