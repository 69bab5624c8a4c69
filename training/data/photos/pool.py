"""Calls a function for many files in several processes, and yields its results in order.

The function returns objects with `parts`, a list of (shape, bytes) or None. Megabytes of bytes come through
shared memory, one slot of it for each task in flight: through a pipe they would take as long as decoding.
"""

import collections
import contextlib
import ctypes
import itertools
import multiprocessing
import multiprocessing.resource_tracker
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from dnnlib.util import UserError

TASKS_PER_PROCESS = 3       # in flight
BYTES_OF_TASK = 1 << 20     # Small images share a task, ...
MAX_NAMES_IN_TASK = 8       # ... up to so many.

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_MAX_MMAP_THRESHOLD = 32 << 20                 # bytes

_state = {}  # in a worker process: 'function' and 'memory'


class Pool:
    """Processes that call a function. They start at once, and end with the block of a `with` statement.

    function: picklable; result_bytes: what its `parts` usually take. Raises UserError if a process dies.
    """

    def __init__(self, function, result_bytes, jobs):
        self._names_in_task = max(1, min(MAX_NAMES_IN_TASK, BYTES_OF_TASK // result_bytes))
        self._slot_bytes = self._names_in_task * result_bytes
        num_slots = TASKS_PER_PROCESS * jobs
        context = multiprocessing.get_context('spawn')  # forks of a process with TensorFlow's threads hang
        memory = context.RawArray('B', num_slots * self._slot_bytes)
        self._memory = memoryview(memory).cast('B')
        self._free = collections.deque(range(num_slots))
        self._executor = ProcessPoolExecutor(jobs, context, _begin, (function, memory))
        with _interrupts_held():  # so that Ctrl-C is not handled by processes that are starting
            for _ in range(jobs):
                self._executor.submit(int)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._executor.shutdown(wait=True, cancel_futures=True)

    def results(self, names):
        """Yield (name, result) in the order of the names. Bytes of a result are valid until the next one."""
        tasks = collections.deque()
        names = iter(names)
        try:
            while True:
                while self._free and (chunk := list(itertools.islice(names, self._names_in_task))):
                    slot = self._free.popleft()
                    future = self._executor.submit(_work, slot * self._slot_bytes, self._slot_bytes, chunk)
                    tasks.append((slot, chunk, future))
                if not tasks:
                    return
                slot, chunk, future = tasks.popleft()
                for name, result in zip(chunk, future.result(), strict=True):
                    yield name, self._in_memory(result)
                self._free.append(slot)
        except BrokenProcessPool as error:
            raise UserError('a worker process has died, probably for lack of memory; use fewer with '
                            '--jobs=N, or --jobs=1 to see at which file it happens') from error

    def _in_memory(self, result):
        if result.parts is not None:
            result.parts = [(shape, self._memory[data] if isinstance(data, slice) else data)
                            for shape, data in result.parts]
        return result


@contextlib.contextmanager
def _interrupts_held():
    """Hold SIGINT back in the block and, for good, in the processes that are started in it."""
    if not hasattr(signal, 'pthread_sigmask'):
        yield
        return
    multiprocessing.resource_tracker.ensure_running()  # its start would let SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(function, memory):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends the work
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _keep_freed_memory()
    _state.update(function=function, memory=memoryview(memory).cast('B'))


def _keep_freed_memory():
    """Let glibc keep the memory of images for the next ones: giving it back and getting it anew takes a
    quarter of the time of a worker. Without effect in other C libraries."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _MAX_MMAP_THRESHOLD)
        mallopt(_M_TRIM_THRESHOLD, 8 * _MAX_MMAP_THRESHOLD)


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def _work(start, num_bytes, names):
    """Call the function for each name, and move the bytes of the results into shared memory."""
    results = [_state['function'](name) for name in names]
    end = start + num_bytes
    for result in results:
        for index, (shape, data) in enumerate(result.parts or []):
            if start + len(data) > end:
                result.parts[index] = shape, bytes(data)  # more than usual: it goes through the pipe
                continue
            _state['memory'][start:start + len(data)] = data
            result.parts[index] = shape, slice(start, start + len(data))
            start += len(data)
    return results
