"""Processes on this machine that form a cluster, for tests."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
HANGS = 600  # Seconds after which a process that should end is taken to hang, however slow the machine is.


def free_addresses(count):
    """Addresses of ports that nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(('127.0.0.1', 0))) for _ in range(count)]
        return [f'127.0.0.1:{each.getsockname()[1]}' for each in sockets]


def tf_config(addresses, index):
    """TF_CONFIG of a worker."""
    return json.dumps({'cluster': {'worker': addresses}, 'task': {'type': 'worker', 'index': index}})


def start(arguments, addresses, index):
    """A Python process that is a worker; alone, if there is one address."""
    environ = {**os.environ, 'TF_CONFIG': tf_config(addresses, index), 'TF_CPP_MIN_LOG_LEVEL': '3',
               'PYTHONUNBUFFERED': '1', 'PYTHONPATH': str(ROOT)}
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environ, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@contextlib.contextmanager
def cluster(arguments, count, absent=()):
    """-> (processes, addresses); none of them is left afterwards."""
    addresses = free_addresses(count)
    processes = [start(arguments, addresses, index) for index in range(count) if index not in absent]
    try:
        yield processes, addresses
    finally:
        for process in processes:
            process.kill()  # a stopped one, too
            process.communicate()


def finish(process):
    """-> status, output, lines of errors without those of TensorFlow's start."""
    output, errors = process.communicate(timeout=HANGS)
    noise = ('WARNING: All log messages', 'I0000', 'E0000', 'W0000')
    return process.returncode, output, [line for line in errors.splitlines() if not line.startswith(noise)]


def wait_for_line(process, beginning):
    """Read the output of a process up to a line with this beginning."""
    for line in process.stdout:
        if line.startswith(beginning):
            return
    raise AssertionError(f'no line {beginning!r}; errors: {process.stderr.read()}')


def stop(process):
    """SIGSTOP, which is in force when this returns."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
