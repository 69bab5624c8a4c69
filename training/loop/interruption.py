"""SIGINT (Ctrl-C) and SIGTERM (sent by schedulers) end a run after the iteration, with everything saved."""

import contextlib
import os
import signal

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}  # 128 + number, as shells report them

_FINISHING = b'\nInterrupted: finishing the iteration, then saving. Press Ctrl-C again to exit at once.\n'
_EXITING = b'\nInterrupted: exiting; the last training state is complete.\n'


class Interruption:
    """Records the first signal; is true afterwards. A second SIGINT raises at once, and so does any signal
    while everything is saved. A second SIGTERM is ignored: schedulers repeat it."""

    def __init__(self):
        self.signal = None
        self._saved = False

    def __bool__(self):
        return self.signal is not None

    def note(self, signum, _frame):
        """Handle a signal. It may have arrived within a print(), so that this does not print."""
        if self.signal is not None and signum == signal.SIGTERM and not self._saved:
            return
        at_once = self._saved or self.signal is not None
        self.signal = signum
        os.write(2, _EXITING if at_once else _FINISHING)
        if at_once:
            self.leave()

    def leave(self):
        """Raise the exception that ends the process with the status of the signal."""
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(STATUS[self.signal])

    @contextlib.contextmanager
    def saved(self):
        """Let signals end the process immediately in this context, because everything has been saved."""
        self._saved = True
        try:
            yield
        finally:
            self._saved = False


@contextlib.contextmanager
def at_once():
    """Let SIGTERM and SIGHUP (a closed terminal) end this context by SystemExit with their status, so that
    `finally` clauses run, as they do for SIGINT. Further ones are ignored in this context: schedulers repeat
    them. What is ignored outside, as `nohup` does, remains so."""
    handled = [signum for signum in (signal.SIGTERM, signal.SIGHUP)
               if signal.getsignal(signum) is not signal.SIG_IGN]

    def leave(signum, _frame):
        for each in handled:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + signum)

    previous = {signum: signal.signal(signum, leave) for signum in handled}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


@contextlib.contextmanager
def after_iteration():
    """Handle signals in this context by letting the iteration finish. -> Interruption."""
    interruption = Interruption()
    previous = {}
    with contextlib.suppress(ValueError):  # only the main thread can handle signals
        for signum in STATUS:
            previous[signum] = signal.signal(signum, interruption.note)
    try:
        yield interruption
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
