"""Test how a machine is checked: what runs when, what is written, and that it always ends."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import types

import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

from benchmarks import processes
from benchmarks.gpu_check import __main__ as command
from benchmarks.gpu_check import (
    agreement,
    commands,
    compared_steps,
    device_tests,
    found_devices,
    published,
    pytest_watch,
    report,
    results,
    speed_work,
    speeds,
    trainings,
)
from benchmarks.gpu_check.budget import SECONDS_TO_END, Budget
from benchmarks.gpu_check.results import CUT, FAILED, LEFT_OUT, PASSED, Part
from dnnlib.util import UserError
from tests.gpu_form import built_for_gpus
from training.loop import interruption
from training.settings import flags as run_flags
from training.settings import train_flags

SHARES = {'a': 1, 'b': 2, 'c': 1}
SPEED = dict(kind='training', resolution=1024, minibatch=4, precision='tf32', xla='off', first_seconds=9.0,
             seconds_per_kimg=120.9, gpu_bytes=11_000_000_000)


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


@pytest.fixture
def stages(monkeypatch):
    """Let the check consist of parts that the test provides, on a machine without GPUs. -> add(name, run)."""
    monkeypatch.setattr(command, 'STAGES', {})
    monkeypatch.setattr(command.commands, 'results', lambda *args: ([], commands.Ended(0, False, [], 1.0)))

    def add(name, run):
        command.STAGES[name] = command.Stage(f'Part {name}', 1, types.SimpleNamespace(run=run))
    return add


def passing(part, context):
    """Pass one check."""
    part.add('everything', PASSED)


def a_check(parts=(), gpus=(), is_interrupted=False):
    """Return what the report is written from."""
    return dict(command='python -m benchmarks.gpu_check', date='2026-01-01 12:00 +0000', machine={},
                seconds=75.0, gpus=list(gpus), unknown_gpus=None, parts=list(parts),
                is_interrupted=is_interrupted)


def run_main(folder, *flags):
    """Check with these flags. -> exit status, report, results."""
    status = 0
    try:
        command.main([f'--out={folder}', *flags])
    except SystemExit as error:
        status = error.code
    return (status, (folder / 'REPORT.md').read_text(encoding='utf-8'),
            json.loads((folder / 'report.json').read_text(encoding='utf-8')))


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


def test_a_command_ends_with_its_output_and_status():
    seen = []
    ended = commands.run([sys.executable, '-c', 'print("one"); print("two"); exit(3)'], time.monotonic() + 60,
                         seen.append)
    assert seen == ended.lines == ['one', 'two']
    assert (ended.status, ended.is_cut, ended.reason) == (3, False, 'exit status 3: two')


def test_the_reason_is_the_error_and_not_the_calls_that_tensorflow_prints_after_it():
    lines = ['Traceback (most recent call last):', 'tf.errors.InvalidArgumentError: No such kernel.', '',
             'tf.errors.InvalidArgumentError: Graph execution error:', '', 'Original stack trace for G/x:',
             '  File "ops.py", line 1221, in from_node_def', '']
    reason = commands.Ended(1, False, lines, 1.0).reason
    assert reason == 'exit status 1: tf.errors.InvalidArgumentError: No such kernel.'
    assert commands.Ended(-11, False, [], 1.0).reason == 'exit status -11: no output'


def test_a_command_that_does_not_end_is_cut_with_its_children(monkeypatch):
    monkeypatch.setattr(commands, 'SECONDS_TO_STOP', 0.2)
    script = ('import signal, subprocess, sys, time; signal.signal(signal.SIGINT, signal.SIG_IGN); '
              'print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"]).pid); '
              'time.sleep(99)')
    start = time.monotonic()
    ended = commands.run([sys.executable, '-c', script], start + 2)
    assert ended.is_cut and ended.reason == 'no time left' and time.monotonic() - start < 20
    _wait_until_ended(int(ended.lines[0]))


def test_a_second_ctrl_c_leaves_no_children(monkeypatch):
    script = ('import signal, subprocess, sys, time; signal.signal(signal.SIGINT, signal.SIG_IGN); '
              'print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"]).pid); '
              'time.sleep(99)')
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
        commands.run([sys.executable, '-c', script], time.monotonic() + 60, first)
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


def test_a_line_can_ask_for_an_interruption():
    script = ('import os, signal, time\nsignal.signal(signal.SIGINT, lambda *args: os._exit(130))\n'
              'print("tick 1", flush=True)\ntime.sleep(99)')
    ended = commands.run([sys.executable, '-c', script], time.monotonic() + 60,
                         lambda line: signal.SIGINT if line.startswith('tick') else None)
    assert (ended.status, ended.is_cut) == (130, False)


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
    assert '| Part a | **FAILED** | ValueError: no such \\| kernel |' in text
    assert 'Part a: failed, ValueError: no such | kernel' in capsys.readouterr().out


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


def test_sigterm_leaves_a_report_and_its_status(stages, tmp_path):
    def terminated(part, context):
        part.add('first', PASSED)
        signal.raise_signal(signal.SIGTERM)

    stages('a', terminated)
    stages('b', passing)
    handler = signal.getsignal(signal.SIGTERM)
    status, text, content = run_main(tmp_path)
    assert status == 143 and content['is_interrupted'] and '## Part b' not in text
    assert signal.getsignal(signal.SIGTERM) is handler


def test_sigterm_comes_again_without_effect():
    with pytest.raises(SystemExit) as exit_info, interruption.at_once():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
    assert exit_info.value.code == 143


@pytest.mark.parametrize('ended', [
    commands.Ended(-11, False, ['CUDA_ERROR_UNKNOWN'], 1.0), commands.Ended(-9, True, [], 120.0)])
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


@pytest.mark.parametrize(('statuses', 'status', 'is_good'), [
    ([PASSED, LEFT_OUT], PASSED, True), ([PASSED, CUT], CUT, False), ([CUT, FAILED], FAILED, False),
    ([LEFT_OUT], LEFT_OUT, True), ([], CUT, False)])
def test_the_worst_check_decides_about_a_part(statuses, status, is_good):
    part = Part('a', 'A', [results.Check('one', each) for each in statuses])
    assert (part.status, part.is_good) == (status, is_good)


def test_a_report_about_a_gpu_stands_beside_the_published_figures():
    part = Part('speeds', 'Speeds', speeds=[SPEED, {**SPEED, 'xla': 'on', 'seconds_per_kimg': 60.45}])
    part.add('training', PASSED)
    text = report.text(a_check([part], gpus=['Card X']))
    assert report.NO_GPU not in text
    row = '| 1024x1024, 4 images per step | tf32 | off | 120.9 | 2.00 times as fast | 9.0 s | 11.00 GB |'
    assert row in text
    assert 'training 1024x1024, minibatch 4, tf32: `--xla=on` is 2.00 times as fast as `--xla=off`' in text
    assert 'training config F on Card X' in text


def test_small_networks_are_not_compared_with_published_figures():
    part = Part('speeds', 'Speeds', speeds=[{**SPEED, 'resolution': 16, 'gpu_bytes': None}])
    part.add('training', PASSED)
    text = report.text(a_check([part]))
    assert 'not the same work' in text and 'times as fast' not in text and report.NO_GPU in text


def test_published_figures_follow_from_the_days():
    assert published.seconds_per_kimg(1) == pytest.approx(241.776)
    assert published.seconds_per_kimg(8) == pytest.approx(33.696)
    assert published.seconds_per_kimg(3) is None


def a_context(folder, num_gpus=0, seconds=60):
    """Return what a part needs to know."""
    screen = command.Screen(Budget(seconds, SHARES))
    deadline = time.monotonic() + seconds
    return command.Context(screen, ['Card X'] * num_gpus, str(folder), str(folder), deadline)


def a_test(name, outcome='passed', error='', **more):
    """Return a line of `pytest_watch`."""
    return json.dumps(dict(test=f'tests/{name}', outcome=outcome, seconds=1.5, error=error, **more)) + '\n'


def test_results_of_tests_are_read_up_to_a_line_that_is_not_complete(tmp_path):
    path = tmp_path / 'tests.jsonl'
    assert device_tests.read(path) == (0, [])
    path.write_text('{"total": 9}\n' + a_test('test_ops.py::one') + a_test('test_ops.py::two')[:20])
    total, found = device_tests.read(path)
    assert (total, [each['test'] for each in found]) == (9, ['tests/test_ops.py::one'])


def test_tests_that_fail_are_named_in_their_group(tmp_path):
    path = tmp_path / 'tests.jsonl'
    path.write_text(a_test('test_ops.py::one') + a_test('test_ops.py::two[x]', 'failed', 'off by 0.1')
                    + a_test('test_optimizer.py::three', 'skipped'))
    part = Part('tests', 'Tests')
    device_tests.add_checks(part, device_tests.groups(num_gpus=0), device_tests.read(path)[1])
    assert [(check.name, check.status, check.note, check.seconds) for check in part.checks] == [
        ('ops and their gradients', FAILED, '1 of 2 tests passed; two[x]: off by 0.1', 3.0),
        ('optimizer', PASSED, '0 of 1 tests passed', 1.5)]


def test_all_tests_of_the_groups_exist():
    for names in device_tests.groups(num_gpus=1).values():
        for name in names:
            file, _, test = name.partition('::')
            assert f'def {test}' in (processes.ROOT / 'tests' / file).read_text(encoding='utf-8')


@pytest.mark.parametrize('test', ['test_activations_and_slopes_at_chosen_points', 'test_no_such'])
def test_tests_run_in_processes_of_their_own(test, tmp_path, monkeypatch):
    monkeypatch.setattr(device_tests, 'GROUPS', {'some': [f'test_ops.py::{test}']})
    monkeypatch.setattr(device_tests, 'MAX_PROCESSES', 1)
    part = Part('tests', 'Tests')
    device_tests.run(part, a_context(tmp_path, seconds=120))
    if test == 'test_no_such':
        assert part.status == FAILED and 'tests.log has the output' in part.checks[0].note
    else:
        assert part.status == PASSED and 'tests passed' in part.checks[0].note


def test_tests_on_gpus_are_counted(tmp_path, monkeypatch):
    path = tmp_path / 'tests.jsonl'
    path.write_text(a_test('test_ops.py::one', gpu_bytes=64) + a_test('test_growth.py::two', gpu_bytes=0))
    monkeypatch.setattr(commands, 'run', lambda *args: commands.Ended(0, False, [], 1.0))
    part = Part('tests', 'Tests')
    device_tests.run(part, a_context(tmp_path, num_gpus=2))
    assert [check.name for check in part.checks] == ['ops and their gradients', 'growing networks']
    assert (part.facts['on_gpu'], part.facts['tests']) == (1, 2)


@pytest.fixture
def a_gpu(monkeypatch):
    """Let TensorFlow list a GPU, for which soft placement takes the CPU."""
    real = tf.config.list_physical_devices
    monkeypatch.setattr(tf.config, 'list_physical_devices',
                        lambda kind=None: ['GPU:0'] if kind == 'GPU' else real(kind))
    experimental = tf.config.experimental
    monkeypatch.setattr(experimental, 'get_memory_info', lambda device: {'peak': 2_500_000_000})
    monkeypatch.setattr(experimental, 'get_device_details', lambda device: {'device_name': 'Card X'})
    with built_for_gpus():
        yield


def test_what_runs_on_gpus_runs_where_they_are_soft_placed(a_gpu):
    assert list(found_devices.gpus()) == [{'name': 'Card X'}]
    width = dict(fmap_base=32, fmap_max=4)
    found = list(compared_steps.compare(agreement.DEVICES, 8, 8, **width))
    assert all(each['error'] <= each['allowed'] for each in found), found
    assert speed_work._peak_bytes() == 2_500_000_000


def test_memory_that_a_test_takes_on_a_gpu_is_recorded(monkeypatch):
    infos = iter([{'current': 100, 'peak': 100}, {'current': 100, 'peak': 164}])
    experimental = types.SimpleNamespace(
        reset_memory_stats=lambda device: None, get_memory_info=lambda device: next(infos))
    watch = object.__new__(pytest_watch.Watch)
    watch._has_gpu, watch._experimental = True, experimental
    item = types.SimpleNamespace(user_properties=[])
    call = watch.pytest_runtest_call(item)
    next(call)
    with pytest.raises(StopIteration):
        call.send('result')
    assert item.user_properties == [('gpu_bytes', 64)]


def test_a_report_says_how_many_tests_used_the_gpu():
    part = Part('tests', 'Tests', facts={'on_gpu': 200, 'tests': 230})
    assert '200 of 230 tests took memory of the GPU' in report.text(a_check([part], gpus=['Card X']))


def test_without_a_gpu_there_is_nothing_to_agree(tmp_path):
    part = Part('agreement', 'CPU and GPU')
    agreement.run(part, a_context(tmp_path))
    assert (part.status, part.checks[0].note) == (LEFT_OUT, 'no GPU was found')


@pytest.mark.parametrize(('error', 'status'), [(1e-5, PASSED), (1e-3, FAILED), (float('nan'), FAILED)])
def test_devices_that_differ_fail(error, status):
    part = Part('agreement', 'CPU and GPU')
    agreement.add_check(part, dict(name='images', error=error, allowed=1e-4, where='scores'))
    assert part.status == status and 'allowed 0.0001' in part.checks[0].note


def test_a_device_agrees_with_itself_about_images_and_both_steps():
    found = list(compared_steps.compare(['/cpu:0', '/cpu:0'], 8, 8, fmap_base=32, fmap_max=4))
    assert [each['name'] for each in found] == [
        'images of config F, 8x8', 'training step of G, 8x8', 'training step of D, 8x8']
    assert all(each['error'] <= 1e-6 for each in found), found


def test_noise_strengths_are_compared_as_one_vector():
    with tf.Graph().as_default():
        found = compared_steps._together({'a/weight': tf.zeros([2]), 'a/noise_strength': tf.constant(3.0),
                                          'b/noise_strength': tf.constant(4.0)})
    assert {name: each.shape.as_list() for name, each in found.items()} == {
        'gradient of a/weight': [2], 'gradient of all noise strengths': [2]}


def test_a_difference_is_relative_to_the_norm_of_a_gradient_and_to_the_largest_value():
    expected = {'images': np.array([1.0, -4.0]), 'gradient of w': np.array([3.0, 4.0])}
    brighter = {**expected, 'images': np.array([2.0, -4.0])}
    assert compared_steps.difference(expected, brighter) == (0.25, 'images')
    off = {**expected, 'gradient of w': np.array([3.0, 5.0])}
    assert compared_steps.difference(expected, off) == (0.2, 'gradient of w')
    assert compared_steps.difference(expected, {**off, 'images': np.array([np.nan, 0])})[1] == 'images'


def test_a_training_without_files_is_at_fault(tmp_path):
    assert trainings.faults(tmp_path) == [
        'network-final.pkl was not written', 'no losses were recorded', 'no images were written']


def test_losses_that_are_not_finite_and_empty_pictures_are_at_fault(tmp_path, monkeypatch):
    (tmp_path / 'network-final.pkl').touch()
    for index in range(2):
        PIL.Image.new('RGB', (4, 4), (9, 9, 9)).save(tmp_path / f'fakes00000{index}.png')
    losses = {'Loss/G/loss': {8: 1.0}, 'Loss/D/loss': {8: float('inf')}, 'Progress/lod': {8: float('nan')}}
    monkeypatch.setattr(trainings.events, 'scalars', lambda folder, notes: losses)
    assert trainings.faults(tmp_path) == [
        'Loss/D/loss is not finite', 'fakes000000.png has one colour only',
        'fakes000001.png has one colour only']


def test_a_regularizer_need_not_have_a_step_in_every_tick():
    nan = float('nan')
    assert trainings._is_finite('Loss/gradient_penalty', [1.0, nan])
    assert not trainings._is_finite('Loss/gradient_penalty', [nan, nan])
    assert not trainings._is_finite('Loss/scores/real', [1.0, nan])


def test_two_gpus_train_together_where_there_are_several():
    commands_of = trainings.trainings(trainings.ON_GPU, num_gpus=4)
    assert '--num-gpus=2' in commands_of['config-f-2-gpus']
    assert 'config-f-2-gpus' not in trainings.trainings(trainings.ON_GPU, num_gpus=1)


def test_every_training_has_flags_that_its_script_accepts(tmp_path):
    for command_line in trainings.trainings(trainings.ON_CPU, num_gpus=2).values():
        words = trainings.with_folders(command_line, 'data', str(tmp_path))
        parser = {'train.py': train_flags, 'run_training.py': run_flags}[words[0]].make_parser('', {})
        parser.parse_args(words[1:])


def test_what_there_is_no_time_to_measure_is_left_out(tmp_path, monkeypatch):
    calls = []

    def measured(function, arguments, deadline, idle, on_result):
        calls.append(function)
        if len(calls) == 2:
            context.deadline = 0
            return [], commands.Ended(-9, True, [], 1.0)
        on_result({**SPEED, 'kind': 'training'})
        return [], commands.Ended(0, False, [], 1.0)

    context, part = a_context(tmp_path), Part('speeds', 'Speeds')
    monkeypatch.setattr(commands, 'results', measured)
    speeds.run(part, context)
    assert [check.status for check in part.checks[:3]] == [PASSED, LEFT_OUT, LEFT_OUT]
    assert part.status == PASSED and len(calls) == 2 and len(part.speeds) == 1


def test_speeds_that_fail_are_reported(tmp_path, monkeypatch):
    out_of_memory = commands.Ended(1, False, ['Traceback', 'ResourceExhaustedError: OOM'], 1.0)
    monkeypatch.setattr(commands, 'results', lambda *args: ([], out_of_memory))
    part = Part('speeds', 'Speeds')
    speeds.run(part, a_context(tmp_path))
    assert part.status == FAILED and part.checks[0].note == 'exit status 1: ResourceExhaustedError: OOM'


def test_a_card_that_is_too_small_for_a_speed_is_no_fault(tmp_path, monkeypatch):
    too_large = commands.Ended(2, False, [f'Error: memory has run out; {commands.OUT_OF_MEMORY} or ...'], 1.0)
    monkeypatch.setattr(commands, 'results', lambda *args: ([], too_large))
    part = Part('speeds', 'Speeds')
    speeds.run(part, a_context(tmp_path))
    assert {check.status for check in part.checks[:-1]} == {LEFT_OUT} and part.status == CUT


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
    out = tmp_path / 'out'
    done = subprocess.run(
        [sys.executable, '-m', 'benchmarks.gpu_check', f'--out={out}'], cwd=processes.ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=640, check=False)
    content = json.loads((out / 'report.json').read_text(encoding='utf-8'))
    assert done.returncode == 0 and content['passed'], done.stdout
    assert [part['name'] for part in content['parts']] == list(command.STAGES)
    assert {path.name for path in out.glob('*.png')} == {'config-f.png', 'ada-auto.png', 'stylegan.png'}
    assert content['parts'][-1]['speeds']


@pytest.mark.long
def test_ctrl_c_writes_the_report_so_far(tmp_path):
    process = subprocess.Popen(
        [sys.executable, '-m', 'benchmarks.gpu_check', '--only=trainings,speeds', f'--out={tmp_path}'],
        cwd=processes.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if 'training config-f' in line:
            process.send_signal(signal.SIGINT)
            break
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and errors.endswith('Interrupted.\n') and 'Report: ' in rest
    assert '**Interrupted: the rest is missing.**' in (tmp_path / 'REPORT.md').read_text(encoding='utf-8')
