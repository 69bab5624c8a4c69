"""Test how a machine is checked: what runs when, that it always ends, and with which status."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import types

import pytest

from benchmarks import processes
from benchmarks.gpu_check import __main__ as command
from benchmarks.gpu_check import report
from benchmarks.gpu_check.budget import SECONDS_TO_END, Budget
from benchmarks.gpu_check.results import FAILED, PASSED
from dnnlib.util import UserError
from tests.gpu_check_doubles import GOOD, SHARES, cut, failed


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """Return a clock that is set by hand."""
    return Clock()


def test_each_part_gets_its_share_of_what_is_left(clock):
    budget = Budget(400 + SECONDS_TO_END, SHARES, clock)
    assert budget.deadline('a') == clock.now + 100
    clock.now += 40  # `a` leaves 60 seconds to the others
    assert budget.deadline('b') == clock.now + 240
    clock.now += 240
    assert budget.deadline('c') == clock.now + 120 == 100 + 400


def test_a_part_that_comes_too_late_has_no_time(clock):
    budget = Budget(60, SHARES, clock)
    clock.now += 1000
    assert (budget.seconds_left(), budget.deadline('c'), budget.elapsed()) == (0, clock.now, 1000)


@pytest.fixture
def stages(monkeypatch):
    """Let the check consist of parts that the test provides, on a machine without GPUs. -> add(name, run)."""
    monkeypatch.setattr(command, 'STAGES', {})
    monkeypatch.setattr(command.commands, 'results', lambda *args: ([], GOOD))

    def add(name, run):
        command.STAGES[name] = command.Stage(f'Part {name}', 1, types.SimpleNamespace(run=run))
    return add


def passing(part, context):
    """Pass one check."""
    part.add('everything', PASSED)


def run_main(folder, *flags):
    """Check with these flags. -> exit status, report, results."""
    status = 0
    try:
        command.main([f'--out={folder}', *flags])
    except SystemExit as error:
        status = error.code
    return (status, (folder / 'REPORT.md').read_text(encoding='utf-8'),
            json.loads((folder / 'report.json').read_text(encoding='utf-8')))


def test_all_parts_pass(stages, tmp_path, capsys):
    stages('a', passing)
    stages('b', passing)
    status, text, content = run_main(tmp_path)
    assert status == 0 and content['passed'] and [part['status'] for part in content['parts']] == [PASSED] * 2
    assert text.startswith('# Check of a machine: passed\n')
    assert report.NO_GPU in text
    out = capsys.readouterr().out
    assert '[2/2] Part b' in out and 'left] ' in out and 'Report: ' in out


def test_a_part_that_fails_does_not_stop_those_after_it(stages, tmp_path, capsys):
    def broken(part, context):
        part.add('first', PASSED)
        raise ValueError('no such | kernel')

    stages('a', broken)
    stages('b', passing)
    status, text, content = run_main(tmp_path)
    assert status == 1 and not content['passed']
    assert [part['status'] for part in content['parts']] == [FAILED, PASSED]
    note = 'ValueError: no such | kernel; logs/a-error.log says where'
    assert f'- **FAILED**: Part a, Part a: {note}' in text
    assert f'Part a: failed, {note}' in capsys.readouterr().out
    assert 'in broken' in (tmp_path / 'logs' / 'a-error.log').read_text(encoding='utf-8')


def test_a_part_without_time_is_cut_and_the_check_does_not_pass(stages, tmp_path, monkeypatch):
    monkeypatch.setattr(command.Budget, 'seconds_left', lambda self: 0.0)
    stages('a', passing)
    status, text, content = run_main(tmp_path)
    assert status == 1 and content['parts'][0]['checks'][0]['note'] == 'no time left'
    assert '**cut**' in text


def test_an_interrupted_check_leaves_its_report(stages, tmp_path):
    def interrupted(part, context):
        part.add('first', PASSED)
        raise KeyboardInterrupt

    stages('a', passing)
    stages('b', interrupted)
    stages('c', passing)
    with pytest.raises(KeyboardInterrupt):
        command.main([f'--out={tmp_path}'])
    text = (tmp_path / 'REPORT.md').read_text(encoding='utf-8')
    assert 'Check of a machine: not passed' in text and '**Interrupted: the rest is missing.**' in text
    assert '## Part b' in text and '## Part c' not in text


@pytest.mark.parametrize(('signum', 'expected'), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_a_report_and_its_status(stages, tmp_path, signum, expected):
    def terminated(part, context):
        part.add('first', PASSED)
        signal.raise_signal(signum)

    stages('a', terminated)
    stages('b', passing)
    status, text, content = run_main(tmp_path)
    assert status == expected and content['is_interrupted'] and '## Part b' not in text


def test_a_terminal_that_closes_ends_the_check_with_its_report(tmp_path):
    ours, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, '-m', 'benchmarks.gpu_check', '--only=machine', f'--out={tmp_path}'],
        cwd=processes.ROOT, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(terminal)
    assert b'checking this machine' in os.read(ours, 1000)
    os.close(ours)
    assert process.wait(60) == 129
    assert '**Interrupted: the rest is missing.**' in (tmp_path / 'REPORT.md').read_text(encoding='utf-8')


@pytest.mark.parametrize('ended', [failed('CUDA_ERROR_UNKNOWN', status=-11), cut()])
def test_gpus_that_cannot_be_looked_for_fail_the_check(stages, tmp_path, monkeypatch, ended):
    monkeypatch.setattr(command.commands, 'results', lambda *args: ([], ended))
    stages('a', passing)
    status, text, content = run_main(tmp_path)
    line = f'GPUs could not be looked for: {ended.reason}'
    assert status == 1 and [part['status'] for part in content['parts']] == [FAILED, PASSED]
    assert f'**{line}**' in text and f'| list of GPUs | **FAILED** | {line} |' in text
    assert report.NO_GPU not in text


def test_a_folder_without_permission_to_write_is_refused_before_any_part(stages, tmp_path, monkeypatch):
    def refused(dir):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(command.tempfile, 'TemporaryFile', refused)  # root may write everywhere
    monkeypatch.setattr(command, '_run', None)
    with pytest.raises(UserError, match='no file can be written to this folder .Permission denied.; choose'):
        command.main([f'--out={tmp_path}'])


def test_a_folder_that_cannot_be_created_is_refused_before_any_part(stages, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(UserError, match='the folder cannot be created'):
        command.main(['--out', str(tmp_path / 'file' / 'out')])


def test_only_some_parts_can_run_in_their_order(stages, tmp_path):
    for name in 'abc':
        stages(name, passing)
    assert [part['name'] for part in run_main(tmp_path, '--only=c,a')[2]['parts']] == ['a', 'c']


@pytest.mark.parametrize(('flags', 'message'), [
    (['--only=tests,speed'], "argument --only: expected one of machine, tests"),
    (['--seconds=5'], "argument --seconds: expected a whole number of at least 30, not '5'"),
    (['--out='], "argument --out: expected a folder, not ''")])
def test_bad_flags_are_refused(flags, message, capsys):
    with pytest.raises(SystemExit) as exit_info:
        command.main(flags)
    assert exit_info.value.code == 2 and message in capsys.readouterr().err


NO_NETWORK = """
import socket
def refused(self, address):
    raise AssertionError(f'connects to {address}')
socket.socket.connect = socket.socket.connect_ex = refused
"""


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Let Python processes fail that connect to anything."""
    folder = tmp_path / 'site'
    folder.mkdir()
    (folder / 'sitecustomize.py').write_text(NO_NETWORK)
    monkeypatch.setenv('PYTHONPATH', f'{folder}{os.pathsep}{processes.ROOT}')


@pytest.mark.long
def test_the_whole_check_runs_to_its_end_without_a_network(offline, tmp_path):
    connects = 'import socket; socket.create_connection(("127.0.0.1", 9))'
    assert b'connects to' in subprocess.run(
        [sys.executable, '-c', connects], stderr=subprocess.PIPE, check=False).stderr
    out, seconds = tmp_path / 'out', 1200  # on a machine that does other things, too
    done = subprocess.run(
        [sys.executable, '-m', 'benchmarks.gpu_check', f'--out={out}', f'--seconds={seconds}'],
        cwd=processes.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds + 40,
        check=False)
    content = json.loads((out / 'report.json').read_text(encoding='utf-8'))
    assert done.returncode == 0 and content['passed'], done.stdout
    assert [part['name'] for part in content['parts']] == list(command.STAGES)
    pictures = {'config-f.png', 'ada-auto.png', 'stylegan.png', 'config-f-xla.png'}
    assert {path.name for path in out.glob('*.png')} == pictures
    assert content['parts'][-1]['speeds']


@pytest.mark.long
def test_ctrl_c_writes_the_report_so_far(tmp_path):
    process = processes.begin(
        [sys.executable, '-m', 'benchmarks.gpu_check', '--only=trainings,speeds', f'--out={tmp_path}'],
        cwd=processes.ROOT)
    for line in process.stdout:
        if 'training config-f' in line:
            process.send_signal(signal.SIGINT)
            break
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and rest.endswith('Interrupted.\n') and 'Report: ' in rest
    assert '**Interrupted: the rest is missing.**' in (tmp_path / 'REPORT.md').read_text(encoding='utf-8')
