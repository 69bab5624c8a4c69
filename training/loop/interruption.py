"""SIGINT (Ctrl-C) and SIGTERM (a scheduler that wants the machine back) end a run in good order."""

import contextlib
import os
import signal

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}  # 128 + number, as shells report them

_FINISHING = b'\nInterrupted: finishing the iteration, then saving. Ctrl-C again leaves at once.\n'
_LEAVING = b'\nInterrupted: leaving; the last training state is complete.\n'


class Interruption:
    """Notes the first signal, for the loop to see; true from then on. A second SIGINT raises at once, and so
    does any signal while there is nothing to save. SIGTERM may come twice: schedulers repeat it."""

    def __init__(self):
        self.signal = None
        self._saved = False

    def __bool__(self):
        return self.signal is not None

    def note(self, signum, _frame):
        """The handler of the signals. Does not print: the signal may have come in the middle of that."""
        if self.signal is not None and signum == signal.SIGTERM and not self._saved:
            return
        at_once = self._saved or self.signal is not None
        self.signal = signum
        os.write(2, _LEAVING if at_once else _FINISHING)
        if at_once:
            self.leave()

    def leave(self):
        """Raise what ends the process with the status of the signal."""
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(STATUS[self.signal])

    @contextlib.contextmanager
    def saved(self):
        """While open, all that matters is on the disk: long evaluations need not be waited for."""
        self._saved = True
        try:
            yield
        finally:
            self._saved = False


@contextlib.contextmanager
def after_iteration():
    """Signals let the iteration finish. -> Interruption."""
    interruption = Interruption()
    previous = {}
    try:
        for signum in STATUS:
            previous[signum] = signal.signal(signum, interruption.note)
    except ValueError:  # not the main thread: signals are somebody else's business
        yield interruption
        return
    try:
        yield interruption
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
