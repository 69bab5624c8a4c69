"""Compiling steps of a graph with XLA: one computation for each device, variables and their updates included.

    xla.enable()                                 # before anything is built
    ...                                          # networks, losses, an optimizer: as without XLA
    step = xla.compiled(train_op, 'G_train')     # the same op, compiled when it runs for the first time
"""

import contextlib
import re
import time

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib.progress import SECONDS_OF_SILENCE, announced
from dnnlib.tflib.xla import cutting, phases, regions
from dnnlib.tflib.xla.counting import compilations, counted_environment
from dnnlib.tflib.xla.cutting import Piece, cut, needed
from dnnlib.tflib.xla.phases import cond, has_conditions, phase_of
from dnnlib.tflib.xla.switch import CHOICES, disable, enable, enabled, is_enabled, is_on
from dnnlib.util import UserError, format_time

__all__ = ['CHOICES', 'Piece', 'compilations', 'compiled', 'cond', 'counted_environment', 'cut', 'disable',
           'enable', 'enabled', 'first_run', 'has_conditions', 'is_enabled', 'is_on', 'needed', 'phase_of']


def compiled(fetches, name='step', known=None, decided=None):
    """Return an operation or tensor, or a list of them, that does the same in compiled form.

    The graph must have been built after `enable()`. All variables must be initialized before the result runs.
    What is fed to placeholders is fed to the same ones.

    name: of the computations, for messages and profiles.
    known: {tensor: number}. Placeholders that decide about shapes have these values for good: XLA compiles
        for fixed shapes. The values of others are free; they never cause another compilation.
    decided: the value for which all conditions of `xla.cond` are decided. None = they stay open, which XLA
        cannot compile.
    """
    if isinstance(fetches, (tf.Operation, tf.Tensor)):
        return compiled([fetches], name, known, decided)[0]
    assert is_enabled(), 'the graph has to be built after xla.enable()'
    aliases = phases.resolved(fetches, decided)
    fetches = [aliases.get(fetch.name, fetch) for fetch in fetches]
    ops = cutting.ancestors([getattr(fetch, 'op', fetch) for fetch in fetches], aliases=aliases)
    known = {tensor.name: value for tensor, value in (known or {}).items()}
    with tf.name_scope(None), tf.name_scope(f'XLA/{name}'), tf.control_dependencies(None):
        return _Builder(name, regions.divide(ops, aliases), ops, aliases, known).build(fetches)


@contextlib.contextmanager
def first_run(what):
    """Tell in this context, in which a compiled operation runs for the first time, what is being compiled.

    Raises UserError if XLA cannot compile it.
    """
    start = time.monotonic()
    try:
        with announced(f'Compiling {what} with XLA (once)...'):
            yield
    except tf.errors.OpError as error:
        reason = re.search(r'.*(tf2xla|XLA_\w*JIT).*', error.message)
        if reason is None:
            raise
        raise UserError(f'{what}: XLA cannot compile this; start with --xla=off ({reason[0][:300]})'
                        ) from error
    seconds = time.monotonic() - start
    if seconds > SECONDS_OF_SILENCE:
        print(f'Compiled {what} in {format_time(seconds)}.')


class _Builder:
    """Builds the parts of a step as calls of compiled functions, and copies what lies between them."""

    def __init__(self, name, divided, ops, aliases, known):
        self._name, self._regions, self._aliases, self._known = name, divided, aliases, known
        self._tensors, self._ops = {}, {}  # names in the graph -> what has taken their places
        self._ops_by_name = {op.name: op for op in ops}

    def build(self, fetches):
        outputs = self._outputs_of_parts(fetches)
        for depth in range(self._regions.depths):
            for op in self._regions.between[depth]:
                self._copy(op)
            for place in [place for place in self._regions.parts if place[1] == depth]:
                self._call(place, list(outputs[place].values()))
        return [self._new_op(fetch) if isinstance(fetch, tf.Operation) else self._new(fetch)
                for fetch in fetches]

    def _outputs_of_parts(self, fetches):
        """Return {part: {name: tensor that is used outside of it}}."""
        outputs = {place: {} for place in self._regions.parts}
        fetched = [(None, fetch) for fetch in fetches if isinstance(fetch, tf.Tensor)]
        used = [(self._regions.place_of[op.name], tensor) for op in self._ops_by_name.values()
                if op.type not in cutting.SOURCES for tensor in cutting.inputs_of(op, self._aliases)]
        for user, tensor in used + fetched:
            place = self._regions.place_of[tensor.op.name]
            if place in outputs and place != user:
                outputs[place][tensor.name] = tensor
        return outputs

    def _new(self, tensor):
        return self._tensors.get(tensor.name, tensor)

    def _new_op(self, op):
        return self._ops.get(op.name, op)

    def _copy(self, op):
        """Copy an operation that lies between parts."""
        inputs = {f'in{index}': self._new(tensor)
                  for index, tensor in enumerate(cutting.inputs_of(op, self._aliases))}
        graph_def = tf.GraphDef()
        node = graph_def.node.add()
        node.CopyFrom(op.node_def)
        node.name = op.name.replace('/', '_')
        node.input[:] = list(inputs)
        if '_class' in node.attr:
            del node.attr['_class']
        with tf.control_dependencies([self._new_op(control) for control in op.control_inputs]):
            (copy,) = tf.import_graph_def(graph_def, inputs, return_elements=[node.name], name='between')
        self._ops[op.name] = copy
        self._tensors.update((old.name, new) for old, new in zip(op.outputs, copy.outputs, strict=True))

    def _call(self, place, outputs):
        """Add the call of a part."""
        ops = self._regions.parts[place]
        needed = {control.name for op in ops for control in op.control_inputs}
        needed |= {tensor.op.name for op in ops for tensor in cutting.inputs_of(op, self._aliases)}
        last = [op for op in ops if op.name not in needed]
        piece = cut([*outputs, *last], self._regions.boundary(place), self._aliases)
        call, tensors = _compiled_call(
            self._name, piece, [self._new(tensor) for tensor in piece.inputs], self._known, len(outputs),
            [self._new_op(control) for control in piece.control_inputs], place[0])
        self._tensors.update((old.name, new) for old, new in zip(outputs, tensors, strict=True))
        self._ops.update((op.name, call) for op in ops)


def _compiled_call(name, piece, inputs, known, num_outputs, controls, device):
    """Call a piece as a function that XLA compiles. -> the operation, the first `num_outputs` results."""
    constants = {index: _constant(tensor, known) for index, tensor in enumerate(piece.inputs)
                 if tensor.op.type == 'VarIsInitializedOp' or tensor.name in known}
    passed = [tensor for index, tensor in enumerate(inputs) if index not in constants]

    def step(*args):
        args = iter(args)
        results = piece.build([
            tf.constant(constants[index]) if index in constants else next(args)
            for index in range(len(inputs))])
        with tf.control_dependencies(results[num_outputs:]):
            return [*map(tf.identity, results[:num_outputs]), tf.constant(0)]

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in passed]
    function = tf.wrap_function(step, specs, name=name)
    with tf.device(device), tf.control_dependencies(controls):
        results = function(*passed)
    call = results[-1].op
    while call.type not in ('StatefulPartitionedCall', 'PartitionedCall'):
        call = call.inputs[0].op
    call._set_attr('_XlaMustCompile', tf.AttrValue(b=True))
    return call, results[:-1]


def _constant(tensor, known):
    """Return the value that an input of a piece always has. Variables are initialized before."""
    return np.asarray(known.get(tensor.name, True), tensor.dtype.as_numpy_dtype)
