"""Follows the tensors of a graph through one step: when they are allocated, and when they are freed.

Nothing is evaluated. Sizes are linear in the number of images, so that one pass tells the peak for all.
"""

import collections
import itertools

from training.memory_plan import op_kinds
from training.memory_plan.executor import Executor
from training.memory_plan.nodes import Bytes

EVERYWHERE = 'everywhere'  # beside the names of devices


class Moments(list):
    """The sizes of all live tensors after each allocation of a step: (fixed, per image)."""

    def peak(self, images):
        """Return the largest size for a number of images, as the Bytes of that moment."""
        return Bytes(*max(self, key=lambda size: size[0] + size[1] * images, default=(0.0, 0.0)))


def moments(nodes, images, threads=0, predicates=None) -> dict:
    """Run a step without its values. -> {device: Moments of what is allocated there}, with EVERYWHERE.

    nodes: those of a step, see `nodes.of_steps`. images: for the estimate of times, which decide the order on
    a processor with several `threads`; 0 = a GPU, which gets its ops in the order in which they become ready.
    predicates: {name of a tensor: bool}, which branch each Switch takes; both without an entry.
    """
    memory = _Memory(nodes, predicates or {})
    Executor(nodes, threads, lambda node: memory.seconds(node, images)).run(memory.begin, memory.end)
    return memory.moments


class _Memory:
    """The buffers that are live while ops run."""

    def __init__(self, nodes, predicates):
        self.moments = {device: Moments() for device in {EVERYWHERE, *(node.device for node in nodes)}}
        self._totals = dict.fromkeys(self.moments, (0.0, 0.0))
        self._predicates = predicates
        self._uses = collections.Counter(each for node in nodes for each in node.inputs)
        self._dead = set()         # Nodes of branches that are not taken, and (Switch, output) towards them.
        self._buffers = {}         # (node, output): number of its buffer, if it is allocated here
        self._sizes = {}           # number: (Bytes, device)
        self._users = {}           # number: uses to come
        self._numbers = itertools.count()

    def seconds(self, node, images):
        """Return how long a node takes."""
        return op_kinds.SECONDS_TO_START + (0.0 if node in self._dead else node.seconds.at(images))

    def begin(self, node):
        """Allocate the outputs of an op that starts."""
        if self._is_dead(node):
            self._dead.add(node)
            return
        inputs = [self._buffers.get(each) for each in node.inputs]
        for index, size in enumerate(node.sizes):
            number = self._buffer_for(node, index, size, inputs)
            if number is not None:
                self._buffers[node, index] = number
                self._users[number] += self._uses[node, index]
        if node.predicate in self._predicates:
            self._dead.add((node, 0 if self._predicates[node.predicate] else 1))

    def end(self, node):
        """Free what an op that has ended was the last to use."""
        for each in node.inputs:
            self._release(self._buffers.get(each))
        for index in range(len(node.sizes)):
            number = self._buffers.get((node, index))
            if self._users.get(number) == 0:
                self._users[number] = 1
                self._release(number)

    def _is_dead(self, node):
        inputs = [each[0] in self._dead or each in self._dead for each in node.inputs]
        if node.type in op_kinds.MERGES:
            return all(inputs)
        return any(inputs) or any(before in self._dead for before in node.controls)

    def _buffer_for(self, node, index, size, inputs):
        """Return the number of the buffer of an output; None = it takes no memory of this step."""
        if node.type in op_kinds.NOT_ALLOCATED:
            return None
        if node.type in op_kinds.PASSES_ALL:
            return inputs[index]
        if node.type in op_kinds.MERGES:
            return next((number for number in inputs if number is not None), None) if index == 0 else None
        if node.type in op_kinds.PASSES_FIRST:
            return inputs[0] if inputs else None
        if size == (0.0, 0.0):
            return None
        if node.type in op_kinds.OVERWRITES:
            for number in inputs:
                if self._users.get(number) == 1 and self._sizes[number][0] == size:
                    return number
        return self._allocate(size, node.device)

    def _allocate(self, size, device):
        number = next(self._numbers)
        self._sizes[number], self._users[number] = (size, device), 0
        for place in (device, EVERYWHERE):
            fixed, per_image = self._totals[place]
            self._totals[place] = fixed + size[0], per_image + size[1]
            self.moments[place].append(self._totals[place])
        return number

    def _release(self, number):
        if number not in self._users:
            return
        self._users[number] -= 1
        if self._users[number] == 0:
            size, device = self._sizes.pop(number)
            del self._users[number]
            for place in (device, EVERYWHERE):
                fixed, per_image = self._totals[place]
                self._totals[place] = fixed - size[0], per_image - size[1]
