"""Says which of the packages that everything here needs are missing, and what installs them."""

import importlib.util
import sys

_PACKAGES = {'numpy': 'numpy', 'PIL': 'pillow', 'requests': 'requests', 'scipy': 'scipy'}  # by module
ADVICE = '`make setup` installs everything into .venv, and `source .venv/bin/activate` selects it'


def check():
    """Look for the packages that load with dnnlib.

    Raises ModuleNotFoundError without one. A script or `python -m` exits with status 2 and a line instead.
    """
    missing = {module: package for module, package in _PACKAGES.items()
               if importlib.util.find_spec(module) is None}
    if not missing:
        return
    line = f'not installed in {sys.executable}: {", ".join(missing.values())}; {ADVICE}'
    if sys.argv[0] == '-m' or 'script_start' in sys.modules:
        print(f'Error: {line}', file=sys.stderr)
        sys.exit(2)
    raise ModuleNotFoundError(line, name=next(iter(missing)))
