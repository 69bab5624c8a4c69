"""What every script imports before all else: while modules load, and in too small an address space, a script
ends with one line, too.

The import has its effect where the main program is a script of this folder, and none elsewhere.
"""

import os
import signal
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None

LEAST_BYTES = 1 << 31  # Of addresses: to load TensorFlow takes 1.2 GB, to read a data set 2 GB. On two cores.
HINT = ('TensorFlow needs 2 GB before any work, a small training 2.5 GB, and more with every core; raise the '
        'limit (ulimit -v unlimited)')
_SENT_BY_KERNEL = 0x80  # SI_KERNEL: by the terminal to the whole process group.
_PR_SET_PDEATHSIG = 1


def begin():
    """Ctrl-C ends the process until `dnnlib.cli.run_script` takes over, and a limited address space is
    watched over."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    limit = address_space_limit()
    if limit is None:
        return
    if limit < LEAST_BYTES:
        _say(f'Error: the address space is limited to {limit / 2 ** 30:.1f} GB (ulimit -v); {HINT}')
        sys.exit(2)
    if sys.platform == 'linux':
        _watch_over(limit)


def address_space_limit():
    """Bytes of addresses that this process may have; None = as many as there are."""
    soft = -1 if resource is None else resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if resource is None or soft == resource.RLIM_INFINITY else soft


def _leave(_signum, _frame):
    _say('Interrupted.')
    os._exit(130)  # No exception: C++ code that is being loaded could make another one of it.


def _say(line):
    os.write(2, f'{line}\n'.encode())


def _watch_over(limit):
    """Go on in a child process. This one passes signals on, waits, and ends as it does.

    TensorFlow's threads and small allocations end a process that has no addresses left, without an exception:
    only another process can say what has happened.
    """
    signals = {signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    child = os.fork()
    if child == 0:
        import ctypes
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # It does not outlive this process.
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return
    status = _wait_for(child, signals)
    if status in (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, 127):  # 127: no memory for a thread
        _say(f'Error: out of memory: the address space is limited to {limit / 2 ** 30:.1f} GB (ulimit -v); '
             f'{HINT}, or lower --minibatch-gpu; training states are whole')
        os._exit(2)
    os._exit(status if status >= 0 else 128 - status)


def _wait_for(child, signals):
    """-> its exit status, or minus the number of the signal that ended it."""
    while True:
        info = signal.sigwaitinfo(signals)
        if info.si_signo != signal.SIGCHLD:
            if info.si_code != _SENT_BY_KERNEL:  # else the child has it already
                os.kill(child, info.si_signo)
            continue
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def _is_script(main):
    path = getattr(main, '__file__', None)
    return path is not None and os.path.dirname(os.path.abspath(path)) == os.path.dirname(__file__)


if _is_script(sys.modules['__main__']):
    begin()
