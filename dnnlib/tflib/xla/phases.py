"""What is known about a step before it is compiled: placeholders with one value, and conditions that hold.

XLA compiles for fixed shapes, and both branches of a condition that it does not know. Where a schedule has
phases, such as the resolutions of a growing network, a step is compiled for each of them.
"""

import contextlib
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


def resolved(fetches, value) -> dict:
    """Decide all conditions of `cond` for a value. -> aliases as `cutting.cut` takes them."""
    if value is None or not _conditions():
        return {}
    known = {name: bool(decide(value)) for name, decide in _conditions().items()}
    dead, aliases = set(), {}  # names of tensors and, with ^, of operations that never run
    for op in cutting.ancestors([getattr(fetch, 'op', fetch) for fetch in fetches]):
        if op.type == 'Switch' and _root(op.inputs[1], aliases) in known:
            taken = known[_root(op.inputs[1], aliases)]
            dead.add(op.outputs[not taken].name)
            aliases[op.outputs[taken].name] = aliases.get(op.inputs[0].name, op.inputs[0])
        elif op.type == 'Merge':
            living = [tensor for tensor in op.inputs if tensor.name not in dead]
            if len(living) == 1:
                aliases[op.outputs[0].name] = aliases.get(living[0].name, living[0])
            elif not living:
                _kill(op, dead)
            continue
        if _is_dead(op, dead):
            _kill(op, dead)
    return aliases


def _is_dead(op, dead):
    return any(tensor.name in dead for tensor in op.inputs) or any(
        f'^{control.name}' in dead for control in op.control_inputs)


def _kill(op, dead):
    dead.add(f'^{op.name}')
    dead.update(tensor.name for tensor in op.outputs)


def _root(tensor, aliases):
    """Return the name of the tensor that a condition is a copy of."""
    while True:
        tensor = aliases.get(tensor.name, tensor)
        if tensor.op.type != 'Identity':
            return tensor.name
        tensor = tensor.op.inputs[0]
