"""Pickle files of networks: reading without executing anything inside, and writing.

A stream fills inert stand-ins first. Arrays and networks are made when the whole of it is known to be sound.
"""

import contextlib
import inspect
import io
import pickle
from dataclasses import dataclass
from typing import Any

from dnnlib import util
from dnnlib.pickles import arrays, contents, stored_state, trust
from dnnlib.pickles import origin as network_origin
from dnnlib.tflib import tfutil
from dnnlib.tflib.inference import outlines
from dnnlib.tflib.legacy import execution
from dnnlib.tflib.network import Network

PROTOCOL = 4  # newer protocols are closed to the readers of the published code


@dataclass
class _Job:
    """A network that has to be built from its state."""
    state: dict
    parent_code: str | None = None   # Code base of the network that it is a component of.
    build_func: Any = None           # None: the one in the stored source text.

    def arguments(self):
        """Keyword arguments of the build function, defaults included where it is known."""
        parameters = inspect.signature(self.build_func).parameters.values() if self.build_func else ()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        return {**defaults, **self.state['static_kwargs']}


class _Builder(arrays.Finisher):
    """Replaces the stand-ins in an object by networks, which get their graphs when all of them are known."""

    leaves = contents.LEAVES

    def __init__(self):
        super().__init__()
        self.jobs = {}  # {network: _Job}, components before the networks that they are part of

    def finish(self, obj):
        if isinstance(obj, contents.StoredNetwork):
            return self._network(obj)
        if isinstance(obj, contents.StoredOptions):
            return self._options(obj)
        return super().finish(obj)

    def _network(self, obj):
        net = Network.__new__(Network)
        state = stored_state.imported(self(obj.state), obj.from_tfutil)
        net.name, net._build_func_name = state['name'], state['build_func_name']
        self.jobs[net] = _Job(state)
        return net

    def _options(self, obj):
        options, state = obj.becomes(), self(obj.state)
        if type(state) is not dict or not set(state) <= set(vars(options)):
            raise util.UserError(f'refused: {arrays.shown(state)} are no settings of a run')
        vars(options).update(state)
        return options

    def find_functions(self):
        """Find the build function of every network, from the whole to its parts. -> error of the last one
        for which there is none, or None."""
        unknown = None
        for job in reversed(self.jobs.values()):
            try:
                origin = network_origin.find(job.state, job.parent_code)
            except network_origin.UnknownFunction as error:
                unknown = error
                continue
            job.build_func = util.get_obj_by_name(origin.func)
            for component in job.state['components'].values():
                if isinstance(component, Network):
                    self.jobs[component].parent_code = origin.code
        return unknown

    def build(self):
        """Build all networks. -> {variable: stored value}"""
        values = {}
        for net, job in self.jobs.items():
            build_func = job.build_func or _stored_function(job.state)
            values.update(net.build_from_state(job.state, build_func))
        return values


def _stored_function(state):
    """Execute the source text of a network that is trusted. -> its build function"""
    print(f'network {state["name"]!r}: running the source text inside the file, which is trusted')
    return execution.build_function(state['build_module_src'], state['build_func_name'])


@util.paused_gc()
def load(stream, trust_source: bool = False, choose=None, outline: bool = False):
    """Read networks, tuples of networks, arrays or run settings.

    Networks are built by functions of this code. The source text inside is executed only for a network of
    which none is known, and only if `trust_source` is given or was given for a file of the same contents (see
    `trust`).

    `choose`: function from what the file holds, networks being stand-ins still, to the part of it that is
    wanted. The rest is neither checked nor built, which saves time and memory. `outline`: build networks that
    are evaluated only (`inference.outlines`).

    Raises UserError where the stream is damaged or asks for anything else. No variable is assigned before
    everything has been checked.
    """
    source = trust.HashingStream(stream)
    with _named(stream):
        builder, result = _read(source, trust_source, choose)
        with outlines() if outline else contextlib.nullcontext():
            values = builder.build()
    if values:
        tfutil.set_initial_values(values)
    if trust_source:
        trust.remember(source.digest(), str(_name(stream)))
    return result


def check(stream, trust_source: bool = False, choose=None):
    """Read as `load` does, but build nothing: no graph, no session, no variables. Raises UserError where that
    would, except for what only building finds out, such as variables that are missing.

    -> what was read, with networks that are good for nothing else, and {network: its keyword arguments}.
    """
    with _named(stream):
        builder, result = _read(trust.HashingStream(stream), trust_source, choose)
    return result, {net: job.arguments() for net, job in builder.jobs.items()}


def _read(source, trust_source, choose):
    """-> _Builder with a job for every network, what was read with networks that are to be built."""
    builder = _Builder()
    found = contents.unpickled(source)
    result = builder(found if choose is None else choose(found))
    del found  # the bytes of what is not wanted
    unknown = builder.find_functions()
    if unknown is not None and not (trust_source or trust.is_trusted(source.digest())):
        raise unknown
    return builder, result


def _name(stream):
    return getattr(stream, 'name', 'network pickle')


@contextlib.contextmanager
def _named(stream):
    """Errors of the user begin with the name of the stream."""
    try:
        yield
    except util.UserError as error:
        raise util.UserError(f'{_name(stream)}: {error}') from error


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
