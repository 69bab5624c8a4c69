"""What every script imports before all else: while modules load, and in too small an address space, a script
ends with one line, too.

The import has its effect where the main program is a script of this folder, and none elsewhere.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import signal
import sys
import tempfile

try:
    import resource
except ImportError:  # Windows
    resource = None

LEAST_BYTES = 1 << 31  # Of addresses: to load TensorFlow takes 1.2 GB, to read a data set 2 GB. On two cores.
HINT = ('TensorFlow needs 2 GB before any work, a small training 2.5 GB, and more with every core; raise the '
        'limit (ulimit -v unlimited)')
_SENT_BY_KERNEL = 0x80  # SI_KERNEL: by the terminal to the whole process group.
_PR_SET_PDEATHSIG = 1
_GPU_DEVICES = ('/dev/nvidia0', '/dev/dxg')  # of Linux and of its subsystem on Windows
_NOISE = (b'before absl::InitializeLog()', b'oneDNN custom operations are on')
_NOISE_WITHOUT_GPU = (b'cudart_stub.cc', b'cuda_platform.cc', b'cuda_diagnostics.cc')


def _second_stderr():
    """stderr once more: it stays what it is while that is held back."""
    try:
        return os.dup(2)
    except OSError:  # closed
        return 2


_STDERR = _second_stderr()


class _Announcement(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Says that TensorFlow is loaded, wherever that begins, and if there is no GPU, in place of TensorFlow's
    own lines about that."""

    def find_spec(self, name, path=None, target=None):
        """Leave the search to the others, and load what they find."""
        if name != 'tensorflow':
            return None
        sys.meta_path.remove(self)
        _say('Loading TensorFlow...')
        spec = importlib.util.find_spec(name)
        if spec is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec):
        """As the module's own loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module):
        """Load, and see whether there are GPUs, which TensorFlow has lines about when it looks first."""
        module.__spec__.loader = module.__loader__ = self._loader
        with _without_lines_about_itself():
            self._loader.exec_module(module)
            has_gpu = module.config.list_physical_devices('GPU')
        if not has_gpu:
            _say('There is no GPU that TensorFlow can use: the CPU does everything.')


@contextlib.contextmanager
def _without_lines_about_itself():
    """Hold back stderr, and leave out TensorFlow's lines that look like failures and are none: at this time
    they heed no level. With TF_CPP_MIN_LOG_LEVEL=0 or 1 everything is shown."""
    if os.environ.get('TF_CPP_MIN_LOG_LEVEL') in ('0', '1'):
        yield
        return
    left_out = _NOISE if any(map(os.path.exists, _GPU_DEVICES)) else _NOISE + _NOISE_WITHOUT_GPU
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(_STDERR, 2)
            file.seek(0)
            os.write(2, b''.join(line for line in file if not any(part in line for part in left_out)))


def begin():
    """Ctrl-C ends the process until `dnnlib.cli.run_script` takes over, TensorFlow is announced when it is
    loaded, and a limited address space is watched over."""
    sys.meta_path.insert(0, _Announcement())
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
    os.write(_STDERR, f'{line}\n'.encode())


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
