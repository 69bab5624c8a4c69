"""Helpers with published names: dictionaries, logs, look-up by name, files and downloads."""

import contextlib
import fnmatch
import gc
import importlib
import inspect
import io
import math
import os
import pickle
import re
import shutil
import sys
import tempfile
import types
import urllib.parse
from typing import Any

import numpy as np

_ANSWERS = {**dict.fromkeys(['y', 'yes', 't', 'true', 'on', '1'], 1),
            **dict.fromkeys(['n', 'no', 'f', 'false', 'off', '0'], 0)}
_SHORTHANDS = [  # in this order
    (re.compile(r'^np\.'), 'numpy.'),
    (re.compile(r'^tf\.'), 'tensorflow.'),
    # Names such as tf.train.AdamOptimizer mean the TF1 API; full internal names stay as they are.
    (re.compile(r'^tensorflow\.(?!compat\.|python\.)'), 'tensorflow.compat.v1.'),
]

_cache_dir_override = None


class UserError(Exception):
    """An error that the user can fix. Scripts print its text, one clear line, without a traceback."""


def printable(text: str) -> str:
    """Return a text, such as a file name, as one line that any terminal can show."""
    text = text.encode('utf-8', 'backslashreplace').decode()
    return ''.join(char if char.isprintable() else char.encode('unicode_escape').decode() for char in text)


class DownloadError(UserError, OSError):
    """A file could not be downloaded."""

    reason = ''  # the cause, without the names of file and URL


class EasyDict(dict):
    """A dict whose items are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]


class Logger:
    """Replaces stdout and stderr until it is closed. Output goes to the previous stdout and to a log file.

    Loggers can be nested: the inner one writes to the outer one. Usable in a `with` statement.
    """

    def __init__(self, file_name: str | None = None, file_mode: str = 'w', should_flush: bool = True):
        """Open the log. `file_name` None = no log file; `should_flush`: flush after every write."""
        self.file = None if file_name is None else open(file_name, file_mode, encoding='utf-8')  # noqa: SIM115
        self.should_flush = should_flush
        self._before = {name: getattr(sys, name) for name in ('stdout', 'stderr')}
        for name in self._before:
            setattr(sys, name, self)

    def __enter__(self) -> 'Logger':
        return self

    def __exit__(self, *_error) -> None:
        self.close()

    def write(self, text: str) -> None:
        """Write text to the log file and to the previous stdout."""
        if text == '':
            return
        for target in self._targets():
            target.write(text)
        if self.should_flush:
            self.flush()

    def flush(self) -> None:
        """Flush the log file and the previous stdout."""
        for target in self._targets():
            target.flush()

    def close(self) -> None:
        """Restore the streams, unless another logger has replaced them since, and close the log file."""
        try:
            self.flush()
        finally:
            for name, stream in self._before.items():
                if getattr(sys, name) is self:
                    setattr(sys, name, stream)
            if self.file is not None:
                self.file.close()

    def _targets(self):
        """Yield the streams to write to. An inner logger may still write after this one was closed."""
        if self.file is not None and not self.file.closed:
            yield self.file
        yield self._before['stdout']


def format_time(seconds: int | float) -> str:
    """Format seconds as '5s', '1m 00s', '1h 00m 00s' or '1d 01h 01m'."""
    s = round(float(seconds))
    if s < 60:
        return f'{s}s'
    if s < 60 * 60:
        return f'{s // 60}m {s % 60:02}s'
    if s < 24 * 60 * 60:
        return f'{s // 3600}h {s // 60 % 60:02}m {s % 60:02}s'
    return f'{s // 86400}d {s // 3600 % 24:02}h {s // 60 % 60:02}m'


def num_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def ask_yes_no(question: str) -> int:
    """Ask on the console until the answer is yes (-> 1) or no (-> 0)."""
    while True:
        print(f'{question} [y/n]')
        answer = input().strip().lower()
        if answer in _ANSWERS:
            return _ANSWERS[answer]


def tuple_product(t: tuple) -> Any:
    """Return the product of the elements."""
    return math.prod(t)


def get_dtype_and_ctype(type_obj: Any) -> tuple[np.dtype, Any]:
    """Return the NumPy dtype and ctypes type of a type name or of an object with one, such as np.float32.

    Raises RuntimeError for an object without a name.
    """
    name = getattr(type_obj, '__name__', getattr(type_obj, 'name', None))
    if isinstance(type_obj, str):
        name = type_obj
    if name is None:
        raise RuntimeError('Cannot infer type name from input')
    assert re.fullmatch('u?int(8|16|32|64)|float(32|64)', name), name
    dtype = np.dtype(name)
    return dtype, np.ctypeslib.as_ctypes_type(dtype)


def is_pickleable(obj: Any) -> bool:
    """Return whether this object can be pickled."""
    try:
        pickle.dump(obj, io.BytesIO())
    except Exception:  # whatever the object's own code raises
        return False
    return True


def _import_and_look_up(module_name, local_name):
    module = importlib.import_module(module_name)
    get_obj_from_module(module, local_name)
    return module, local_name


def _import_unless_missing(module_name):
    """Import a module. Does nothing if the module itself does not exist."""
    try:
        importlib.import_module(module_name)
    except ImportError as error:
        if not str(error).startswith(f"No module named '{module_name}'"):
            raise


def get_module_from_obj_name(obj_name: str) -> tuple[types.ModuleType, str]:
    """Split 'package.module.Class.function' into the module and 'Class.function'.

    `np.` stands for `numpy.`, `tf.` and `tensorflow.` for the TF1 API. Raises the error of a broken module,
    AttributeError for a missing name, or else ImportError.
    """
    for pattern, replacement in _SHORTHANDS:
        obj_name = pattern.sub(replacement, obj_name)
    parts = obj_name.split('.')
    candidates = [('.'.join(parts[:i]), '.'.join(parts[i:])) for i in range(len(parts), 0, -1)]
    for candidate in candidates:
        with contextlib.suppress(Exception):
            return _import_and_look_up(*candidate)
    for module_name, _ in candidates:
        _import_unless_missing(module_name)
    for candidate in candidates:
        with contextlib.suppress(ImportError):
            return _import_and_look_up(*candidate)
    raise ImportError(obj_name)


def get_obj_from_module(module: types.ModuleType, obj_name: str) -> Any:
    """Return the object of a dotted name in a module; an empty name is the module itself."""
    obj = module
    for part in obj_name.split('.') if obj_name else []:
        obj = getattr(obj, part)
    return obj


def get_obj_by_name(name: str) -> Any:
    """Return the object of this full name. Raises as `get_module_from_obj_name`."""
    return get_obj_from_module(*get_module_from_obj_name(name))


def call_func_by_name(*args, func_name: str | None = None, **kwargs) -> Any:
    """Call the function or class of this full name."""
    assert func_name is not None
    func = get_obj_by_name(func_name)
    assert callable(func), func_name
    return func(*args, **kwargs)


def construct_class_by_name(*args, class_name: str | None = None, **kwargs) -> Any:
    """Construct an object of the class of this full name."""
    return call_func_by_name(*args, func_name=class_name, **kwargs)


def get_module_dir_by_obj_name(obj_name: str) -> str:
    """Return the directory of the source file that defines this object."""
    module, _ = get_module_from_obj_name(obj_name)
    return os.path.dirname(inspect.getfile(module))


def is_top_level_function(obj: Any) -> bool:
    """Return whether this is a function or class that its module has under its name."""
    module = sys.modules.get(getattr(obj, '__module__', None))
    return callable(obj) and module is not None and getattr(obj, '__name__', None) in vars(module)


def get_top_level_function_name(obj: Any) -> str:
    """Return the full name of a function, with the name of the main script for `__main__`."""
    assert is_top_level_function(obj)
    module_name = obj.__module__
    main_file = getattr(sys.modules['__main__'], '__file__', None)
    if module_name == '__main__' and main_file is not None:
        module_name = os.path.splitext(os.path.basename(main_file))[0]
    return f'{module_name}.{obj.__name__}'


def list_dir_recursively_with_ignore(dir_path: str, ignores: list[str] | None = None,
                                     add_base_to_relative: bool = False) -> list[tuple[str, str]]:
    """Return all files below a directory as (path, path relative to it), top down.

    ignores: patterns of the names of files and directories to leave out. add_base_to_relative: let the
    relative paths start with the name of the directory.
    """
    assert os.path.isdir(dir_path), dir_path

    def kept(names):
        return [name for name in names if not any(fnmatch.fnmatch(name, ignore) for ignore in ignores or [])]

    base = os.path.basename(os.path.normpath(dir_path)) if add_base_to_relative else ''
    result = []
    for root, dirs, files in os.walk(dir_path):
        dirs[:] = kept(dirs)  # in place: os.walk descends into what is left
        paths = [os.path.join(root, name) for name in kept(files)]
        result += [(path, os.path.join(base, os.path.relpath(path, dir_path))) for path in paths]
    return result


def copy_files_and_create_dirs(files: list[tuple[str, str]]) -> None:
    """Copy the contents of each (source, destination), and create missing directories."""
    for source, destination in files:
        os.makedirs(os.path.dirname(destination) or '.', exist_ok=True)
        shutil.copyfile(source, destination)


@contextlib.contextmanager
def paused_gc():
    """Pause the garbage collector in a block that creates many lasting objects, such as a graph.

    Scanning them again and again takes a fifth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def set_cache_dir(path: str) -> None:
    """Set the cache directory."""
    global _cache_dir_override
    _cache_dir_override = path


def _chosen_cache_dir():
    return os.environ.get('DNNLIB_CACHE_DIR') if _cache_dir_override is None else _cache_dir_override


def cache_dir() -> str:
    """Return the cache directory for downloads and statistics.

    It is the one set, or else $DNNLIB_CACHE_DIR, or else `.stylegan2-cache`, as in StyleGAN2.
    """
    return _chosen_cache_dir() or '.stylegan2-cache'


def make_cache_dir_path(*paths: str) -> str:
    """Return a path in the user's cache directory.

    It is the one set, or else $DNNLIB_CACHE_DIR, or else ~/.cache/dnnlib, as in StyleGAN2-ADA.
    """
    return os.path.join(_chosen_cache_dir() or os.path.join(_home(), '.cache', 'dnnlib'), *paths)


def _home():
    """Return the home directory, or else the folder of temporary files."""
    for name in ('HOME', 'USERPROFILE'):
        if name in os.environ:
            return os.environ[name]
    return tempfile.gettempdir()


def is_url(obj: Any, allow_file_urls: bool = False) -> bool:
    """Return whether this is a URL whose host contains a dot or, if allowed, file:///..."""
    if not isinstance(obj, str) or '://' not in obj:
        return False
    if allow_file_urls and obj.startswith('file:///'):
        return True
    try:
        parsed = [urllib.parse.urlparse(address) for address in (obj, urllib.parse.urljoin(obj, '/'))]
    except ValueError:
        return False
    return all(address.scheme and '.' in address.netloc for address in parsed)


def open_url(url: str, cache_dir: str | None = None, num_attempts: int = 10, verbose: bool = True):
    """Open the contents of a URL as a binary file, and keep them in `cache_dir` if that is given.

    See `downloads.fetch`. Raises DownloadError, an OSError, if the download fails.
    """
    assert is_url(url, allow_file_urls=True), url
    assert num_attempts >= 1
    if url.startswith('file:///'):
        path = url.removeprefix('file:///')
        return open(path if os.path.exists(path) else f'/{path}', 'rb')
    from dnnlib.downloading import downloads  # imports this module
    if cache_dir is None:
        return downloads.open_uncached(url, num_attempts, verbose)
    return open(downloads.fetch(url, cache_dir, num_attempts, verbose), 'rb')
