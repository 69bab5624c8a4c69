"""Says which of the packages that everything here needs are missing, and what installs them."""

import importlib.util
import os
import signal
import sys

_PACKAGES = {'numpy': 'numpy', 'PIL': 'pillow', 'requests': 'requests', 'scipy': 'scipy'}  # by module
ADVICE = '`make setup` installs everything into .venv, and `source .venv/bin/activate` selects it'


def check():
    """Look for the packages that load with dnnlib, and load NumPy.

    Raises ImportError if one is missing or NumPy is broken. A script or `python -m` exits with status 2 and
    a line instead.
    """
    is_program = sys.argv[0] == '-m' or 'script_start' in sys.modules
    if sys.argv[0] == '-m' and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)  # until `dnnlib.cli.run_script` handles it
    try:
        _load()
    except ImportError as error:
        if not is_program:
            raise
        text = ' '.join(str(error).split())
        print(f'Error: {text}' if ADVICE in text else f'Error: NumPy is broken: {text}; {ADVICE}',
              file=sys.stderr)
        sys.exit(2)


def _load():
    missing = {module: package for module, package in _PACKAGES.items()
               if importlib.util.find_spec(module) is None}
    if missing:
        raise ModuleNotFoundError(
            f'not installed in {sys.executable}: {", ".join(missing.values())}; {ADVICE}',
            name=next(iter(missing)))
    importlib.import_module('numpy')


def _interrupt(_signum, _frame):
    print('Interrupted.', file=sys.stderr, flush=True)
    os._exit(130)  # An exception could get lost in C code that is being loaded.
