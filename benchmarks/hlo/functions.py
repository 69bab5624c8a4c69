"""Pure functions out of operations: what variables hold becomes inputs, what is assigned outputs."""

from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.eager import context

from benchmarks.hlo import modules
from dnnlib.tflib import xla


@dataclass(frozen=True)
class Input:
    """A parameter of a function."""
    name: str              # Of the variable or placeholder.
    shape: tuple
    dtype: np.dtype
    variable: object       # None = a placeholder.


@dataclass(frozen=True)
class Output:
    """A result of a function."""
    name: str
    shape: tuple
    dtype: np.dtype
    input: int | None      # Number of the parameter of which it is the new value. None = not of a variable.


class PureFunction:
    """What operations and tensors of the default graph compute, as a function without variables.

    The graph must have been built after `xla.enable()`. All shapes must be fixed.

    module         HloModuleProto.
    inputs         [Input], in the order of the parameters: those of placeholders, then those of variables.
    outputs        [Output], in the order of the results: tensors that are fetched, then variables that are
                   assigned.
    """

    def __init__(self, fetches, name, known):
        """Compile.

        fetches: operations and tensors. name: of what they return. known: {placeholder: number} for those
        that are no parameters.
        """
        self._piece = xla.cut(fetches)
        self._known = {tensor.name: value for tensor, value in known.items()}
        self._num_tensors = sum(isinstance(fetch, tf.Tensor) for fetch in fetches)
        variables = {var.handle.name: var for var in tf.global_variables()}
        fed = [tensor for tensor in self._piece.inputs if self._is_fed(tensor)]
        held = [tensor for tensor in self._piece.inputs if tensor.dtype == tf.resource]
        self.inputs = [_input(tensor) for tensor in fed]
        self.inputs += [_input(tensor, variables[tensor.name]) for tensor in held]
        self._position = {tensor.name: index for index, tensor in enumerate([*fed, *held])}
        with context.eager_mode():
            self._compile([tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in fed])
        self.outputs = self._outputs(name)

    def _is_fed(self, tensor):
        return (tensor.dtype != tf.resource and tensor.name not in self._known
                and tensor.op.type != 'VarIsInitializedOp')

    def _compile(self, specs):
        for function_def in self._piece.graph_def.library.function:
            context.context().add_function_def(function_def)
        self._variables = [tf.Variable(tf.zeros(item.shape, item.dtype), use_resource=True)
                           for item in self.inputs[len(specs):]]

        def body(*args):
            graph = tf.get_default_graph()
            parameters = [*args, *(graph.capture(var.handle) for var in self._variables)]
            results = self._piece.build([self._value(tensor, parameters) for tensor in self._piece.inputs])
            with tf.control_dependencies([getattr(result, 'op', result) for result in results]):
                return [tf.identity(result) if isinstance(result, tf.Tensor) else tf.constant(0)
                        for result in results]

        self._function = tf.function(body, jit_compile=True, autograph=False)
        compiler = self._function.experimental_get_compiler_ir(*specs)
        self.module = modules.parse(compiler(stage='hlo_serialized'))
        assert len(modules.parameters(self.module)) == len(self.inputs)

    def _value(self, tensor, parameters):
        """Return what takes the place of an input of the piece."""
        if tensor.name in self._position:
            return parameters[self._position[tensor.name]]
        # Variables are initialized before a step runs.
        return tf.constant(self._known.get(tensor.name, True), tensor.dtype)

    def _outputs(self, name):
        sources = modules.updated_parameters(self.module)
        results = []
        for index, (shape, dtype) in enumerate(modules.results(self.module)):
            source = sources.get(index)
            results.append(Output(name if source is None else self.inputs[source].name, shape, dtype, source))
        return results

    def __call__(self, values):
        """Compute the results with XLA on this machine. values: an array for each of the inputs."""
        num_fed = len(values) - len(self._variables)
        with context.eager_mode():
            for var, value in zip(self._variables, values[num_fed:], strict=True):
                var.assign(value)
            returned = self._function(*[tf.constant(value) for value in values[:num_fed]])
            return [returned[index].numpy() if output.input is None
                    else self._variables[output.input - num_fed].numpy()
                    for index, output in enumerate(self.outputs)]


def _input(tensor, variable=None):
    name = tensor.name.removesuffix(':0')
    source = tensor if variable is None else variable
    dtype = np.dtype(source.dtype.base_dtype.as_numpy_dtype)
    return Input(name, tuple(source.shape.as_list()), dtype, variable)
