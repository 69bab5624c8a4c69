"""Test what the report of a check says."""

import pytest

from benchmarks.gpu_check import published, report, results
from benchmarks.gpu_check.results import CUT, FAILED, LEFT_OUT, PASSED, Part
from tests.gpu_check_doubles import SPEED, a_check


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


def test_the_fastest_form_of_a_filter_is_named():
    filtered = [dict(kind='filter', shape=[8, 128, 257, 257], precision='float16', xla='on', form=form,
                     first_seconds=1.0, seconds_per_filter=seconds)
                for form, seconds in [('depthwise', 0.004), ('folded', 0.0025), ('slices', 0.01)]]
    part = Part('speeds', 'Speeds', speeds=[*filtered, {**filtered[0], 'xla': 'off'}])
    text = report.text(a_check([part], gpus=['Card X']))
    assert 'on an input of 8x128x257x257 (images' in text
    assert '| a FIR filter on Card X | XLA | depthwise | folded | slices | fastest |' in text
    assert '| float16 | on | 4 ms | 2.5 ms | 10 ms | folded |' in text
    assert '| float16 | off | 4 ms |  |  |  |' in text  # cut before the others
    assert 'sec/kimg' not in text


def test_what_did_not_pass_stands_at_the_beginning_with_its_log():
    part = Part('trainings', 'Short trainings')
    part.add('config-f', FAILED, 'exit status 1; logs/config-f.log has the output')
    head = report.text(a_check([part])).partition('## Short trainings')[0]
    assert '- **FAILED**: Short trainings, config-f: exit status 1; logs/config-f.log has the output' in head


def test_published_figures_follow_from_the_days():
    assert published.seconds_per_kimg(1) == pytest.approx(241.776)
    assert published.seconds_per_kimg(8) == pytest.approx(33.696)
    assert published.seconds_per_kimg(3) is None


def test_a_report_says_how_many_tests_used_the_gpu():
    part = Part('tests', 'Tests', facts={'on_gpu': 200, 'tests': 230})
    assert '200 of 230 tests took memory of the GPU' in report.text(a_check([part], gpus=['Card X']))
