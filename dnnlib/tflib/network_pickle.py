"""Pickle files of networks: reading without executing anything inside, and writing.

A stream fills inert stand-ins first. Arrays and networks are created once all of it is known to be sound.
"""

import contextlib
import inspect
from dataclasses import dataclass
from typing import Any

from dnnlib import util
from dnnlib.pickles import contents, fork_sizes, stored_state, trust
from dnnlib.pickles import origin as network_origin
from dnnlib.pickles.writing import dump
from dnnlib.tflib import tfutil
from dnnlib.tflib.inference import outlines
from dnnlib.tflib.legacy import execution
from dnnlib.tflib.network import Network

__all__ = ['check', 'dump', 'load']


@dataclass
class _Job:
    """A network that has to be built from its state."""
    state: dict
    parent_code: str | None = None   # Code base of the network that it is a component of.
    build_func: Any = None           # None: the function in the stored source text.

    def arguments(self):
        """Return the keyword arguments of the build function, including its defaults if it is known."""
        parameters = inspect.signature(self.build_func).parameters.values() if self.build_func else ()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        return {**defaults, **self.state['static_kwargs']}


class _Builder(contents.Finisher):
    """Replaces the stand-ins in an object by networks, which get their graphs once all of them are known."""

    def __init__(self):
        super().__init__()
        self.jobs = {}  # {network: _Job}, components before the networks that they are part of.

    def network(self, obj):
        net = Network.__new__(Network)
        state = stored_state.imported(self(obj.state), obj.from_tfutil)
        net.name, net._build_func_name = state['name'], state['build_func_name']
        self.jobs[net] = _Job(state)
        return net

    def find_functions(self):
        """Find the build function of every network, from the whole to its parts. -> error of the last network
        whose function is unknown, or None."""
        unknown = None
        for job in reversed(self.jobs.values()):
            try:
                origin = network_origin.find(job.state, job.parent_code)
            except network_origin.UnknownFunction as error:
                unknown = error
                continue
            job.build_func = util.get_obj_by_name(origin.func)
            job.state = fork_sizes.own_form(job.state, origin)
            for component in job.state['components'].values():
                if isinstance(component, Network):
                    self.jobs[component].parent_code = origin.code
        return unknown

    def build(self):
        """Build all networks. -> {variable: stored value}."""
        values = {}
        for net, job in self.jobs.items():
            build_func = job.build_func or _stored_function(job.state)
            values.update(net.build_from_state(job.state, build_func))
        return values


def _stored_function(state):
    """Execute the source text of a trusted network and return its build function."""
    print(f'network {state["name"]!r}: running the source text inside the file, which is trusted')
    return execution.build_function(state['build_module_src'], state['build_func_name'])


@util.paused_gc()
def load(stream, trust_source: bool = False, choose=None, outline: bool = False):
    """Read networks, tuples of networks, arrays or run settings.

    Networks are built by functions of this project. The source text of a network is executed only if its
    function is unknown, and only with `trust_source`, now or before for a file of the same contents (see
    `trust`).

    `choose`: function from the contents, with stand-ins for networks, to the part that is wanted. The rest is
    neither checked nor built, which saves time and memory. `outline`: build networks that are only evaluated
    (`inference.outlines`).

    Raises UserError if the stream is damaged or asks for anything else. Variables are assigned after
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
    """Read as `load` does, but without building: no graph, no session, no variables. Raises UserError as
    `load` does, except for what only building can find, such as missing variables.

    -> the contents, with networks that cannot be used, and {network: its keyword arguments}.
    """
    with _named(stream):
        builder, result = _read(trust.HashingStream(stream), trust_source, choose)
    return result, {net: job.arguments() for net, job in builder.jobs.items()}


def _read(source, trust_source, choose):
    """Return a _Builder with a job for every network, and the contents with networks that it will build."""
    builder = _Builder()
    found = contents.unpickled(source)
    result = builder(found if choose is None else choose(found))
    del found  # Frees what is not wanted.
    unknown = builder.find_functions()
    if unknown is not None and not (trust_source or trust.is_trusted(source.digest())):
        raise unknown
    return builder, result


def _name(stream):
    return getattr(stream, 'name', 'network pickle')


@contextlib.contextmanager
def _named(stream):
    """Put the name of the stream in front of a UserError."""
    try:
        yield
    except util.UserError as error:
        raise util.UserError(f'{_name(stream)}: {error}') from error
