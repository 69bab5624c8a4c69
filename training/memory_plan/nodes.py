"""The ops of a step as plain objects, with what is known of them before they run."""

import functools
from dataclasses import dataclass, field
from typing import NamedTuple

from dnnlib.tflib import xla
from training.memory_plan import op_kinds


class Bytes(NamedTuple):
    """A size that grows with the number of images that a device processes at a time."""
    fixed: float = 0.0
    per_image: float = 0.0

    def at(self, images):
        """Return the size for a number of images."""
        return self.fixed + self.per_image * images

    def plus(self, other):
        """Return the sum with another size."""
        return Bytes(self.fixed + other.fixed, self.per_image + other.per_image)


@dataclass(eq=False)
class Node:
    """An op."""
    name: str
    type: str
    device: str
    predicate: str | None       # Of a Switch: name of the tensor that says which branch is taken.
    sizes: list                 # Bytes of each output.
    seconds: Bytes              # How long it takes, likewise linear in the number of images.
    inputs: list = field(default_factory=list)    # (node, number of its output)
    controls: list = field(default_factory=list)  # Nodes that it also waits for.


def of_steps(fetches, size_of) -> list:
    """Return the Nodes of all ops that each of several ops depends on, in the order of their creation. Steps
    share those of common ops.

    size_of: function from a tensor to its Bytes.
    """
    all_ops = [sorted(xla.needed([fetch]), key=lambda op: op._id) for fetch in fetches]
    size_of = functools.cache(size_of)  # by tensor
    nodes = {op: _node(op, size_of) for op in {op for ops in all_ops for op in ops}}
    for op, node in nodes.items():
        node.inputs = [(nodes[tensor.op], tensor.value_index) for tensor in op.inputs]
        node.controls = [nodes[before] for before in op.control_inputs]
    return [[nodes[op] for op in ops] for ops in all_ops]


def _node(op, size_of):
    sizes = [size_of(tensor) for tensor in op.outputs]
    read = [size_of(tensor) for tensor in op.inputs]
    seconds = Bytes(*(op_kinds.seconds(op, *([size[part] for size in each] for each in (read, sizes)))
                      for part in (0, 1)))
    predicate = op.inputs[1].name if op.type in op_kinds.SWITCHES else None
    return Node(op.name, op.type, op.device, predicate, sizes, seconds)
