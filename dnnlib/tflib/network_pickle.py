"""The pickle format of networks (version 4): reading without executing anything inside, and writing."""

import collections
import importlib
import io
import pickle

import numpy as np

from .. import util
from ..submission import submit
from ..submission.internal import local
from . import tfutil

STATE_VERSION = 4
READABLE_VERSIONS = (2, 3, 4)
PROTOCOL = 4  # newer protocols are closed to the readers of the published code

# Build functions by the name that a pickle holds. Names stand for our own functions: stored source text is not run.
BUILD_FUNCTIONS = {
    'G_main': 'training.networks_stylegan2.G_main',
    'G_mapping': 'training.networks_stylegan2.G_mapping',
    'G_synthesis_stylegan2': 'training.networks_stylegan2.G_synthesis_stylegan2',
    'D_stylegan2': 'training.networks_stylegan2.D_stylegan2',
}

_NUMPY_NAMES = {
    ('numpy', 'ndarray'), ('numpy', 'dtype'),
    *((f'numpy.{core}.multiarray', name) for core in ('core', '_core') for name in ('_reconstruct', 'scalar')),
    *((f'numpy.{core}.numeric', '_frombuffer') for core in ('core', '_core')),
}
_SUBMIT_NAMES = {
    ('dnnlib.submission.submit', 'SubmitConfig'): submit.SubmitConfig,
    ('dnnlib.submission.submit', 'SubmitTarget'): submit.SubmitTarget,
    ('dnnlib.submission.submit', 'PlatformExtras'): submit.PlatformExtras,
    ('dnnlib.submission.internal.local', 'TargetOptions'): local.TargetOptions,
    ('builtins', 'range'): range,
}


class _NetworkUnpickler(pickle.Unpickler):
    """Resolves what files of networks and run settings need, and refuses every other name."""

    def find_class(self, module, name):
        if name == 'Network' and module in ('dnnlib.tflib.network', 'tfutil', 'network'):
            return importlib.import_module('dnnlib.tflib.network').Network
        if (module, name) == ('dnnlib.util', 'EasyDict'):
            return util.EasyDict
        if (module, name) == ('collections', 'OrderedDict'):
            return collections.OrderedDict
        if (module, name) == ('_codecs', 'encode'):
            return _encode_latin1
        if (module, name) in _NUMPY_NAMES:
            module = module.replace('numpy.core', 'numpy._core')
            return getattr(importlib.import_module(module), name)
        if (module, name) in _SUBMIT_NAMES:
            return _SUBMIT_NAMES[module, name]
        raise util.UserError(f'refused: the pickle asks for {module}.{name}, which no network or run settings need')


def _encode_latin1(text, encoding):
    """Byte strings of pickle protocols up to 2."""
    return text.encode('latin1' if encoding not in ('latin1', 'ascii', 'utf-8') else encoding)


class _NetworkPickler(pickle._Pickler):
    """Writes NumPy's functions under the names of NumPy 1, which every version reads."""

    def save_global(self, obj, name=None):
        module = getattr(obj, '__module__', None) or ''
        if not module.startswith('numpy._core'):
            super().save_global(obj, name)
            return
        self.save(module.replace('numpy._core', 'numpy.core'))
        self.save(name or obj.__qualname__)
        self.write(pickle.STACK_GLOBAL)
        self.memoize(obj)


def load(stream):
    """Read networks, tuples of networks, arrays or run settings. Raises UserError where the file is damaged or asks
    for anything else; nothing inside it is executed."""
    try:
        return _NetworkUnpickler(stream, encoding='latin1').load()
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, ValueError, TypeError) as error:
        name = getattr(stream, 'name', 'the stream')
        raise util.UserError(f'{name} is not a readable network pickle: {error}; it may be cut off, download or copy '
                             f'it again') from error


def dump(obj, stream) -> None:
    """Write `obj` so that the published code, old NumPy included, can read it."""
    buffer = io.BytesIO()  # the stream gets whole blocks: the pure-Python pickler writes a few bytes at a time
    _NetworkPickler(buffer, protocol=PROTOCOL).dump(obj)
    stream.write(buffer.getbuffer())


def network_state(net) -> dict:
    """The state of a network as version 4 stores it; sub-networks hold their variables themselves."""
    values = tfutil.run(list(net.own_vars.values()))
    return {
        'version': STATE_VERSION,
        'name': net.name,
        'static_kwargs': dict(net.static_kwargs),
        'components': dict(net.components),
        'build_module_src': net._build_module_src,
        'build_func_name': net._build_func_name,
        'variables': list(zip(net.own_vars, values, strict=True)),
    }


def find_build_func(state: dict):
    """Our build function for a stored network. Raises UserError for an unknown version or function."""
    version, name = state.get('version'), state.get('build_func_name')
    if version not in READABLE_VERSIONS:
        raise util.UserError(f'network pickle of version {version!r}; versions 2 to 4 can be read')
    if name not in BUILD_FUNCTIONS:
        known = ', '.join(BUILD_FUNCTIONS)
        raise util.UserError(f'network {state.get("name")!r} (version {version}) is built by {name!r}, which is not '
                             f'among the known functions: {known}')
    return util.get_obj_by_name(BUILD_FUNCTIONS[name])


def checked_values(net, state: dict) -> dict:
    """{variable: stored value}, after names, dtypes and shapes have been compared with the graph."""
    stored = dict(state['variables'])
    if set(stored) != set(net.own_vars):
        missing = sorted(set(net.own_vars) - set(stored))
        surplus = sorted(set(stored) - set(net.own_vars))
        raise util.UserError(f'network {net.name!r}: the stored variables do not fit {net._build_func_name}: '
                             f'missing {missing or "none"}, surplus {surplus or "none"}')
    values = {}
    for name, var in net.own_vars.items():
        value = np.asarray(stored[name])
        if value.dtype.kind not in 'fiub' or list(value.shape) != var.shape.as_list():
            raise util.UserError(f'network {net.name!r}: variable {name} is stored as {value.dtype} '
                                 f'{list(value.shape)}, expected {var.shape.as_list()}')
        values[var] = value
    return values
