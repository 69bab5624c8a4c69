"""Cuts a part out of a graph: what some tensors and operations need, up to a boundary.

The part can be imported elsewhere, with other tensors in place of those at the boundary. Variables must be
resource variables.
"""

import itertools
from dataclasses import dataclass

import tensorflow.compat.v1 as tf

# Operations that always stay outside: what is fed, handles of variables, input pipelines.
SOURCES = frozenset({'Placeholder', 'PlaceholderWithDefault', 'VarHandleOp', 'VarIsInitializedOp',
                     'IteratorV2', 'OneShotIterator', 'IteratorGetNext'})
_IN_LIBRARY = '_cut'  # Functions are copied without devices, and renamed.


def is_source(op) -> bool:
    """Return whether an operation always stays outside."""
    return op.type in SOURCES


@dataclass(frozen=True)
class Piece:
    """A part of a graph."""
    ops: tuple             # The operations in it, each after those that it needs.
    inputs: tuple          # Tensors from outside, in the order in which `build` takes them.
    control_inputs: tuple  # Operations outside after which it has to run.
    fetches: tuple         # The tensors and operations that it was cut out for.
    graph_def: tf.GraphDef

    def build(self, inputs) -> list:
        """Import the part into the default graph, with these tensors as inputs. -> what was fetched."""
        names = [fetch.name for fetch in self.fetches]
        if not names:
            return []
        input_map = {_input_name(index): tensor for index, tensor in enumerate(inputs)}
        return tf.import_graph_def(self.graph_def, input_map, return_elements=names, name='')


def cut(fetches, boundary=is_source, aliases=None) -> Piece:
    """Cut out what `fetches`, tensors and operations, need. None of them may be outside.

    boundary: function(op) -> bool that tells which operations stay outside, such as those of a type. Their
        outputs become inputs.
    aliases: {name of a tensor: tensor to use in its place}; None = none.

    Devices and colocations are removed, also in the functions of branches, and shapes are inferred anew.
    """
    aliases = aliases or {}
    ops = [op for op in ancestors([_op_of(fetch) for fetch in fetches], boundary, aliases)
           if not boundary(op)]
    inside = {op.name for op in ops}
    inputs, outside = {}, {}
    for op in ops:
        for tensor in inputs_of(op, aliases):
            if tensor.op.name not in inside:
                inputs.setdefault(tensor.name, tensor)
        for control in op.control_inputs:
            if control.name not in inside and not is_source(control):
                outside.setdefault(control.name, control)
    assert not any(tensor.dtype._is_ref_dtype for tensor in inputs.values()), 'not resource variables'
    graph_def = _graph_def(ops, inside, {name: index for index, name in enumerate(inputs)}, aliases)
    return Piece(tuple(ops), tuple(inputs.values()), tuple(outside.values()), tuple(fetches), graph_def)


def ancestors(ops, boundary=is_source, aliases=None) -> list:
    """Return operations and all that they need, each after those that it needs. What operations at the
    boundary need is not included, but they are."""
    aliases = aliases or {}
    done, order = set(), []
    todo = [(op, False) for op in reversed(ops)]
    while todo:
        op, is_ready = todo.pop()
        if is_ready:
            order.append(op)
        elif op.name not in done:
            done.add(op.name)
            todo.append((op, True))
            if not boundary(op):
                needed = [tensor.op for tensor in inputs_of(op, aliases)]
                todo += [(other, False) for other in (*needed, *op.control_inputs)]
    return order


def needed(fetches) -> list:
    """Return all operations that tensors and operations need, sources included, each after those that it
    needs."""
    return ancestors([_op_of(fetch) for fetch in fetches], boundary=lambda op: False)


def inputs_of(op, aliases) -> list:
    """Return the input tensors of an operation, with aliases in their places."""
    return [aliases.get(tensor.name, tensor) for tensor in op.inputs] if aliases else list(op.inputs)


def _op_of(fetch):
    return fetch if isinstance(fetch, tf.Operation) else fetch.op


def _input_name(index):
    return f'input_of_piece_{index}'


def _graph_def(ops, inside, input_indices, aliases):
    graph_def = tf.GraphDef()
    for op in ops:
        node = _bare(graph_def.node.add(), op.node_def)
        tensors = inputs_of(op, aliases)
        node.input[:] = [_input_name(input_indices[tensor.name]) if tensor.name in input_indices
                         else tensor.name.removesuffix(':0') for tensor in tensors]
        node.input.extend(f'^{control.name}' for control in op.control_inputs if control.name in inside)
    _add_functions(graph_def)
    return graph_def


def _bare(node, source):
    """Copy a node without its device, and with the new names of functions. -> the copy."""
    node.CopyFrom(source)
    node.device = ''
    if '_class' in node.attr:
        del node.attr['_class']
    for function in _functions_of(node):
        function.name += _IN_LIBRARY
    return node


def _functions_of(node):
    """Return the references to functions in the attributes of a node."""
    return [function for attr in node.attr.values()
            for function in itertools.chain([attr.func] if attr.HasField('func') else [], attr.list.func)]


def _add_functions(graph_def):
    """Add the functions that nodes call, and those that these call."""
    graph = tf.get_default_graph()
    todo = [function.name for node in graph_def.node for function in _functions_of(node)]
    done = set()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        source = graph._get_function(name.removesuffix(_IN_LIBRARY)).cached_definition
        function = graph_def.library.function.add()
        function.CopyFrom(source)
        function.signature.name = name
        for node, stored in zip(function.node_def, source.node_def, strict=True):
            _bare(node, stored)
            todo += [other.name for other in _functions_of(node)]
