"""Pickle files of networks: reading without executing anything inside, and writing.

A stream fills inert stand-ins first. Arrays and networks are made when the whole of it is known to be sound.
"""

import collections
import io
import pickle

from .. import array_pickle, util
from ..submission import submit
from ..submission.internal import local
from . import network_state, tfutil
from .network import Network

PROTOCOL = 4  # newer protocols are closed to the readers of the published code


class _StoredNetwork:
    """A network, still without graph and variables."""

    state = None

    def __setstate__(self, state):
        network_state.check(state)
        self.state = state


_GLOBALS = {
    **array_pickle.GLOBALS,
    ('dnnlib.tflib.network', 'Network'): _StoredNetwork,
    ('dnnlib.util', 'EasyDict'): util.EasyDict,
    ('dnnlib.submission.submit', 'SubmitConfig'): submit.SubmitConfig,
    ('dnnlib.submission.submit', 'SubmitTarget'): submit.SubmitTarget,
    ('dnnlib.submission.submit', 'PlatformExtras'): submit.PlatformExtras,
    ('dnnlib.submission.internal.local', 'TargetOptions'): local.TargetOptions,
    ('collections', 'OrderedDict'): collections.OrderedDict,
    ('builtins', 'range'): range,
}


class _Unpickler(pickle.Unpickler):
    """Resolves the names that files of networks and of run settings need, and refuses every other."""

    def find_class(self, module, name):
        if (module, name) not in _GLOBALS:
            raise util.UserError(f'refused: the file asks for {module}.{name}; neither networks nor run '
                                 'settings need that')
        return _GLOBALS[module, name]


class _Builder:
    """Replaces the stand-ins in an object; `values` collects {variable: value} of the networks made."""

    def __init__(self):
        self.values = {}
        self._done = {}  # id of a stand-in: (it, what it became), so that what was shared stays shared

    def __call__(self, obj):
        if id(obj) not in self._done:
            self._done[id(obj)] = obj, self._build(obj)
        return self._done[id(obj)][1]

    def _build(self, obj):
        if isinstance(obj, _StoredNetwork):
            net = Network.__new__(Network)
            self.values.update(net.build_from_state(self(obj.state)))
            return net
        if isinstance(obj, array_pickle.StoredArray):
            return obj.numpy
        if isinstance(obj, dict):
            obj.update({key: self(item) for key, item in obj.items()})
        if type(obj) in (list, tuple):
            return type(obj)(map(self, obj))
        return obj


def load(stream):
    """Read networks, tuples of networks, arrays or run settings.

    Raises UserError where the stream is damaged or asks for anything else. Nothing inside it is executed, and
    no variable is assigned before everything has been checked.
    """
    name = getattr(stream, 'name', 'network pickle')
    builder = _Builder()
    try:
        stored = _Unpickler(stream, encoding='latin1').load()
    except util.UserError as error:
        raise util.UserError(f'{name}: {error}') from error
    except array_pickle.DAMAGE as error:
        raise util.UserError(f'{name}: not a readable network pickle ({error}); if it is one, it was cut '
                             'off: copy or download it again') from error
    try:
        result = builder(stored)
    except (util.UserError, RecursionError) as error:
        raise util.UserError(f'{name}: {error}') from error
    if builder.values:
        tfutil.set_vars(builder.values)
    return result


class _Pickler(pickle._Pickler):
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


def dump(obj, stream) -> None:
    """Write `obj` so that the published code, old NumPy included, can read it."""
    buffer = io.BytesIO()  # the stream gets one block: this pickler writes a few bytes at a time
    _Pickler(buffer, protocol=PROTOCOL).dump(obj)
    stream.write(buffer.getbuffer())
