"""Count together in several processes, step by step, as a stand-in for training.

The launcher of a run directory calls `count`. With --resume=RUN_DIR, the process resumes from the state
there.
"""

import contextlib
import json
import os
import pathlib
import pickle
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import dnnlib  # noqa: E402
from dnnlib.files import atomic_write  # noqa: E402
from dnnlib.submission.slurm import target  # noqa: E402
from dnnlib.util import Logger  # noqa: E402

STATE = 'state.json'


def count(total_steps: int, seconds_per_step: float) -> None:
    """Count to `total_steps`. On SIGTERM, finish the step and exit with the status that requeues the job."""
    addresses, index = _workers()
    if index > 0:
        _answer(addresses[0])
        return
    stopped = []
    signal.signal(signal.SIGTERM, lambda signum, frame: stopped.append(signum))
    with _peers(addresses) as peers:
        step = _saved_step()
        while step < total_steps and not stopped and not _aborted():
            for peer in peers:
                _step_of(peer)
            time.sleep(seconds_per_step)
            step += 1
            print(f'step {step} of {1 + len(peers)} tasks')
            _save(step)
        for peer in peers:
            peer.sendall(b'75' if stopped else b'00')
    if stopped:
        sys.exit(target.REQUEUE_STATUS)


def _workers():
    config = json.loads(os.environ['TF_CONFIG'])
    assert config['task']['type'] == 'worker'
    return config['cluster']['worker'], config['task']['index']


def _host_and_port(address):
    host, port = address.split(':')
    return host, int(port)


@contextlib.contextmanager
def _peers(addresses):
    """Accept connections from all other tasks at the address of the first."""
    with socket.create_server(_host_and_port(addresses[0])) as server, contextlib.ExitStack() as open_ones:
        server.settimeout(600)
        yield [open_ones.enter_context(server.accept()[0]) for _ in addresses[1:]]


def _step_of(peer):
    """Let another task do a step. Exits if that task is lost or hangs."""
    peer.settimeout(3)
    try:
        peer.sendall(b'go')
        assert peer.recv(2) == b'ok'
    except (OSError, AssertionError):
        print('a task is lost')
        sys.exit(target.REQUEUE_STATUS)


def _answer(address):
    """Follow the first task until it sends an exit status."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    deadline = time.monotonic() + 600
    while True:
        try:
            connection = socket.create_connection(_host_and_port(address))
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    with connection:
        while (told := connection.recv(2)) == b'go':
            connection.sendall(b'ok')
    sys.exit(int(told))


def _aborted():
    context = dnnlib.RunContext.get()
    context.update()
    return context.should_stop()


def _saved_step():
    path = dnnlib.make_run_dir_path(STATE)
    if not os.path.exists(path):
        return 0
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def _save(step):
    with atomic_write(dnnlib.make_run_dir_path(STATE), 'w') as file:
        json.dump(step, file)


def resume(run_dir: str) -> None:
    """Resume in a run directory."""
    with open(os.path.join(run_dir, 'submit_config.pkl'), 'rb') as file:
        submit_config = pickle.load(file)
    dnnlib.submit_config = submit_config
    log = os.path.join(run_dir, 'log.txt') if _workers()[1] == 0 else None
    with Logger(log, 'a'):
        if log is not None:
            print(f'resumed after start {os.environ.get("SLURM_RESTART_COUNT", "0")}')
        count(**submit_config.run_func_kwargs)


if __name__ == '__main__':
    resume(sys.argv[1].removeprefix('--resume='))
