"""Runs the steps of a training graph: as they are or, with XLA, each compiled when its phase begins."""

import dnnlib.tflib as tflib
from dnnlib.tflib import xla

COMPILED = ('G_train', 'G_reg', 'D_train', 'D_reg', 'Gs_update')


class Steps:
    """Runs operations of a TrainGraph. With XLA on, a step is compiled once for each phase of the schedule: a
    minibatch per device and, while networks grow, a resolution with or without fading layers."""

    def __init__(self, graph):
        self._inputs = graph.inputs
        # Without losses or variables, there is nothing to compile.
        steps = {name: getattr(graph, name) for name in COMPILED} if xla.is_enabled() else {}
        self._names = {op: name for name, op in steps.items() if op.inputs or op.control_inputs}
        self._has_images = {op for op, name in self._names.items() if name != 'Gs_update'}
        self._has_conditions = {op: xla.has_conditions(op) for op in self._names}
        self._compiled = {}  # (name, phase) -> operation
        self.num_compiled = 0

    def run(self, ops, feed_dict, sched):
        """Run operations in one session call. `sched`: the settings of the schedule that are fed."""
        compiled, new = [], []
        for op in ops:
            name = self._names.get(op)
            key = None if name is None else (name, *self._phase(op, sched))
            if key is not None and key not in self._compiled:
                self._compiled[key] = self._compile(op, *key)
                new.append(name)
            compiled.append(self._compiled.get(key, op))
        if not new:
            tflib.run(compiled, feed_dict)
            return
        with xla.first_run(' and '.join(new)):
            tflib.run(compiled, feed_dict)
        self.num_compiled += len(new)

    def _compile(self, op, name, minibatch_gpu, lod):
        return xla.compiled(op, name, known={self._inputs.minibatch_gpu: minibatch_gpu}, decided=lod)

    def _phase(self, op, sched):
        """Return what a step is compiled for: images per device, None where they do not matter, and the phase
        of the level of detail, None without growing layers."""
        lod = xla.phase_of(sched.lod) if self._has_conditions[op] else None
        return sched.minibatch_gpu if op in self._has_images else None, lod
