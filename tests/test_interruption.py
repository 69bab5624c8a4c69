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
