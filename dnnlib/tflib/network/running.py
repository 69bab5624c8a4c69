"""Network.run(): evaluation on NumPy arrays, in minibatches, over one or several devices."""

import contextlib
import functools
import inspect

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib import util
from dnnlib.tflib import tfutil, xla
from dnnlib.tflib.inference import inference, on_this_machine
from dnnlib.tflib.network import arguments, replaced_inputs


def run(net, in_arrays, *, output_transform, return_as_list, print_progress, minibatch_size, custom_inputs,
        dynamic_kwargs, **build_kwargs):
    """See `Network.run`."""
    arguments.check_count(net, in_arrays)
    assert minibatch_size is None or minibatch_size >= 1
    output_transform, dynamic_kwargs = _replace_legacy_kwargs(output_transform, dict(dynamic_kwargs))
    own_keywords = [*inspect.signature(net.run).parameters, *LEGACY_KWARGS]
    arguments.check_keywords(net._build_func, net.components, dynamic_kwargs, also=own_keywords)
    dynamic_kwargs = {**on_this_machine(net.static_kwargs), **dynamic_kwargs}
    build_kwargs.update(output_transform=output_transform, dynamic_kwargs=dynamic_kwargs)
    for transform in (build_kwargs['input_transform'], output_transform):
        assert transform is None or util.is_top_level_function(transform['func'])
    functions, batch_size = [None] * net.num_inputs, None
    if custom_inputs is not None:
        functions, batch_size = replaced_inputs.checked(net, custom_inputs, _count(in_arrays), minibatch_size)
    key = _cache_key(build_kwargs), tuple(functions), batch_size
    if key not in net._run_cache:
        net._run_cache[key] = _build(net, functions, batch_size, **build_kwargs)
    in_expr, out_expr, in_shapes = net._run_cache[key]
    arguments.check_arrays(net, in_arrays, in_shapes)
    fetch = functools.partial(_fetch_compiled, net, key, out_expr) if xla.is_enabled() else tfutil.run
    outputs = _evaluate(net, in_arrays, in_expr, out_expr, minibatch_size, print_progress, fetch)
    if return_as_list:
        return outputs
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


@util.paused_gc()
def _build(net, functions, batch_size, input_transform, output_transform, num_gpus, assume_frozen,
           dynamic_kwargs):
    """Return placeholders and output tensors, for any batch that `num_gpus` divides, and the shapes of the
    inputs before the transform as far as they are known.

    functions: for each input one whose tensor [batch_size,...] takes its place, or None. Replaced inputs
    have None for placeholder and shape, and the outputs have gradients.
    """
    replaced = [index for index, function in enumerate(functions) if function is not None]
    with tfutil.absolute_name_scope(net.scope + '/_Run'), tf.control_dependencies(None):
        with tf.device('/cpu:0'):
            in_expr = [tf.placeholder(tf.float32, name=name) for name in net.input_names]
            for index in replaced:
                in_expr[index] = replaced_inputs.tensor(net, index, functions[index], batch_size,
                                                        is_final=input_transform is None)
            in_split = list(zip(*[tf.split(x, num_gpus) for x in in_expr], strict=True))
        out_split = []
        for gpu in range(num_gpus):
            with tfutil.device(gpu):
                net_gpu = net.clone() if assume_frozen else net
                inputs = _apply_transform(input_transform, in_split[gpu])
                assert len(inputs) == net.num_inputs
                outputs = _outputs(net_gpu, inputs, dynamic_kwargs, has_gradients=bool(replaced))
                out_split.append(_transform_outputs(net, outputs, output_transform))
        with tf.device('/cpu:0'):
            out_expr = [_joined(parts) for parts in zip(*out_split, strict=True)]
    in_shapes = [None if x.shape.rank is None else x.shape.as_list() for x in in_split[0]]
    for index in replaced:
        in_expr[index] = in_shapes[index] = None
    if replaced:
        tfutil.init_uninitialized_vars()
    return in_expr, out_expr, in_shapes


def _outputs(net, inputs, kwargs, has_gradients):
    """Return output tensors, in forms that need not have gradients unless `has_gradients`."""
    with contextlib.nullcontext() if has_gradients else inference():
        return net.get_output_for(*inputs, return_as_list=True, **kwargs)


def _transform_outputs(net, outputs, transform):
    """Transform the outputs of a network. Those that only keywords such as return_dlatents add stay as they
    are."""
    own, others = outputs[:net.num_outputs], outputs[net.num_outputs:]
    transformed = _apply_transform(transform, own)
    assert len(transformed) == len(own)
    return transformed + others


def _joined(parts):
    """Return an output of all devices. Encoders fetch it as <scope>/_Run/concat:0."""
    return tf.concat(parts, axis=0) if len(parts) > 1 else tf.identity(parts[0], name='concat')


def _apply_transform(transform, tensors):
    if transform is None:
        return list(tensors)
    kwargs = dict(transform)
    result = kwargs.pop('func')(*tensors, **kwargs)
    return [result] if tfutil.is_tf_expression(result) else list(result)


def _count(in_arrays):
    """Return the number of rows."""
    return next(array.shape[0] for array in in_arrays if array is not None)


def _fetch_compiled(net, key, out_expr, fetches, feed):
    """Fetch the outputs from a graph that is compiled once for each minibatch size."""
    assert fetches is out_expr
    lods = [var for name, var in net.vars.items() if name.split('/')[-1] == 'lod']
    lod = xla.phase_of(float(tfutil.run(lods[0]))) if lods and xla.has_conditions(out_expr[0]) else None
    key = (*key, lod)
    if key not in net._run_cache:
        net._run_cache[key] = xla.compiled(out_expr, net.name, decided=lod), set()
    compiled, sizes = net._run_cache[key]
    size = next(array.shape[0] for array in feed.values())
    with contextlib.nullcontext() if size in sizes else xla.first_run(f'{net.name} for {size} items'):
        values = tfutil.run(compiled, feed)
    sizes.add(size)
    return values


def _evaluate(net, in_arrays, in_expr, out_expr, minibatch_size, print_progress, fetch):
    """Return the outputs. fetch: function of tensors and feed_dict that evaluates whole minibatches; a
    smaller one at the end is not worth compiling."""
    num_items = _count(in_arrays)
    step = minibatch_size or max(num_items, 1)
    outputs = [np.empty([num_items, *x.shape.as_list()[1:]], x.dtype.as_numpy_dtype) for x in out_expr]
    for begin in range(0, num_items, step):
        if print_progress:
            print(f'\r{begin} / {num_items}', end='', flush=True)
        end = min(begin + step, num_items)
        feed = {expr: np.zeros([end - begin, *shape[1:]]) if array is None else array[begin:end]
                for expr, array, shape in zip(in_expr, in_arrays, net.input_shapes, strict=True)
                if expr is not None}
        parts = (fetch if end - begin == step else tfutil.run)(out_expr, feed)
        for whole, part in zip(outputs, parts, strict=True):
            whole[begin:end] = part
    if print_progress:
        print(f'\r{num_items} / {num_items}')
    return outputs


def _cache_key(value):
    """Return a text that depends on the arguments, but not on the order of the dicts in them."""
    def unwind(x):
        if isinstance(x, dict):
            return [(key, unwind(item)) for key, item in sorted(x.items())]
        if isinstance(x, np.ndarray):  # NumPy's repr omits the middle of large arrays.
            return x.dtype, x.shape, x.tobytes()
        return util.get_top_level_function_name(x) if callable(x) else x
    return repr(unwind(value))


LEGACY_KWARGS = ('out_mul', 'out_add', 'out_shrink', 'out_dtype')


@functools.cache
def _warn_of_legacy_kwargs():
    print('DEPRECATED: Network.run() with out_mul, out_add, out_shrink or out_dtype.')
    print('Use output_transform=dict(func=tflib.convert_images_to_uint8) instead.')


def _replace_legacy_kwargs(output_transform, dynamic_kwargs):
    legacy = {name: dynamic_kwargs.pop(name) for name in LEGACY_KWARGS if name in dynamic_kwargs}
    if not legacy:
        return output_transform, dynamic_kwargs
    _warn_of_legacy_kwargs()
    assert output_transform is None
    return dict(func=legacy_output_transform, **legacy), dynamic_kwargs


def legacy_output_transform(*tensors, out_mul=1.0, out_add=0.0, out_shrink=1, out_dtype=None):
    """Return x * out_mul + out_add, averaged over blocks of out_shrink x out_shrink pixels, in out_dtype."""
    results = []
    for x in tensors:
        if out_mul != 1.0:
            x = x * out_mul
        if out_add != 0.0:
            x = x + out_add
        if out_shrink > 1:
            x = tfutil.shrink_images(x, out_shrink)
        if out_dtype is not None:
            x = tf.round(x) if tf.as_dtype(out_dtype).is_integer else x
            x = tf.saturate_cast(x, out_dtype)
        results.append(x)
    return results
