"""Test that long work reports its progress and short work prints nothing."""

import io
import sys
import threading
import time

import pytest

from dnnlib import progress
from dnnlib.progress import Progress, announced, shown


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that only the test advances: [seconds]."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
    monkeypatch.setattr(sys, '__stderr__', io.StringIO())
    return now


def test_what_is_over_within_two_seconds_says_nothing(clock, capsys):
    work = Progress(10, 'images')
    clock[0] += 1.9
    work.show(9)
    assert capsys.readouterr().out == ''


def test_lines_come_after_two_seconds_and_then_every_half_minute(clock, capsys):
    work = Progress(100, 'images', title='Drawing fakes.png')
    lines = []
    for second in range(1, 67):
        clock[0] += 1
        work.show(second)
        if line := capsys.readouterr().out:
            lines.append((second, line))
    assert lines == [
        (2, 'Drawing fakes.png: 2 / 100 images, about 1m 38s left\n'),
        (32, 'Drawing fakes.png: 32 / 100 images, about 1m 08s left\n'),
        (62, 'Drawing fakes.png: 62 / 100 images, about 38s left\n')]


def test_on_a_terminal_one_line_is_overwritten(clock, monkeypatch):
    monkeypatch.setattr(sys.__stderr__, 'isatty', lambda: True)
    work = Progress(None, 'images')
    for count in (2, 3):
        clock[0] += 2
        work.show(count)
    assert sys.__stderr__.getvalue() == f'{"2 images":60s}\r{"3 images":60s}\r'


def test_time_left_is_reckoned_from_the_restart(clock, capsys):
    work = Progress(10, 'kimg', start=10)
    clock[0] += 50
    work.show(1.0)
    work.restart(2.0)
    clock[0] += 30
    work.show(3.0)
    assert capsys.readouterr().out == '1.000 / 10 kimg\n3.000 / 10 kimg, about 3m 30s left\n'


def test_items_are_shown_as_they_are_done(clock, capsys):
    for _ in shown('abc', 'Checking', 'images'):
        clock[0] += 3
    assert capsys.readouterr().out == 'Checking: 1 / 3 images, about 6s left\n'


def test_work_in_one_piece_is_announced_if_it_takes_long(monkeypatch, capsys):
    with announced('Saving a.pkl...'):
        pass
    monkeypatch.setattr(progress, 'SECONDS_OF_SILENCE', 0.01)
    with announced('Saving b.pkl...'):
        while not (said := capsys.readouterr().out):
            time.sleep(0.01)
    assert said + capsys.readouterr().out == 'Saving b.pkl...\n'


def test_long_work_in_one_piece_tells_the_time_so_far(monkeypatch, capsys):
    monkeypatch.setattr(progress, 'SECONDS_OF_SILENCE', 0.01)
    monkeypatch.setattr(progress, 'SECONDS_BETWEEN_LINES', 0.01)
    said = ''
    with announced('Saving a.pkl...'):
        while said.count('\n') < 3:
            said += capsys.readouterr().out
            time.sleep(0.01)
    first, second, *_ = said.splitlines()
    assert (first, second) == ('Saving a.pkl...', 'Saving a.pkl... 0s so far')


def test_an_announcement_that_has_begun_ends_before_the_next_line(monkeypatch):
    begun = threading.Event()

    class SlowOutput(io.StringIO):
        def write(self, text):
            begun.set()
            time.sleep(0.05)
            return super().write(text)

    monkeypatch.setattr(sys, 'stdout', SlowOutput())
    monkeypatch.setattr(progress, 'SECONDS_OF_SILENCE', 0.0)
    with announced('Saving a.pkl...'):
        begun.wait()
    print('tick 1')
    assert sys.stdout.getvalue() == 'Saving a.pkl...\ntick 1\n'


def test_an_announcement_that_nobody_can_read_is_no_traceback(monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            raise BrokenPipeError

    monkeypatch.setattr(progress, 'SECONDS_OF_SILENCE', 0.01)
    monkeypatch.setattr(sys, 'stdout', Full())
    failures = []
    monkeypatch.setattr(threading, 'excepthook', failures.append)
    with announced('Saving a.pkl...'):
        time.sleep(0.1)
    assert failures == []
