"""Test training.loop.interruption: signals end a run properly."""

import signal

import pytest

from training.loop import interruption


@pytest.mark.parametrize(('signum', 'error', 'status'), [
    (signal.SIGINT, KeyboardInterrupt, None), (signal.SIGTERM, SystemExit, 143)])
def test_the_first_signal_is_noted_and_a_second_interrupt_ends_the_process(signum, error, status, capfd):
    before = signal.getsignal(signum)
    with interruption.after_iteration() as interrupted:
        assert not interrupted
        signal.raise_signal(signum)
        assert interrupted
        assert 'finishing the iteration' in capfd.readouterr().err
        if signum == signal.SIGTERM:
            signal.raise_signal(signum)  # schedulers may repeat the signal
        else:
            with pytest.raises(error):
                signal.raise_signal(signum)
        with pytest.raises(error) as caught:
            interrupted.leave()
        assert getattr(caught.value, 'code', None) == status
    assert signal.getsignal(signum) is before


def test_where_all_is_saved_the_first_signal_ends_the_process():
    with interruption.after_iteration() as interrupted:
        with interrupted.saved(), pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGTERM)
        assert interrupted


@pytest.mark.parametrize(('signum', 'status'), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_work_without_a_state_ends_at_once_and_signals_come_again_without_effect(signum, status):
    before = signal.getsignal(signum)
    with pytest.raises(SystemExit) as exit_info, interruption.at_once():
        try:
            signal.raise_signal(signum)
        finally:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
    assert exit_info.value.code == status
    assert signal.getsignal(signum) is before


def test_a_signal_that_is_ignored_outside_remains_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with interruption.at_once():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
