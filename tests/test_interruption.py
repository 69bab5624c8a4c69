"""training.interruption: signals end a run in good order."""

import signal

import pytest

from training import interruption


@pytest.mark.parametrize(('signum', 'error', 'status'), [
    (signal.SIGINT, KeyboardInterrupt, None), (signal.SIGTERM, SystemExit, 143)])
def test_the_first_signal_is_noted_and_the_second_ends_the_process(signum, error, status, capfd):
    before = signal.getsignal(signum)
    with interruption.after_iteration() as interrupted:
        assert not interrupted
        signal.raise_signal(signum)
        assert interrupted
        assert 'finishing the iteration' in capfd.readouterr().err
        with pytest.raises(error) as caught:
            signal.raise_signal(signum)
        assert getattr(caught.value, 'code', None) == status
        with pytest.raises(error):
            interrupted.leave()
    assert signal.getsignal(signum) is before


def test_where_all_is_saved_the_first_signal_ends_the_process():
    with interruption.after_iteration() as interrupted:
        with interrupted.saved(), pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGTERM)
        assert interrupted
