"""What TensorFlow's ops do with memory: which ones share or overwrite buffers, and how long they take."""

import math

import tensorflow.compat.v1 as tf

# Outputs are not allocated during a step: values of variables and of the graph itself.
NOT_ALLOCATED = {'Const', 'Placeholder', 'PlaceholderWithDefault', 'VarHandleOp', 'Variable', 'VariableV2'}

# Output i is input i.
PASSES_ALL = {'IdentityN'}

# Every output is the first input, or that of the variable that is assigned to.
PASSES_FIRST = {
    'Assign', 'AssignAdd', 'AssignSub', 'CheckNumerics', 'EnsureShape', 'Enter', 'Exit', 'ExpandDims',
    'Identity', 'NextIteration', 'PreventGradient', 'ReadVariableOp', 'RefEnter', 'RefIdentity', 'RefSwitch',
    'Reshape', 'Snapshot', 'Squeeze', 'StopGradient', 'Switch'}
MERGES = {'Merge', 'RefMerge'}
SWITCHES = {'RefSwitch', 'Switch'}

# The output may overwrite an input of its size that nothing else needs.
OVERWRITES = {
    'Abs', 'Add', 'AddN', 'AddV2', 'BiasAdd', 'CollectiveReduce', 'CollectiveReduceV2', 'Cos', 'DivNoNan',
    'Elu', 'EluGrad', 'Erf', 'Exp', 'Inv', 'LeakyRelu', 'LeakyReluGrad', 'Log', 'Maximum', 'Minimum', 'Mul',
    'NcclAllReduce', 'Neg', 'Pow', 'RealDiv', 'Reciprocal', 'Relu', 'ReluGrad', 'Rsqrt', 'RsqrtGrad',
    'Select', 'SelectV2', 'Sigmoid', 'SigmoidGrad', 'Sign', 'Sin', 'Softplus', 'SoftplusGrad', 'Sqrt',
    'SqrtGrad', 'Square', 'SquaredDifference', 'Sub', 'Tanh', 'TanhGrad', 'Xdivy'}

# TensorFlow's executor runs these at once; a CPU's others wait for a free thread.
_CHEAP = {'ControlTrigger', 'NoOp', 'Rank', 'Shape', 'ShapeN', 'Size', *NOT_ALLOCATED, *PASSES_ALL,
          *PASSES_FIRST - {'Assign', 'AssignAdd', 'AssignSub'}, *MERGES}

# Speeds of a processor core. Only their proportions matter: the order of ops follows from them.
_BYTES_PER_SECOND = 4e9
_FLOPS_PER_SECOND = 8e10
SECONDS_TO_START = 2e-6


def is_cheap(kind) -> bool:
    """Return whether the executor runs an op of this type at once instead of handing it to a thread."""
    return kind in _CHEAP


def seconds(op, inputs, outputs) -> float:
    """Estimate how long an op takes that reads and writes tensors of these bytes. Linear in both."""
    bytes_ = sum(inputs) + sum(outputs)
    return bytes_ / _BYTES_PER_SECOND + _flops(op, inputs, outputs) / _FLOPS_PER_SECOND


def _flops(op, inputs, outputs):
    """Return the operations of a convolution or matrix product; 0 for other ops."""
    if op.type in _CONVOLUTIONS:
        kernel, pixels = _CONVOLUTIONS[op.type](op, inputs, outputs)
        sizes = kernel.shape.as_list() if kernel.shape.rank == 4 else [0]
        return 2 * pixels / element_bytes(kernel) * math.prod(size or 0 for size in sizes[:3])
    if op.type in ('BatchMatMulV2', 'MatMul'):
        width = op.outputs[0].shape.as_list()[-1] if op.outputs[0].shape.rank else None
        return 2 * inputs[0] / element_bytes(op.inputs[0]) * (width or 0)
    return 0


# {type: (op, bytes of inputs, of outputs) -> weights, bytes of the tensor with a pixel per position of them}
_CONVOLUTIONS = {
    'Conv2D': lambda op, _inputs, outputs: (op.inputs[1], outputs[0]),
    'Conv2DBackpropInput': lambda op, inputs, _outputs: (op.inputs[1], inputs[2]),
    'Conv2DBackpropFilter': lambda op, inputs, _outputs: (op.outputs[0], inputs[2]),
}


def element_bytes(tensor) -> int:
    """Return the bytes of an element of a tensor; 0 for texts and resources."""
    dtype = tensor.dtype.base_dtype
    return 0 if dtype in (tf.string, tf.resource, tf.variant) else max(dtype.size, 1)
