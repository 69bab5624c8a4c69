"""The order in which TensorFlow's executor runs the ops of a step."""

import collections
import heapq
import itertools

from training.memory_plan import op_kinds


class Executor:
    """Runs nodes without their values, in the order and with the overlaps of TensorFlow's executor.

    An op is ready when all that it waits for has run. A thread goes on with cheap ops that it made ready, and
    with one of the others; the rest it puts in front of its own queue, from whose end idle threads take. Ops
    of a GPU are only started by the executor: all count as cheap, for one thread (threads = 0).
    """

    def __init__(self, nodes, threads, seconds):
        """seconds: function from a node to its time."""
        self._seconds = seconds
        self._all_cheap = threads == 0
        count = max(threads, 1)
        self._queues = [collections.deque() for _ in range(count)]
        self._at_once = [collections.deque() for _ in range(count)]
        self._pending, self._successors = {}, collections.defaultdict(list)
        for node in nodes:
            self._pending[node] = len(node.inputs) + len(node.controls)
            for before in (*(each[0] for each in node.inputs), *node.controls):
                self._successors[before].append(node)
        ready = [node for node in nodes if self._pending[node] == 0]
        for index, node in enumerate(ready):
            self._queues[index % count].append(node)

    def run(self, begin, end):
        """Call begin(node) when an op starts, and end(node) when it has ended."""
        running = []  # heap of (time of its end, order, thread, node)
        order, now = itertools.count(), 0.0
        idle = list(range(len(self._queues)))
        while True:
            waiting = []
            for thread in idle:
                node = self._next(thread)
                if node is None:
                    waiting.append(thread)
                    continue
                begin(node)
                heapq.heappush(running, (now + self._seconds(node), next(order), thread, node))
            if not running:
                return
            now, _, thread, node = heapq.heappop(running)
            end(node)
            self._hand_out(node, thread)
            idle = [*waiting, thread]

    def _next(self, thread):
        """Return the node that an idle thread runs next, or None."""
        if self._at_once[thread]:
            return self._at_once[thread].popleft()
        if self._queues[thread]:
            return self._queues[thread].popleft()
        others = (self._queues[(thread + step) % len(self._queues)] for step in range(1, len(self._queues)))
        return next((queue.pop() for queue in others if queue), None)

    def _hand_out(self, node, thread):
        """Distribute the ops that have become ready with the end of `node` on a thread."""
        kept = None
        for successor in self._successors[node]:
            self._pending[successor] -= 1
            if self._pending[successor] > 0:
                continue
            if self._all_cheap or op_kinds.is_cheap(successor.type):
                self._at_once[thread].append(successor)
                continue
            if kept is not None:
                self._queues[thread].appendleft(kept)
            kept = successor
        if kept is not None:
            (self._queues[thread].appendleft if self._at_once[thread] else self._at_once[thread].append)(kept)
