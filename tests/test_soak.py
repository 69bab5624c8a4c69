"""Test the soak: watching a process, judging growth, and the report. Nothing is timed here."""

import json
import os
import signal
import subprocess

import numpy as np
import pytest

from benchmarks import processes, soak, soak_report, soak_watch
from dnnlib.util import UserError

TICK_LINE = ('tick 12    kimg 4.8      lod 0.00  minibatch 4    time 12s          sec/tick 5.1     '
             'sec/kimg 12.75   maintenance 1.5    gpumem 0.0')


def _samples(count=100, **series):
    """Return samples of a training in which everything is flat except `series`, functions of the
    iterations."""
    rnd = np.random.RandomState(4)
    iterations = [100 * (number + 1) for number in range(count)]
    flat = dict(rss_bytes=1e9, open_files=7, threads=20, seconds_per_tick=2.0, processor_seconds_per_tick=3.0)
    return [{'iterations': x, 'seconds': x / 50, **flat, 'rss_bytes': 1e9 + rnd.randint(4096) * 4096,
             **{key: function(x) for key, function in series.items()}} for x in iterations]


def _results(**series):
    machine = {'processor': 'Abacus', 'cores': 2, 'memory_bytes': 4e9, 'system': 'Linux',
               'versions': {'Python': '3.11'}}
    features = [{'images': 1000 * number, 'seconds': number, 'rss_bytes': 5e8, 'open_files': 4, 'threads': 9}
                for number in range(1, 21)]
    return {'command': 'python -m benchmarks.soak', 'date': '2020-01-01 12:00 +0000', 'machine': machine,
            'training_flags': soak.FLAGS, 'feature_pixels': 64, 'seconds': 61,
            'training': _samples(**series), 'features': features}


def _not_flat(results):
    return [verdict.quantity.key for verdict in soak_report.verdicts(results) if not verdict.flat]


def test_what_stays_where_it_is_is_flat():
    assert _not_flat(_results()) == []


@pytest.mark.parametrize(('key', 'function'), [
    ('rss_bytes', lambda x: 1e9 + x * 5000),                       # 50 MB in total
    ('open_files', lambda x: 7 + x // 2000),
    ('threads', lambda x: 20 + (x > 8000)),
    ('seconds_per_tick', lambda x: 2.0 * (1 + x / 50000)),
    ('processor_seconds_per_tick', lambda x: 3.0 * (1 + x / 50000))])
def test_what_grows_steadily_is_not_flat(key, function):
    assert _not_flat(_results(**{key: function})) == [key]


def test_single_disturbances_and_what_is_given_back_are_flat():
    results = _results(
        rss_bytes=lambda x: 1e9 - x * 5000, open_files=lambda x: 7 + (x % 500 == 0),
        seconds_per_tick=lambda x: 60.0 if x in (300, 9900) else 2.0)
    assert _not_flat(results) == []


def test_noise_is_no_growth():
    rnd = np.random.RandomState(5)
    assert _not_flat(_results(seconds_per_tick=lambda x: 2.0 + rnd.uniform(0, 1))) == []


def test_few_samples_show_nothing():
    with pytest.raises(UserError, match='training: 2 samples are too few'):
        soak_report.text({**_results(), 'training': _samples(2)})


def test_growth_is_told_per_thousand_iterations():
    memory, *_ = soak_report.verdicts(_results(rss_bytes=lambda x: 1e9 + x * 5000))
    assert memory.per_thousand == pytest.approx(5)
    assert memory.line().startswith(
        'training, resident memory (MB): 1006.5 -> 1044.0, +5 per 1,000 iterations: NOT FLAT')


def test_report_has_figures_machine_and_command():
    text = soak_report.text(_results(rss_bytes=lambda x: 1e9 + x * 5000))
    assert '10,000 iterations of training and features of 20,000 images' in text
    assert '| training: resident memory (MB) | 1006.5 | 1044.0 | +5 per 1,000 iterations |' in text
    assert '| training: open files | 7 | 7 | +0 per 1,000 iterations | 0 (0.5) | flat |' in text
    assert '| **not flat** |' in text
    assert 'Abacus, 2 cores' in text
    assert '`python -m benchmarks.soak`, 1m 01s' in text


def test_report_and_status_come_from_a_file_of_results(tmp_path, capsys):
    soak._write_json(_results(), tmp_path)
    soak.main(['--report', str(tmp_path / 'soak.json'), '--out', str(tmp_path)])
    assert 'training, open files: 7 -> 7, +0 per 1,000 iterations: flat' in capsys.readouterr().out
    assert (tmp_path / 'soak.md').exists()
    soak._write_json(_results(open_files=lambda x: x // 100), tmp_path)
    with pytest.raises(SystemExit) as exit_info:
        soak.main(['--report', str(tmp_path / 'soak.json'), '--out', str(tmp_path)])
    assert exit_info.value.code == 1


def test_a_part_that_was_left_out_is_left_out_of_the_report(tmp_path):
    results = {**_results(), 'features': []}
    soak._write_json(results, tmp_path)
    assert json.loads((tmp_path / 'soak.json').read_text()) == results
    assert 'EfficientNet' not in soak_report.text(results)
    assert {verdict.part for verdict in soak_report.verdicts(results)} == {'training'}


@pytest.mark.parametrize('text', ['[]', '{}', 'no JSON'])
def test_a_file_without_results_makes_no_report(text, tmp_path):
    (tmp_path / 'soak.json').write_text(text, encoding='utf-8')
    with pytest.raises(UserError, match='soak.json'):
        soak.main(['--report', str(tmp_path / 'soak.json'), '--out', str(tmp_path)])


def test_picture_shows_both_parts(tmp_path):
    pytest.importorskip('matplotlib')
    soak_report.write(_results(), tmp_path)
    assert (tmp_path / 'soak.png').stat().st_size > 1000
    assert '(soak.png)' in (tmp_path / 'soak.md').read_text(encoding='utf-8')


def test_a_tick_is_read_from_its_line():
    assert soak._at_tick(TICK_LINE) == {
        'iterations': 1200, 'seconds_per_tick': pytest.approx(5.1), 'maintenance_seconds': 1.5}
    assert soak._at_tick('Training for 40 kimg...') is None


def test_a_look_sees_files_and_threads_of_a_process(tmp_path):
    before = soak_watch.look(os.getpid())
    with open(tmp_path / 'one', 'w'), open(tmp_path / 'two', 'w'):
        during = soak_watch.look(os.getpid())
    assert during['open_files'] == before['open_files'] + 2
    assert before['rss_bytes'] > 1e7
    assert before['threads'] >= 1
    assert during['processor_seconds'] >= before['processor_seconds']


def _numbers(line):
    return {'number': int(line)} if line.strip().isdigit() else None


def test_a_process_is_looked_at_whenever_it_says_where_it_is(tmp_path):
    code = '''
import os, time
print("start\\n1\\n2")
while not os.path.exists("seen"):
    time.sleep(0.01)
'''
    samples = []
    for sample in soak_watch.watch(processes.python('-c', code), tmp_path, _numbers):
        samples.append(sample)
        if sample['number'] == 2:
            (tmp_path / 'seen').touch()
    assert [sample['number'] for sample in samples] == [1, 2]
    assert {'rss_bytes', 'threads', 'open_files', 'processor_seconds', 'seconds'} < set(samples[0])


def test_a_process_that_has_ended_is_looked_at_no_more():
    watched = subprocess.Popen(processes.python('-c', ''))
    os.waitid(os.P_PID, watched.pid, os.WEXITED | os.WNOWAIT)
    assert soak_watch.look(watched.pid) is None
    watched.wait()


def test_a_process_that_fails_says_why(tmp_path):
    command = processes.python('-c', 'print(1, flush=True); raise SystemExit("no disk")')
    with pytest.raises(processes.Failed, match='no disk'):
        list(soak_watch.watch(command, tmp_path, _numbers))


@pytest.mark.parametrize('handler', [signal.default_int_handler, signal.SIG_IGN])
def test_a_process_to_which_nobody_listens_any_more_is_interrupted(handler, tmp_path):
    """SIG_IGN applies when tests run in the background of a shell."""
    code = '''
import time
try:
    print(1, flush=True)
    time.sleep(3600)
except KeyboardInterrupt:
    open("in good order", "w")
'''
    before = signal.signal(signal.SIGINT, handler)
    try:
        samples = soak_watch.watch(processes.python('-c', code), tmp_path, _numbers)
        assert next(samples)['number'] == 1
    finally:
        signal.signal(signal.SIGINT, before)
    samples.close()
    assert (tmp_path / 'in good order').exists()
