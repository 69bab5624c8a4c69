"""Test which speeds a check measures, and what becomes of those that it cannot."""

import inspect
import itertools

import pytest

from benchmarks.fir_forms import forms
from benchmarks.gpu_check import commands, speed_work, speeds
from benchmarks.gpu_check.results import CUT, FAILED, LEFT_OUT, PASSED, Part
from tests.gpu_check_doubles import GOOD, SPEED, a_context, cut, failed


def test_what_there_is_no_time_to_measure_is_left_out(tmp_path, monkeypatch):
    calls = []

    def measured(function, arguments, deadline, log, idle, on_result):
        calls.append(function)
        if len(calls) == 2:
            context.deadline = 0
            return [], cut()
        on_result({**SPEED, 'kind': 'training'})
        return [], GOOD

    context, part = a_context(tmp_path), Part('speeds', 'Speeds')
    monkeypatch.setattr(commands, 'results', measured)
    speeds.run(part, context)
    assert [check.status for check in part.checks[:3]] == [PASSED, LEFT_OUT, LEFT_OUT]
    assert part.status == PASSED and len(calls) == 2 and len(part.speeds) == 1


def test_speeds_that_fail_are_reported(tmp_path, monkeypatch):
    out_of_memory = failed('Traceback', 'ResourceExhaustedError: OOM')
    monkeypatch.setattr(commands, 'results', lambda *args: ([], out_of_memory))
    part = Part('speeds', 'Speeds')
    speeds.run(part, a_context(tmp_path))
    assert part.status == FAILED
    assert part.checks[0].note.startswith('exit status 1: ResourceExhaustedError: OOM; ')


def test_forms_of_filters_are_measured_with_and_without_xla(session):
    found = list(speed_work.filter_forms([1, 2, 5, 5], seconds=0.0))
    assert {(each['precision'], each['xla'], each['form']) for each in found} == set(itertools.product(
        ('float32', 'float16'), ('off', 'on'), forms.FORMS))
    assert all(each['seconds_per_filter'] > 0 for each in found)
    text = speeds.in_words({**found[0], 'seconds_per_filter': 0.0123})
    assert text == 'depthwise, float32, XLA off: 12.3 ms'


@pytest.mark.parametrize('num_gpus', [0, 1])
def test_every_speed_is_measured_by_a_function_that_takes_its_arguments(num_gpus):
    wanted = speeds.works(num_gpus)
    assert len({title for title, *_ in wanted}) == len(wanted)
    assert 'FIR filters' in [title for title, *_ in wanted]
    for _, function, arguments in wanted:
        inspect.signature(getattr(speed_work, function.removeprefix('speed_work.'))).bind(**arguments)


def test_a_card_that_is_too_small_for_a_speed_is_no_fault(tmp_path, monkeypatch):
    too_large = failed(f'Error: memory has run out; {commands.OUT_OF_MEMORY} or ...', status=2)
    monkeypatch.setattr(commands, 'results', lambda *args: ([], too_large))
    part = Part('speeds', 'Speeds')
    speeds.run(part, a_context(tmp_path))
    assert {check.status for check in part.checks[:-1]} == {LEFT_OUT} and part.status == CUT
