"""Count the multiply-adds of convolutions and dense layers: the arithmetic that a matrix product could do.

Resampling filters, noise, biases, activations and demodulation are not counted, so the resulting limit is the
speed of a network in which everything but the products is free.
"""

import math

import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib

FLOP = 2  # per multiply-add


def of_network(net):
    """Return the multiply-adds per item of one evaluation of a StyleGAN2 network.

    They follow from the definition of the layers, not from how the graph computes them. A layer that doubles
    the resolution is a transposed convolution, which takes k*k*I*O per input pixel.
    """
    return sum(_of_layer(name, output, trainables) for name, output, trainables in net.list_layers())


def _of_layer(name, output, trainables):
    """Count a layer's convolution or dense weight and the dense weight that computes its styles."""
    weights = {var.op.name.rsplit('/', 1)[1]: var.shape.as_list() for var in trainables}
    total = math.prod(weights.get('mod_weight', [0]))
    if 'weight' not in weights:
        return total
    shape = weights['weight']  # [I,O] or [kH,kW,I,O]
    positions = math.prod(output.shape.as_list()[1:]) // shape[-1]  # all axes except N and C
    if name.endswith('_up'):
        positions //= 4
    return total + positions * math.prod(shape)


def of_graph(fetches, feed_dict=None):
    """Return the multiply-adds of all products that one `session.run(fetches, feed_dict)` needs.

    The operands are evaluated to find their shapes, which may already change variables. Use it only on graphs
    that are no longer needed.
    """
    shapes, rules = [], []
    for op in tflib.xla.needed(fetches):
        operands, rule = _RULES.get(op.type, (None, None))
        if rule is not None:
            shapes.append([tf.shape(tensor) for tensor in operands(op)])
            rules.append((rule, op))
    values = tflib.run(shapes, feed_dict)
    return sum(rule(op, *(shape.tolist() for shape in of_op))
               for (rule, op), of_op in zip(rules, values, strict=True))


def _convolution(op, small, kernel):
    """Count a convolution. `small`: shape of the side with one pixel per kernel position; `kernel`
    [kH,kW,I/groups,O]."""
    return math.prod(small) * math.prod(kernel[:3])


def _product(op, a, result):
    transposed = op.get_attr('transpose_a' if op.type == 'MatMul' else 'adj_x')
    return math.prod(result) * a[-2 if transposed else -1]


# {type: (op -> the tensors whose shapes are needed, shapes -> multiply-adds)}
_RULES = {
    'Conv2D': (lambda op: (op.outputs[0], op.inputs[1]), _convolution),
    'Conv2DBackpropInput': (lambda op: (op.inputs[2], op.inputs[1]), _convolution),
    'Conv2DBackpropFilter': (lambda op: (op.inputs[2], op.outputs[0]), _convolution),
    'MatMul': (lambda op: (op.inputs[0], op.outputs[0]), _product),
    'BatchMatMulV2': (lambda op: (op.inputs[0], op.outputs[0]), _product),
}
