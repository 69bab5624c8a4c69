"""HloModuleProto: the form in which one XLA gives a computation to another."""

import collections

import numpy as np
from tensorflow.compiler.xla.service import hlo_pb2

_DTYPES = {1: np.bool_, 4: np.int32, 5: np.int64, 8: np.uint32, 9: np.uint64, 10: np.float16, 11: np.float32,
           12: np.float64}  # of xla.PrimitiveType
_DEFAULT, _HIGHEST = 0, 2  # of xla.PrecisionConfig.Precision
_PRODUCTS = ('dot', 'convolution')
_HOST_TRANSFERS = ('infeed', 'outfeed', 'send', 'recv')
_VALUES = ('parameter', 'get-tuple-element', 'tuple', 'constant')  # opcodes that compute nothing


def parse(serialized):
    """Return the module of these bytes, without what says where it comes from, and with small numbers.

    Older versions of XLA do not read the numbers of newer ones, which have more than 32 bits.
    """
    module = hlo_pb2.HloModuleProto.FromString(serialized)
    for field in ('stack_frame_index', 'original_value_recovery_table'):
        if field in module.DESCRIPTOR.fields_by_name:
            module.ClearField(field)
    numbers = {computation.id: number for number, computation in enumerate(module.computations, 1)}
    count = 0
    for computation in module.computations:
        count = _renumber(computation, numbers, count)
    module.entry_computation_id = numbers[module.entry_computation_id]
    return module


def _renumber(computation, numbers, count):
    """Number instructions from count + 1. -> the last number."""
    ids = {instruction.id: count + place for place, instruction in enumerate(computation.instructions, 1)}
    for instruction in computation.instructions:
        instruction.id = ids[instruction.id]
        for field in (instruction.operand_ids, instruction.control_predecessor_ids):
            field[:] = [ids[old] for old in field]
        instruction.called_computation_ids[:] = [numbers[old] for old in instruction.called_computation_ids]
        instruction.ClearField('metadata')
    computation.root_id = ids[computation.root_id]
    computation.id = numbers[computation.id]
    return count + len(ids)


def instructions(module):
    """Yield the instructions of all computations."""
    for computation in module.computations:
        yield from computation.instructions


def with_products(module, allow_tf32):
    """Return a copy that says whether products of float32 tensors may be computed in TF32."""
    copy = type(module)()
    copy.CopyFrom(module)
    for instruction in instructions(copy):
        if instruction.opcode in _PRODUCTS and _of(instruction.shape)[1] == np.float32:
            instruction.precision_config.operand_precision[:] = [_DEFAULT if allow_tf32 else _HIGHEST] * 2
    return copy


def _of(shape):
    return tuple(shape.dimensions), np.dtype(_DTYPES[shape.element_type])


def parameters(module) -> list:
    """Return (shape, dtype) of the parameters."""
    return [_of(shape) for shape in module.host_program_shape.parameters]


def results(module) -> list:
    """Return (shape, dtype) of the results."""
    result = module.host_program_shape.result
    return [_of(shape) for shape in (result.tuple_shapes or [result])]


def updated_parameters(module) -> dict:
    """Return {number of a result: number of the parameter in whose memory it can be stored}."""
    return {(list(entry.output_shape_index) or [0])[0]: entry.parameter_number
            for entry in module.input_output_alias.entries}


def counts(module) -> collections.Counter:
    """Return how many instructions there are of every opcode, without those that compute nothing."""
    return collections.Counter(
        instruction.opcode for instruction in instructions(module) if instruction.opcode not in _VALUES)


def host_transfers(module) -> list:
    """Return the names of instructions that move data between the device and the host or call into it."""
    return [instruction.name for instruction in instructions(module)
            if instruction.opcode in (*_HOST_TRANSFERS, 'custom-call')
            or instruction.opcode.endswith(('-start', '-done'))]


def kernels(module) -> list:
    """Return (opcode, bytes of operands and results) of what an optimized module runs one after another."""
    entry = next(part for part in module.computations if part.id == module.entry_computation_id)
    shapes = {instruction.id: instruction.shape for instruction in entry.instructions}
    free = (*_VALUES, 'bitcast')
    return [(instruction.opcode, sum(_num_bytes(shape) for shape in (
                instruction.shape, *(shapes[operand] for operand in instruction.operand_ids))))
            for instruction in entry.instructions if instruction.opcode not in free]


def _num_bytes(shape):
    if shape.tuple_shapes:
        return sum(map(_num_bytes, shape.tuple_shapes))
    dimensions, dtype = _of(shape)
    return int(np.prod(dimensions)) * dtype.itemsize
