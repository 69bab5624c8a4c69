"""Prepares a script for the seconds in which modules load; every script imports this first.

Ctrl-C ends the process with one line, loading TensorFlow is announced, and an address space that is too small
for it is refused, and so are missing packages. The import has no effect unless the main program is a script
of this folder.
"""

import contextlib
import functools
import importlib.util
import os
import signal
import sys
import tempfile

try:
    import resource
except ImportError:  # Windows
    resource = None

LEAST_BYTES = 1 << 31  # On two cores, loading TensorFlow takes 1.2 GB of addresses, reading a data set 2 GB.
_STDERR = 2
with contextlib.suppress(OSError):  # closed
    _STDERR = os.dup(2)  # remains stderr while that is filtered
_GPU_DEVICES = ('/dev/nvidia0', '/dev/dxg')  # Linux, and Linux on Windows
_NOISE = (b'before absl::InitializeLog()', b'oneDNN custom operations are on')
_NOISE_WITHOUT_GPU = (b'cudart_stub.cc', b'cuda_platform.cc', b'cuda_diagnostics.cc')


class _TensorFlowFinder:
    """Import hook that announces TensorFlow, wherever its import begins, and says if there is no GPU."""

    def find_spec(self, name, path=None, target=None):
        """Return the spec of TensorFlow with a loader that filters stderr, and None for other modules."""
        if name != 'tensorflow':
            return None
        sys.meta_path.remove(self)
        _say('Loading TensorFlow...')
        spec = importlib.util.find_spec(name)
        if spec is not None:
            spec.loader.exec_module = functools.partial(_load_quietly, spec.loader.exec_module)
        return spec


def _load_quietly(exec_module, module):
    with _filtered_stderr():
        exec_module(module)
        has_gpu = module.config.list_physical_devices('GPU')  # TensorFlow logs when it first looks for one
    if not has_gpu:
        _say('There is no GPU that TensorFlow can use: the CPU does everything.')


@contextlib.contextmanager
def _filtered_stderr():
    """Drop the lines of TensorFlow's start that look like failures and are none.

    No log level applies to them yet. TF_CPP_MIN_LOG_LEVEL=0 or 1 shows everything.
    """
    if os.environ.get('TF_CPP_MIN_LOG_LEVEL') in ('0', '1'):
        yield
        return
    noise = _NOISE if any(map(os.path.exists, _GPU_DEVICES)) else _NOISE + _NOISE_WITHOUT_GPU
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115  (below)
    except OSError:  # nowhere to put it
        yield
        return
    with file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(_STDERR, 2)
            file.seek(0)
            os.write(2, b''.join(line for line in file if not any(text in line for text in noise)))


def _interrupt(_signum, _frame):
    _say('Interrupted.')
    os._exit(130)  # An exception could get lost in C++ code that is being loaded.


def _say(line):
    os.write(_STDERR, f'{line}\n'.encode())


def begin():
    """Handle Ctrl-C until `dnnlib.cli.run_script` does, and exit if the address space is too small or
    packages are missing."""
    sys.meta_path.insert(0, _TensorFlowFinder())
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    limit = -1 if resource is None else resource.getrlimit(resource.RLIMIT_AS)[0]  # -1: unlimited
    if 0 <= limit < LEAST_BYTES:
        _say(f'Error: the address space is limited to {limit / 2 ** 30:.1f} GB (ulimit -v); TensorFlow needs '
             '2 GB, a small training 2.5 GB, and more with every core; raise the limit (ulimit -v unlimited)')
        sys.exit(2)
    import dnnlib  # noqa: F401  (looks for required packages)


_main_file = getattr(sys.modules['__main__'], '__file__', None)
if _main_file is not None and os.path.dirname(os.path.abspath(_main_file)) == os.path.dirname(__file__):
    begin()
