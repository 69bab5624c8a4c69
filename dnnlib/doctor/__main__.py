"""Print what a report of trouble needs to say about this machine."""

import contextlib
import json
import os
import re
import signal
import sys

from dnnlib import cli
from dnnlib.doctor import findings, lines
from dnnlib.doctor.machine import Machine
from dnnlib.doctor.worker import SECONDS_TO_LOAD_IN_LIMITS, Worker
from dnnlib.progress import announced
from dnnlib.util import UserError, printable


def _parser():
    parser = cli.ArgumentParser(
        prog='python -m dnnlib.doctor', description='Print versions, processor, memory, GPUs, driver, CUDA '
        'libraries, disks and caches, and compute on every device. The exit status is 1 if a device computes '
        'wrongly or not at all.')
    parser.add_argument('--json', action='store_true', help='print a report as JSON on stdout')
    parser.add_argument('--result-dir', type=cli.folder, default='results', metavar='DIR',
                        help='folder of your runs, whose free disk is shown (default: %(default)s)')
    cli.add_cache_dir(parser)
    return parser


def _anonymous(value):
    """Replace the home directory by ~ in all texts of a report."""
    home = os.path.expanduser('~').rstrip('/')
    if isinstance(value, dict):
        return {key: _anonymous(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_anonymous(each) for each in value]
    return re.sub(rf'{re.escape(home)}(?![\w.-])', '~', value) if isinstance(value, str) and home else value


def _check_current_folder():
    try:
        os.getcwd()
    except OSError as error:
        raise UserError('the current folder has been deleted; cd to another one') from error


def _show(texts):
    for text in texts:
        print(printable(_anonymous(text)), flush=True)


def examined(machine, worker, result_dir: str) -> dict:
    """Examine a machine, and print the findings as they come. -> the whole report, as `main` writes it."""
    with announced('Asking the driver, and adding up the caches...'):
        report = findings.collected(machine, result_dir)
    _show(lines.first_lines(report))
    for message in worker.messages(lambda text: _show([text])):
        findings.add(report, message, machine)
        if message['kind'] == 'devices':
            _show(lines.tensorflow_lines(report))
        elif message['kind'] == 'checks':
            _show([lines.check_line(message['checks'])])
    report.update(failure=worker.reason, complaint=worker.complaint)
    if report['libraries'] is None:
        findings.add_libraries(report, machine)
    if report['devices'] is None:
        _show(lines.tensorflow_lines(report))
    _show(lines.last_lines(report))
    is_right = worker.reason is None and all(each['ok'] for each in report['checks'])
    return _anonymous({**report, 'notes': findings.notes(report), 'problems': findings.problems(report),
                       'ok': is_right})


def main(argv=None) -> None:
    """Examine this machine."""
    args = _parser().parse_args(argv)
    cli.use_cache_dir(args)
    _check_current_folder()
    machine = Machine()
    worker = Worker(limit_seconds=None if machine.address_space is None else SECONDS_TO_LOAD_IN_LIMITS)
    try:
        with contextlib.redirect_stdout(sys.stderr) if args.json else contextlib.nullcontext():
            report = examined(machine, worker, args.result_dir)
    finally:
        worker.close()
    if args.json:
        print(json.dumps(report, indent=2), flush=True)
    sys.exit(0 if report['ok'] else 1)


def _end_by(signum, _frame):
    sys.exit(128 + signum)


def _end_by_signals():
    """Let signals that end this process end the worker, too."""
    for name in ('SIGTERM', 'SIGHUP'):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_DFL:
            signal.signal(getattr(signal, name), _end_by)


if __name__ == '__main__':
    _end_by_signals()
    cli.run_script(main)
