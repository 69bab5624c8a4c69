"""Running the source text of the build function's module that old pickles hold.

That is other people's code, which can do whatever this process may do: it runs only if the user trusts the
file. The text, and nothing else, sees `tensorflow`, `numpy` and `dnnlib` through the bridges of
`tensorflow_names`.
"""

import builtins
import functools
import hashlib
import inspect
import io
import linecache
import sys
import traceback
import types
import warnings

from dnnlib.pickles import source_text
from dnnlib.tflib.legacy import tensorflow_names
from dnnlib.util import UserError, get_obj_from_module

_PREFIX = '_tflib_network_import_'
_texts = {}  # {name of a module: source text that it was made from}


def build_function(source_text: str, func_name: str):
    """Execute the text as a module, once per process, and return its function of this (dotted) name.

    `tflib.Network` takes the function as that of any module, and stores the same text again. Raises UserError
    if the text fails, with the line, or if there is no such function.
    """
    module = _module(source_text, func_name)
    try:
        func = get_obj_from_module(module, func_name)
    except AttributeError:
        func = None
    if not callable(func):
        own = inspect.getmembers(module, lambda obj: getattr(obj, '__module__', None) == module.__name__)
        raise UserError(f'the network source has no function {func_name!r}; it defines '
                        f'{", ".join(name for name, _ in own) or "none"}')
    return func


def source_of(module) -> str:
    """Return the text to store of a network whose build function is in this module: for a module
    created here, exactly the text it was created from. Raises OSError if there is no text."""
    return _texts[module.__name__] if module.__name__ in _texts else source_text.of_module(module)


def line_of(error: BaseException) -> str:
    """Return the last line of a network source in a traceback, 'line 12 (x = tf.foo())'; '' if there is
    none."""
    if isinstance(error, SyntaxError) and str(error.filename).startswith(_PREFIX):
        return f'line {error.lineno} ({(error.text or "").strip()})'
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(_PREFIX)]
    return f'line {frames[-1].lineno} ({frames[-1].line})' if frames else ''


def _module(text, func_name):
    """Execute the text and return it as a module."""
    encoded = text.encode('utf-8', 'surrogatepass')
    name = _PREFIX + hashlib.sha256(encoded).hexdigest()[:32]
    if name in _texts:
        return sys.modules[name]
    module = types.ModuleType(name)
    module.__dict__['__builtins__'] = {**vars(builtins), '__import__': _import}
    sys.modules[name] = module
    # For tracebacks; without a time stamp the entry is not compared with any file.
    linecache.cache[name] = (len(text), None, io.StringIO(text).readlines(), name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # For example of invalid escape sequences.
            code = compile(text, name, 'exec', dont_inherit=True)
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:  # Whatever the text does.
        sys.modules.pop(name, None)
        line = line_of(error)
        reason = f'{type(error).__name__}: {error}'.splitlines()[0]
        raise UserError(f'the network source of {func_name!r} fails{" in " if line else ""}{line}: {reason}'
                        ) from error
    _texts[name] = text
    return module


def _import(name, globals=None, locals=None, fromlist=(), level=0):
    """Replace `__import__` for the text: return a bridge if there is one, else what Python returns."""
    root, *path = name.split('.')
    bridge = tensorflow_names.bridges().get(root)
    if bridge is None or level > 0:
        return builtins.__import__(name, globals, locals, fromlist, level)
    missing = None
    try:
        real = builtins.__import__(name, globals, locals, fromlist, level)
    except ImportError as error:  # For example tensorflow.contrib, which only the bridge has.
        real, missing = None, error
    try:
        module = functools.reduce(getattr, path, bridge)
    except AttributeError:
        if missing is not None:
            raise missing from None
        module = real
    return module if fromlist else bridge
