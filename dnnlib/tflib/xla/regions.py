"""Divides a step into parts that one device can compute without others, and what lies between them.

A part contains all operations of a device that need no part of another device first. Collectives lie between
the parts, and so does what is pinned elsewhere, such as tables in the memory of the host.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import tensorflow.compat.v1 as tf

from dnnlib.tflib.xla import cutting

BETWEEN = frozenset({'CollectiveReduce', *cutting.SOURCES})
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
    devices = _devices(ops)
    regions, fed_only = Regions(), set()
    for op in ops:
        needed = [*(tensor.op for tensor in cutting.inputs_of(op, aliases)), *op.control_inputs]
        needed = [] if op.type in cutting.SOURCES else needed
        if op.type in _FED or (not op.op_def.is_stateful and op.type not in BETWEEN
                               and all(other.name in fed_only for other in needed)):
            fed_only.add(op.name)
        device = _device_of(op, devices, op.name in fed_only)
        depth = max([_least_depth(regions.place_of[other.name], device) for other in needed], default=0)
        regions.place_of[op.name] = device, depth
        regions.depths = max(regions.depths, depth + 1)
        if device not in (_ANYWHERE, _OUTSIDE):
            regions.parts[device, depth].append(op)
        elif device == _OUTSIDE and depth > 0:
            regions.between[depth].append(op)
    return regions


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


def _device_of(op, devices, is_fed_only):
    if op.type in BETWEEN:
        return _OUTSIDE
    device = canonical(op.device)
    if op.type == 'ReadVariableOp' and op.inputs[0].op.type == 'VarHandleOp':
        owner = canonical(op.inputs[0].op.device)
        if device not in ('', owner):
            return _OUTSIDE  # a variable on another device
        device = owner
    if len(devices) <= 1 and device in ('', *devices):
        return next(iter(devices), '')
    if is_fed_only:  # what follows from fed numbers alone is computed where it is needed
        return _ANYWHERE
    return device if device in devices else _OUTSIDE
