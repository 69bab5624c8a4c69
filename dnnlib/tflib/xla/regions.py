"""Divides a step into parts that one device can compute without others, and what lies between them.

A part contains all operations of a device that need no part of another device first. Collectives lie between
the parts, and so does what is pinned elsewhere, such as tables in the memory of the host.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import tensorflow.compat.v1 as tf

from dnnlib.tflib.xla import cutting

_COLLECTIVES = frozenset({'CollectiveReduce'})
BETWEEN = frozenset({*_COLLECTIVES, *cutting.SOURCES})
_FED = frozenset({'Placeholder', 'PlaceholderWithDefault'})
_ANYWHERE, _OUTSIDE = 'anywhere', 'outside'  # in place of a device


@dataclass
class Regions:
    """A step in parts."""
    depths: int = 0                              # Parts of a lower depth come first.
    place_of: dict = field(default_factory=dict) # Name of an operation -> (device, depth).
    between: dict = field(default_factory=lambda: defaultdict(list))  # depth -> operations outside, copied
    parts: dict = field(default_factory=lambda: defaultdict(list))    # (device, depth) -> operations

    def boundary(self, place):
        """Return the function that tells what stays outside a part."""
        def is_outside(op):
            there = self.place_of[op.name]
            return there != place and there[0] != _ANYWHERE
        return is_outside


def divide(ops, aliases) -> Regions:
    """Divide operations, each after those that it needs."""
    least = {}  # Collective -> how deep it must be: its members on all devices wait for each other.
    while True:
        regions, depths = _divided(ops, aliases, least)
        if depths == least:
            return regions
        least = depths


def _divided(ops, aliases, least):
    """Divide operations with collectives at the depths of `least`, or deeper. -> Regions, the depths of
    collectives."""
    devices, elsewhere = _devices(ops), _read_elsewhere(ops, aliases)
    regions, fed_only, depths = Regions(), set(), dict(least)
    for op in ops:
        inputs = [tensor.op for tensor in cutting.inputs_of(op, aliases)]
        needed = [] if op.type in cutting.SOURCES else [*inputs, *op.control_inputs]
        if op.type in _FED or (not op.op_def.is_stateful and op.type not in BETWEEN
                               and all(other.name in fed_only for other in needed)):
            fed_only.add(op.name)
        device = (_OUTSIDE if op.name in elsewhere
                  else _device_of(op, inputs, devices, op.name in fed_only))
        depth = max([_least_depth(regions.place_of[other.name], device) for other in needed], default=0)
        if op.type in _COLLECTIVES:
            key = op.get_attr('group_key'), op.get_attr('instance_key')
            depth = depths[key] = max(depth, depths.get(key, 0))
        regions.place_of[op.name] = device, depth
        regions.depths = max(regions.depths, depth + 1)
        if device not in (_ANYWHERE, _OUTSIDE):
            regions.parts[device, depth].append(op)
        elif device == _OUTSIDE and depth > 0:
            regions.between[depth].append(op)
    return regions, depths


def _least_depth(place, device):
    """Return how deep an operation on a device must be if it needs one at a place."""
    there, depth = place
    return depth + 1 if there not in (device, _ANYWHERE, _OUTSIDE) else depth


def _devices(ops):
    """Return the devices that compute: GPUs if there are any, else CPUs."""
    names = {canonical(op.device) for op in ops if op.device}
    return {name for name in names if 'GPU' in name} or names


def canonical(device) -> str:
    """Return the name of a device in the form '/device:CPU:0'; '' for none."""
    spec = tf.DeviceSpec.from_string(device)
    return '' if spec.device_type is None else f'/device:{spec.device_type}:{spec.device_index or 0}'


def _read_elsewhere(ops, aliases):
    """Return the names of operations that read a variable which another device uses: in a part, they would
    make that device wait for it."""
    return {tensor.op.name for op in ops for tensor in cutting.inputs_of(op, aliases)
            if tensor.op.type == 'ReadVariableOp' and op.device
            and _owner(tensor.op, aliases) not in ('', canonical(op.device))}


def _owner(read, aliases):
    """Return the device of the variable that an operation reads; '' = unknown."""
    return canonical(cutting.inputs_of(read, aliases)[0].op.device)


def _device_of(op, inputs, devices, is_fed_only):
    if op.type in BETWEEN:
        return _OUTSIDE
    device = canonical(op.device)
    if op.type == 'ReadVariableOp' and inputs[0].type == 'VarHandleOp':
        device = canonical(inputs[0].device)
    if len(devices) <= 1 and device in ('', *devices):
        return next(iter(devices), '')
    if is_fed_only:  # what follows from fed numbers alone is computed where it is needed
        return _ANYWHERE
    return device if device in devices else _OUTSIDE
