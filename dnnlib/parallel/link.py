"""Connects the first worker to all others, so that they can agree on values and detect a lost worker.

Plain TCP with one JSON object per line, on the port of the first worker, before TensorFlow's server uses it.
The connections last as long as the run: a worker that is silent or disconnects without saying goodbye ends
the run.
"""

import contextlib
import errno
import json
import os
import queue
import socket
import sys
import threading
import time

from dnnlib.parallel.workers import Workers
from dnnlib.progress import announced
from dnnlib.util import Logger, UserError

REQUEUE_STATUS = 75           # Exit status of a process to be started again; EX_TEMPFAIL of sysexits.h.
LONGEST_PAUSE = 5.0           # Seconds between heartbeats, at most.
LONGEST_WAIT_FOR_PORT = 30.0  # Seconds; an earlier run may still use the port.
GRACE_SECONDS = 1.0           # For a process to end by its own error after another one has ended.
MAX_HELLO_BYTES = 1 << 20


class _Peer:
    """A worker at the other end of a connection."""

    def __init__(self, index, connection):
        self.index = index
        self.connection = connection
        self.lines = connection.makefile('rb')
        self.last_heard = time.monotonic()
        self.inbox = queue.SimpleQueue()    # Values of `gather`.
        self.farewell = threading.Event()
        self._lock = threading.Lock()

    def send(self, kind, **content):
        """Send a message. A broken connection is left to the thread that reads from it."""
        data = json.dumps({'kind': kind, **content}).encode() + b'\n'
        with contextlib.suppress(OSError), self._lock:
            self.connection.sendall(data)

    def first_message(self):
        """Wait for the first message. -> dict, empty for anything that is not a message."""
        with contextlib.suppress(OSError, ValueError):
            message = json.loads(self.lines.readline(MAX_HELLO_BYTES))
            return message if isinstance(message, dict) else {}
        return {}


class WorkerLink:
    """The connections of this process, made by `connect`.

    Threads send and expect heartbeats. If a worker is lost, the process prints one line that names it and
    exits at once with REQUEUE_STATUS.
    """

    def __init__(self, workers: Workers, timeout_seconds: float):
        self.workers = workers
        self.timeout_seconds = timeout_seconds
        self._peers = {}             # index -> _Peer: in the first worker all others, in those the first.
        self._leaving = False        # This process ends by itself, and others may disconnect.
        self._verdict = threading.Lock()

    def gather(self, value) -> list:
        """Return the values of all workers, by index, when all have called this. `value`: valid JSON."""
        if self.workers.is_first:
            values = [value, *(peer.inbox.get() for _, peer in sorted(self._peers.items()))]
            for peer in self._peers.values():
                peer.send('values', values=values)
            return values
        self._peers[0].send('value', value=value)
        return self._peers[0].inbox.get()

    def close(self) -> None:
        """Wait until all workers have called this, then disconnect; the first worker is the last one."""
        if self._leaving:
            return
        if self.workers.is_first:
            for peer in self._peers.values():
                peer.farewell.wait()
            self._leaving = True
        for peer in self._peers.values():
            peer.send('bye')
        for peer in self._peers.values():
            peer.farewell.wait()
        self._leaving = True

    def fail(self, reason: str, status: int) -> None:
        """Send the others the reason why this process ends early, and the status to exit with."""
        if not self._leaving:
            self._leaving = True
            for peer in self._peers.values():
                peer.send('lost', index=self.workers.index, reason=reason, status=status)

    def await_verdict(self, short: bool) -> None:
        """Give the threads time to notice a lost worker, and to exit. `short`: long enough for one that has
        ended, not for one that is silent."""
        time.sleep(3 * GRACE_SECONDS if short else self.timeout_seconds + 2 * self._pause())

    def _pause(self):
        return min(self.timeout_seconds / 5, LONGEST_PAUSE)

    def add(self, peer):
        """Take up a connection that both ends have agreed on."""
        peer.connection.settimeout(None)
        self._peers[peer.index] = peer
        threading.Thread(target=self._read, args=[peer], daemon=True).start()

    def _read(self, peer):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # as good as disconnected
            for line in peer.lines:
                peer.last_heard = time.monotonic()
                self._handle(peer, json.loads(line))
        if not peer.farewell.is_set():
            self.lose(peer.index, 'has ended unexpectedly', grace_seconds=GRACE_SECONDS)

    def _handle(self, peer, message):
        kind = message['kind']
        if kind in ('value', 'values'):
            peer.inbox.put(message[kind])
        elif kind == 'bye':
            peer.farewell.set()
        elif kind == 'lost':
            self.lose(message['index'], message['reason'], message['status'], grace_seconds=GRACE_SECONDS)

    def _watch(self):
        before = time.monotonic()
        while not self._leaving:
            time.sleep(self._pause())
            now = time.monotonic()
            if now - before > self.timeout_seconds / 2:  # this process itself was stopped
                for peer in self._peers.values():
                    peer.last_heard = now
            before = now
            for peer in list(self._peers.values()):
                peer.send('beat')
                if now - peer.last_heard > self.timeout_seconds and not peer.farewell.is_set():
                    self.lose(peer.index, f'has not been heard of for {self.timeout_seconds:g} seconds')

    def lose(self, index, reason, status=REQUEUE_STATUS, grace_seconds=0.0):
        """End this process because of a worker, unless it ends by its own error within the grace."""
        self._verdict.acquire()  # never released after a verdict: there is only one
        time.sleep(grace_seconds)
        if self._leaving:
            self._verdict.release()
            return
        for peer in list(self._peers.values()) if self.workers.is_first else []:
            peer.send('lost', index=index, reason=reason, status=status)
        _end(f'Error: {self.workers.name_of(index)} {reason}', status)


def _end(line, status):
    """Print a line to stderr and to the log, if there is one, and exit, even if that fails."""
    last_resort = threading.Timer(5.0, os._exit, [status])
    last_resort.daemon = True
    last_resort.start()
    try:
        log = sys.stderr.file if isinstance(sys.stderr, Logger) else None
        for stream in filter(None, (log, sys.__stderr__)):
            print(line, file=stream, flush=True)
    finally:
        os._exit(status)


def connect(workers: Workers, settings: dict, timeout_seconds: float) -> WorkerLink:
    """Wait for all workers, which must have the same settings ({name: text}).

    Raises UserError if the port is in use. A worker that does not arrive within `timeout_seconds`, or has
    other settings, ends all processes with a line that names it.
    """
    link = WorkerLink(workers, timeout_seconds)
    deadline = time.monotonic() + timeout_seconds
    threading.Thread(target=link._watch, daemon=True).start()
    hello = {'index': workers.index, 'addresses': list(workers.addresses), 'settings': settings}
    if workers.is_first:
        with announced('Waiting for the other workers...'):
            _await_all(link, hello, deadline)
    else:
        _reach_first(link, hello, deadline)
    link.gather('here')
    return link


def _await_all(link, hello, deadline):
    """Accept a connection from every other worker."""
    workers, misfits = link.workers, []
    with _listen(workers.addresses[0], deadline) as listener:
        while len(link._peers) < workers.count - 1:
            listener.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                missing = [index for index in range(1, workers.count) if index not in link._peers]
                others = ''.join(f', nor {workers.name_of(index)}' for index in missing[1:])
                link.lose(missing[0], f'did not arrive within {link.timeout_seconds:g} seconds{others}')
            misfits.append(_welcome(link, connection, hello))
    for index, reason in filter(None, misfits):  # when all are there and can be told
        link.lose(index, reason, status=2)


def _welcome(link, connection, hello):
    """Keep the connection of a worker of this run, and close any other.

    -> (index, reason) of a worker with other settings, else None.
    """
    connection.settimeout(min(link.timeout_seconds, 5.0))
    peer = _Peer(None, connection)
    theirs = peer.first_message()  # anybody can connect to a port
    index, settings = theirs.get('index'), theirs.get('settings')
    if theirs.get('addresses') != hello['addresses'] or index in (0, *link._peers):
        peer.send('refused', reason='refuses this one, which has other --workers or is a duplicate')
        connection.close()
        return None
    peer.send('heard')
    peer.index = index
    link.add(peer)
    differences = [name for name in sorted({*settings, *hello['settings']})
                   if settings.get(name) != hello['settings'].get(name)]
    if differences:
        theirs, ours = settings.get(differences[0]), hello['settings'].get(differences[0])
        return index, f'has different settings: {differences[0]} is {theirs}, but {ours} in worker 0'
    return None


def _listen(address, deadline):
    """Open a listening socket on the port of an address. Raises UserError if the port remains in use."""
    port = int(address.rpartition(':')[2])
    dual = socket.has_dualstack_ipv6()
    deadline = min(deadline, time.monotonic() + LONGEST_WAIT_FOR_PORT)
    while True:
        try:
            return socket.create_server(('', port), family=socket.AF_INET6 if dual else socket.AF_INET,
                                        dualstack_ipv6=dual)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise UserError(f'{address}: the first worker cannot listen there '
                                f'({os.strerror(error.errno)}); choose another port') from error
        time.sleep(0.2)


def _reach_first(link, hello, deadline):
    """Connect to the first worker as soon as it listens."""
    while True:
        peer = _introduce(link, hello, deadline)
        if peer is not None:
            link.add(peer)
            return
        if time.monotonic() > deadline:
            link.lose(0, f'did not arrive within {link.timeout_seconds:g} seconds')
        time.sleep(min(0.2, link.timeout_seconds / 20))


def _introduce(link, hello, deadline):
    """Connect to the first worker. -> _Peer; None if it does not listen, or another program does."""
    host, _, port = link.workers.addresses[0].rpartition(':')
    try:
        connection = socket.create_connection((host.strip('[]'), int(port)), timeout=5.0)
    except OSError:
        return None
    if connection.getsockname() == connection.getpeername():  # TCP can connect a free port to itself
        connection.close()
        return None
    connection.settimeout(max(deadline - time.monotonic(), 5.0))
    peer = _Peer(0, connection)
    peer.send('hello', **hello)
    answer = peer.first_message()
    if answer.get('kind') == 'refused':
        link.lose(0, answer.get('reason'), status=2)
    if answer.get('kind') == 'heard':
        return peer
    connection.close()  # an earlier run, whose server still uses that port
    return None
