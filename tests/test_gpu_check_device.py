"""Test the parts of a check that ask whether a device computes correctly."""

import json
import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from benchmarks import processes
from benchmarks.gpu_check import (
    agreement,
    commands,
    compared_steps,
    device_tests,
    found_devices,
    pytest_watch,
    speed_work,
)
from benchmarks.gpu_check.results import FAILED, LEFT_OUT, PASSED, Part
from tests.gpu_check_doubles import GOOD, a_context
from tests.gpu_form import built_for_gpus


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
    device_tests.add_checks(part, device_tests.groups(num_gpus=0), device_tests.read(path)[1],
                            'logs/tests.log')
    assert [(check.name, check.status, check.note, check.seconds) for check in part.checks] == [
        ('ops and their gradients', FAILED,
         '1 of 2 tests passed; two[x]: off by 0.1; logs/tests.log has the output', 3.0),
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
        assert part.status == FAILED and 'logs/tests.log has the output' in part.checks[0].note
    else:
        assert part.status == PASSED and 'tests passed' in part.checks[0].note


def test_tests_on_gpus_are_counted(tmp_path, monkeypatch):
    path = tmp_path / 'tests.jsonl'
    path.write_text(a_test('test_ops.py::one', gpu_bytes=64) + a_test('test_growth.py::two', gpu_bytes=0))
    monkeypatch.setattr(commands, 'run', lambda *args, **kwargs: GOOD)
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
