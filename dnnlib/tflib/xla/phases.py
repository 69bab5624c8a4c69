"""What is known about a step before it is compiled: placeholders with one value, and conditions that hold.

XLA compiles for fixed shapes, and both branches of a condition that it does not know. Where a schedule has
phases, such as the resolutions of a growing network, a step is compiled for each of them.
"""

import contextlib
import math
from dataclasses import dataclass, field

import tensorflow.compat.v1 as tf

from dnnlib.tflib.xla import cutting, switch


@dataclass
class _Conditions:
    """The conditions of a graph that a phase decides."""
    decided: dict = field(default_factory=dict)  # Name of the tensor -> function(variable) -> bool.


def _conditions():
    """Return the conditions of the default graph, which keeps them."""
    collection = tf.get_collection_ref(_Conditions)  # the key is not a string: exports of the graph skip this
    if not collection:
        collection.append(_Conditions())
    return collection[0].decided


def cond(compare, value, limit, true_fn, false_fn):
    """Return tf.cond(compare(value, limit), true_fn, false_fn), which a phase decides ahead.

    compare: a function such as `operator.lt`. value: a tensor, which within a phase lies on one side of
    `limit`, a number.
    """
    condition = compare(value, limit)
    if not switch.is_enabled():
        return tf.cond(condition, true_fn, false_fn)
    _conditions()[condition.name] = lambda known: compare(known, limit)
    with _control_flow(is_v2=False):  # its gradients, too, consist of operations that `resolved` removes
        return tf.cond(condition, _with_v2(true_fn), _with_v2(false_fn))


@contextlib.contextmanager
def _control_flow(is_v2):
    was_v2 = tf.control_flow_v2_enabled()
    _set_control_flow(is_v2)
    try:
        yield
    finally:
        _set_control_flow(was_v2)


def _set_control_flow(is_v2):
    (tf.enable_control_flow_v2 if is_v2 else tf.disable_control_flow_v2)()


def _with_v2(function):
    def branch():
        with _control_flow(is_v2=True):
            return function()
    return branch


def phase_of(lod) -> float:
    """Return the number that stands for a level of detail: itself if it is whole; otherwise one that stands
    for all between two whole ones, while layers fade in."""
    return math.floor(lod) + (0.5 if lod % 1 > 0 else 0.0)


def has_conditions(fetch) -> bool:
    """Return whether an operation or tensor needs conditions that a phase decides."""
    names = {name.split(':')[0] for name in _conditions()}
    return bool(names) and any(op.name in names for op in cutting.ancestors([getattr(fetch, 'op', fetch)]))


def resolved(fetches, value) -> dict:
    """Decide all conditions of `cond` for a value. -> aliases as `cutting.cut` takes them."""
    if value is None or not _conditions():
        return {}
    known = {name: bool(decide(value)) for name, decide in _conditions().items()}
    decision = _Decision(known)
    for op in cutting.ancestors([getattr(fetch, 'op', fetch) for fetch in fetches]):
        decision.follow(op)
    return decision.aliases


class _Decision:
    """Follows what known conditions mean for the operations after them, in their order."""

    def __init__(self, known):
        self.aliases = {}    # Name of a tensor -> the tensor with its value.
        self._known = known  # Name of a condition -> bool.
        self._dead = set()   # Names of tensors and, with ^, of operations that never run.
        self._branches = {}  # Name of a merge's second output -> index of the branch that runs.

    def follow(self, op):
        """Take note of an operation."""
        if self._is_dead(op):
            self._dead.update([f'^{op.name}', *(tensor.name for tensor in op.outputs)])
        elif op.type == 'Merge':
            living = [index for index, tensor in enumerate(op.inputs) if tensor.name not in self._dead]
            if len(living) == 1:
                self._replace(op.outputs[0], op.inputs[living[0]])
                self._branches[op.outputs[1].name] = living[0]
        elif op.type == 'Switch' and (condition := _root(op.inputs[1], self.aliases)) in self._known:
            taken = self._known[condition]
            self._dead.add(op.outputs[not taken].name)
            self._replace(op.outputs[taken], op.inputs[0])
        elif op.type == 'Equal' and op.inputs[0].name in self._branches:  # in gradients of gradients
            other = tf.get_static_value(op.inputs[1])
            self._known[op.outputs[0].name] = bool(self._branches[op.inputs[0].name] == other)

    def _is_dead(self, op):
        dead = [tensor.name in self._dead for tensor in op.inputs]
        return (all(dead) and bool(dead) if op.type == 'Merge' else any(dead)) or any(
            f'^{control.name}' in self._dead for control in op.control_inputs)

    def _replace(self, tensor, other):
        self.aliases[tensor.name] = self.aliases.get(other.name, other)


def _root(tensor, aliases):
    """Return the name of the tensor that a condition is a copy of."""
    while True:
        tensor = aliases.get(tensor.name, tensor)
        if tensor.op.type != 'Identity':
            return tensor.name
        tensor = tensor.op.inputs[0]
