"""Tensors in place of the arrays of `Network.run`: its `custom_inputs`, as forks of StyleGAN have them.

Encoders build a network on trainable variables in this way, and look its tensors up in the graph.
"""

import inspect

import tensorflow.compat.v1 as tf

from dnnlib.tflib.network.arguments import InputError


def checked(net, custom_inputs, num_items, minibatch_size):
    """Return a function or None for each input, and the number of rows in each minibatch: None, any, if all
    inputs stay.

    Encoders pass a function for labels to synthesis networks, too: those beyond the inputs are not called.
    Raises InputError for anything but a list of functions, and where the last minibatch would be smaller.
    """
    if not isinstance(custom_inputs, (list, tuple)) or len(custom_inputs) < net.num_inputs:
        raise InputError(f'{net.name}: custom_inputs must be a list with a function or None for each of '
                         f'{", ".join(net.input_names)}')
    for index, function in enumerate(custom_inputs):
        if function is not None and not callable(function):
            raise InputError(f'{net.name}: custom_inputs[{index}] must be a function of batch_size and shape '
                             f'or None, not {type(function).__name__}')
    functions = tuple(custom_inputs[:net.num_inputs])
    if all(function is None for function in functions):
        return functions, None
    batch_size = min(minibatch_size or num_items, num_items)
    if num_items % max(batch_size, 1) != 0:
        raise InputError(f'{net.name}: with custom_inputs, minibatch_size must divide the number of rows; '
                         f'found {num_items} rows in minibatches of {batch_size}')
    return functions, batch_size


def tensor(net, index, function, batch_size, is_final):
    """Return the tensor that a function makes for an input, as float32.

    Raises InputError if the function takes other arguments and, if the input `is_final`, not yet to be
    transformed, if its shape is not that of the network.
    """
    shape = [batch_size, *net.input_shapes[index][1:]]
    what = f'{net.name}: custom_inputs[{index}]'
    result = _called(function, dict(batch_size=batch_size, shape=shape, name=net.input_names[index]), what)
    try:
        result = tf.cast(result, tf.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f'{what} returned {type(result).__name__}; expected a tensor of shape {shape}'
                         ) from error
    if is_final and not result.shape.is_compatible_with(shape):
        raise InputError(f'{what} returned a tensor of shape {result.shape}; expected {shape}')
    return result


def _called(function, values, what):
    """Call a function with batch_size and shape or, where it requires other ones of `values`, with these by
    name: functions of encoders take the name of the input, and have a batch size of their own."""
    parameters = inspect.signature(function).parameters.values()
    required = [p.name for p in parameters
                if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if _takes_both(function):
        return function(values['batch_size'], values['shape'])
    if required and set(required) <= set(values):
        return function(**{name: values[name] for name in required})
    raise InputError(f'{what} takes {inspect.signature(function)}, but is called with batch_size and shape')


def _takes_both(function):
    """Return whether a function takes batch_size and shape in this order, by whatever names."""
    signature = inspect.signature(function)
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    first, second = [*signature.parameters, ''][:2]
    return first not in ('shape', 'name') and second not in ('batch_size', 'name')
