"""Which branches a growing network takes: the conditions that follow from the level of detail."""

import operator

import numpy as np
import tensorflow.compat.v1 as tf

_SAME = {'Identity', 'PreventGradient', 'ReadVariableOp', 'RefSwitch', 'Snapshot', 'StopGradient', 'Switch'}
_FUNCTIONS = {
    'Add': operator.add, 'AddV2': operator.add, 'Ceil': np.ceil, 'Equal': operator.eq, 'Floor': np.floor,
    'Greater': operator.gt, 'GreaterEqual': operator.ge, 'Less': operator.lt, 'LessEqual': operator.le,
    'LogicalAnd': np.logical_and, 'LogicalNot': np.logical_not, 'LogicalOr': np.logical_or,
    'Maximum': max, 'Minimum': min, 'Mul': operator.mul, 'Neg': operator.neg, 'Sub': operator.sub}


class _Unknown(Exception):
    """A value depends on more than the level of detail."""


def values(tensors, lod) -> dict:
    """Return {name: bool} of those boolean tensors [] that follow from the level of detail alone."""
    known, result = {}, {}
    for tensor in tensors:
        try:
            result[tensor.name] = bool(_value(tensor, lod, known))
        except _Unknown:
            continue
    return result


def _value(tensor, lod, known):
    if tensor.name not in known:
        known[tensor.name] = _computed(tensor.op, lod, known)
    if known[tensor.name] is None:
        raise _Unknown
    return known[tensor.name]


def _computed(op, lod, known):
    """Return the value of the output of an op; None = unknown."""
    name = op.name.rsplit('/', 1)[-1]
    if op.type == 'Placeholder' and name == 'lod_in' or op.type.startswith('Var') and name == 'lod':
        return lod
    try:
        if op.type == 'Const' and op.outputs[0].shape.rank == 0:
            return tf.make_ndarray(op.get_attr('value')).item()
        if op.type in _SAME:
            return _value(op.inputs[0], lod, known)
        if op.type == 'Assign':
            return _value(op.inputs[1], lod, known)
        if op.type in _FUNCTIONS:
            return _FUNCTIONS[op.type](*(_value(tensor, lod, known) for tensor in op.inputs))
    except _Unknown:
        return None
    return None
