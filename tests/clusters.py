"""Run clusters of processes on this machine, for tests."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
HANGS = 600  # Seconds after which a process counts as hanging, even on a slow machine.


def free_addresses(count):
    """Return addresses with unused ports."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(('127.0.0.1', 0))) for _ in range(count)]
        return [f'127.0.0.1:{each.getsockname()[1]}' for each in sockets]


def tf_config(addresses, index):
    """Return TF_CONFIG for a worker."""
    return json.dumps({'cluster': {'worker': addresses}, 'task': {'type': 'worker', 'index': index}})


def start(arguments, addresses, index):
    """Start a Python process as a worker. With one address, it trains alone."""
    environ = {**os.environ, 'TF_CONFIG': tf_config(addresses, index), 'TF_CPP_MIN_LOG_LEVEL': '3',
               'PYTHONUNBUFFERED': '1', 'PYTHONPATH': str(ROOT)}
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environ, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@contextlib.contextmanager
def cluster(arguments, count, absent=()):
    """Start a cluster and kill all its processes at the end. -> (processes, addresses)."""
    addresses = free_addresses(count)
    processes = [start(arguments, addresses, index) for index in range(count) if index not in absent]
    try:
        yield processes, addresses
    finally:
        for process in processes:
            process.kill()  # also works for a stopped process
            process.communicate()


def finish(process):
    """Wait for the end of a process. -> status, output, error lines without TensorFlow's startup messages."""
    output, errors = process.communicate(timeout=HANGS)
    noise = ('WARNING: All log messages', 'I0000', 'E0000', 'W0000')
    return process.returncode, output, [line for line in errors.splitlines() if not line.startswith(noise)]


def wait_for_line(process, beginning):
    """Read the output of a process up to a line that begins like this."""
    for line in process.stdout:
        if line.startswith(beginning):
            return
    raise AssertionError(f'no line {beginning!r}; errors: {process.stderr.read()}')


def stop(process):
    """Stop a process with SIGSTOP and wait until it has stopped."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
