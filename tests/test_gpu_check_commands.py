"""Test how the processes of a check run, end and leave their output."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from benchmarks import processes
from benchmarks.gpu_check import commands, machine_facts, results
from tests.gpu_check_doubles import a_context, failed

IGNORES_CTRL_C = (
    'import signal, subprocess, sys, time; signal.signal(signal.SIGINT, signal.SIG_IGN); '
    'print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"]).pid); time.sleep(99)')


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a script, for a minute at most, with its output in logs/some.log."""
    log = tmp_path / 'logs' / 'some.log'
    log.parent.mkdir()

    def run(script, show=None, seconds=60):
        return commands.run([sys.executable, '-c', script], time.monotonic() + seconds, log, show)
    return run


def test_a_command_ends_with_its_output_and_status(run, tmp_path):
    seen = []
    ended = run('print("one"); print("two"); exit(3)', seen.append)
    assert seen == ended.lines == ['one', 'two']
    assert (ended.status, ended.is_cut) == (3, False)
    assert ended.reason == 'exit status 3: two; logs/some.log has the output'
    first, *rest = (tmp_path / ended.log).read_text(encoding='utf-8').splitlines()
    assert first.startswith(f'$ {sys.executable} -c ') and rest == ['one', 'two']


def test_the_log_has_what_a_command_prints_when_its_time_is_up(run, tmp_path):
    ended = run('import time\ntry:\n  time.sleep(99)\nfinally:\n  print("calls")', seconds=2)
    text = (tmp_path / ended.log).read_text(encoding='utf-8')
    assert ended.is_cut and "\ncalls\n" in text and text.endswith('KeyboardInterrupt\n')


def test_a_worker_that_fails_leaves_its_traceback_in_its_log(tmp_path):
    found, ended = commands.results('no_such.function', {}, time.monotonic() + 60, tmp_path / 'worker.log')
    assert not found and "ModuleNotFoundError: No module named 'benchmarks.gpu_check.no_such'" in ended.reason
    assert 'Traceback' in (tmp_path / 'worker.log').read_text(encoding='utf-8')


def test_the_doctor_sees_the_environment_of_the_user_alone(run, tmp_path, monkeypatch):
    monkeypatch.delenv('TF_FORCE_GPU_ALLOW_GROWTH', raising=False)
    script = 'import os; print(os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH"))'
    assert run(script).lines == ['true']
    monkeypatch.setattr(processes, 'python', lambda *_: [sys.executable, '-c', script])
    part = results.Part('machine', 'Machine')
    machine_facts.run(part, a_context(tmp_path))
    assert part.facts['doctor'] == ['None']


def test_a_signal_is_not_lost_while_a_process_starts():
    os.register_at_fork(after_in_parent=lambda: wanted and signal.raise_signal(wanted.pop()))
    wanted = [signal.SIGINT]  # exceptions of such functions are ignored
    process = processes.begin([sys.executable, '-c', ''])
    process.communicate()
    assert wanted.pop() == signal.SIGINT


@pytest.mark.parametrize('handler', [signal.SIG_IGN, signal.default_int_handler])
def test_a_process_handles_ctrl_c_even_if_this_one_ignores_it(handler):
    script = 'import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)'
    before = signal.signal(signal.SIGINT, handler)
    try:
        process = processes.begin([sys.executable, '-c', script])
        assert process.communicate()[0] == 'True\n'
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_disk_that_is_full_does_not_stop_the_reader_of_a_command(run, monkeypatch):
    full = pathlib.Path('/dev/full').open('wb', buffering=0)  # noqa: SIM115 (the command closes it)
    monkeypatch.setattr(pathlib.Path, 'open', lambda *args, **kwargs: full)
    ended = run('print("x" * 1_000_000); print("end")')
    assert ended.is_good and ended.lines[-1] == 'end'


def test_the_reason_is_the_error_and_not_the_calls_that_tensorflow_prints_after_it():
    lines = ['Traceback (most recent call last):', 'tf.errors.InvalidArgumentError: No such kernel.', '',
             'tf.errors.InvalidArgumentError: Graph execution error:', '', 'Original stack trace for G/x:',
             '  File "ops.py", line 1221, in from_node_def', '']
    reason = failed(*lines).reason
    assert reason.startswith('exit status 1: tf.errors.InvalidArgumentError: No such kernel.; ')
    assert failed(status=-11).reason.startswith('exit status -11: no output; ')


def test_a_command_that_does_not_end_is_cut_with_its_children(run, monkeypatch):
    monkeypatch.setattr(commands, 'SECONDS_TO_STOP', 0.2)
    start = time.monotonic()
    ended = run(IGNORES_CTRL_C, seconds=2)
    assert ended.is_cut and ended.reason.startswith('no time left; ') and time.monotonic() - start < 20
    _wait_until_ended(int(ended.lines[0]))


def test_a_second_ctrl_c_leaves_no_children(run, monkeypatch):
    seen, waits = [], []
    wait = subprocess.Popen.wait

    def interrupted(self, timeout=None):
        waits.append(timeout)
        if timeout is not None:
            raise KeyboardInterrupt('second')
        return wait(self)

    def first(line):
        seen.append(int(line))
        raise KeyboardInterrupt('first')

    monkeypatch.setattr(subprocess.Popen, 'wait', interrupted)
    with pytest.raises(KeyboardInterrupt, match='second'):
        run(IGNORES_CTRL_C, first)
    assert waits == [commands.SECONDS_TO_STOP, None]
    _wait_until_ended(seen[0])


def _wait_until_ended(pid):
    deadline = time.monotonic() + 10
    while _is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_running(pid):
    try:
        return 'Z' not in pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except FileNotFoundError:
        return False


def test_a_signal_before_the_output_is_read_ends_the_command(run, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands.threading.Thread, 'start', interrupted)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run('import time; time.sleep(99)')
    assert time.monotonic() - start < 20


def test_a_line_can_ask_for_an_interruption(run):
    script = ('import os, signal, time\nsignal.signal(signal.SIGINT, lambda *args: os._exit(130))\n'
              'print("tick 1", flush=True)\ntime.sleep(99)')
    ended = run(script, lambda line: signal.SIGINT if line.startswith('tick') else None)
    assert (ended.status, ended.is_cut) == (130, False)
