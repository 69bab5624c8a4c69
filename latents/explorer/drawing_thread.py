"""The one thread that draws. Of several requests for the same place, only the newest is drawn."""

import concurrent.futures
import itertools
import threading

QUICK, FULL, THUMBNAIL, FRAME = range(4)  # priorities, the most urgent first


class Superseded(Exception):
    """A newer request has taken the place of this one."""


class DrawingThread:
    """Runs functions one after the other, the most urgent first, in the session that it is given."""

    def __init__(self, session):
        """Start the thread."""
        self._session = session
        self._pending = {}  # {slot: (priority, order, function, future)}
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._is_open = True
        self._thread = threading.Thread(target=self._work, name='drawing', daemon=True)
        self._thread.start()

    def ask(self, slot, priority, function):
        """Return the future result of `function()`.

        slot: place of the picture in a page. A request for it that waits is dropped, and its future raises
        Superseded, as all do after `stop`.
        """
        future = concurrent.futures.Future()
        with self._changed:
            *_, dropped = self._pending.pop(slot, [None])
            if self._is_open:
                self._pending[slot] = priority, next(self._order), function, future
                self._changed.notify()
            else:
                dropped = future
        if dropped is not None:
            _drop(dropped)
        return future

    def stop(self):
        """Drop the requests that wait and all later ones."""
        with self._changed:
            self._is_open = False
            dropped, self._pending = list(self._pending.values()), {}
            self._changed.notify()
        for *_, future in dropped:
            _drop(future)

    def close(self):
        """Stop, and wait for the picture that is being drawn."""
        self.stop()
        self._thread.join()

    def _next(self):
        """Wait for the most urgent request -> (function, future); None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or not self._is_open)
            if not self._is_open:
                return None
            slot = min(self._pending, key=lambda slot: self._pending[slot][:2])
            return self._pending.pop(slot)[2:]

    def _work(self):
        with self._session.graph.as_default(), self._session.as_default():
            while (request := self._next()) is not None:
                function, future = request
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    future.set_result(function())
                except Exception as error:  # belongs to whoever asked
                    future.set_exception(error)


def _drop(future):
    if future.set_running_or_notify_cancel():
        future.set_exception(Superseded())
