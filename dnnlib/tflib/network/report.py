"""What a network consists of: its operations and layers, printed as a table and as TensorBoard histograms."""

import numpy as np
import tensorflow.compat.v1 as tf

SKIPPED_SCOPES = ('/Shape', '/strided_slice', '/Cast', '/concat', '/Assign')
PASSIVE_OPS = ('Identity', 'Cast', 'Transpose')


def list_ops(net) -> list:
    """See `Network.list_ops`."""
    prefix = net.scope + '/'
    return [op for op in tf.get_default_graph().get_operations()
            if op.name.startswith(prefix) and not op.name.startswith(prefix + '_')]


def list_layers(net) -> list:
    """See `Network.list_layers`."""
    layers = []
    ops = [op for op in list_ops(net) if op.outputs and '/_' not in op.name[len(net.scope):]]
    _collect_layers(net, net.scope, ops, list(net.vars.items()), 0, layers)
    return layers


def _collect_layers(net, scope, parent_ops, parent_vars, level, layers):
    if any(part in scope for part in SKIPPED_SCOPES):
        return
    prefix = scope + '/'
    local = scope[len(net.scope) + 1:]
    ops = [op for op in parent_ops if op.name == scope or op.name.startswith(prefix)]
    ops = _without_variable_internals(ops)
    variables = [(name, var) for name, var in parent_vars
                 if not local or name == local or name.startswith(local + '/')]
    if not ops and not variables:
        return
    has_direct_ops = any('/' not in op.name[len(prefix):] and op.type not in PASSIVE_OPS for op in ops)
    if (level == 0 or not has_direct_ops) and len(ops) + len(variables) > 1:
        names = [op.name[len(prefix):] for op in ops]
        names += [name[len(local) + 1 if local else 0:] for name, _ in variables]
        for first in dict.fromkeys(name.split('/')[0] for name in names):
            _collect_layers(net, prefix + first, ops, variables, level + 1, layers)
        return
    is_variable = not ops or ops[-1].type == 'VarHandleOp'
    output = variables[-1][1] if is_variable else ops[-1].outputs[0]
    layers.append((local, output, [var for _, var in variables if var.trainable]))


def _without_variable_internals(ops):
    """Return the operations without the initializer, assignment and read of every variable."""
    inside = tuple(op.name + '/' for op in ops if op.type.startswith(('Variable', 'VarHandleOp')))
    return [op for op in ops if not op.name.startswith(inside)] if inside else ops


def print_layers(net, title, hide_layers_with_no_params):
    """See `Network.print_layers`."""
    rows = [[title or net.name, 'Params', 'OutputShape', 'WeightShape'], ['---'] * 4]
    total = 0
    for name, output, trainables in list_layers(net):
        count = sum(int(np.prod(var.shape.as_list())) for var in trainables)
        total += count
        if count or not hide_layers_with_no_params:
            rows.append([name, str(count) if count else '-', str(output.shape), _weight_shape(trainables)])
    rows += [['---'] * 4, ['Total', str(total), '', '']]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    print()
    for row in rows:
        print('  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    print()


def _weight_shape(trainables):
    weights = [var for var in trainables if var.name.endswith('/weight:0')]
    if weights:
        return str(min(weights, key=lambda var: len(var.name)).shape)
    return str(trainables[0].shape) if len(trainables) == 1 else '-'


def setup_weight_histograms(net, title):
    """See `Network.setup_weight_histograms`."""
    title = title or net.name
    with tf.name_scope(None), tf.device(None), tf.control_dependencies(None):
        for local_name, var in net.trainables.items():
            *scopes, leaf = local_name.split('/')
            name = f'{title}_{leaf}/{"_".join(scopes)}' if scopes else f'{title}_toplevel/{leaf}'
            tf.summary.histogram(name, var)
