"""Compare networks with the golden figures: outputs, gradients, tables of variables."""

import json

import numpy as np
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from tests.golden_figures import (
    assert_close,
    assert_gradients_close,
    one_hot,
    replaced_randomness,
    set_golden_values,
)
from tests.golden_recipe import golden_input


def cases_by_graph(cases):
    """Group cases that differ only in level of detail and inputs, and so can share a graph."""
    groups = {}
    for case in cases:
        key = json.dumps([case['func'], case['static'], case['run'], case['batch']])
        groups.setdefault(key, []).append(case)
    return list(groups.values())


def unchanged(fetches, decided=0.0):
    """Return what is to be run for nested tensors: these. Others compile them. `decided`: the level of
    detail, 0 as all variables of that name in the golden runs."""
    return fetches


def check_golden_cases(cases, arrays, prepared=unchanged):
    """Build the network of these cases once and compare everything. `arrays`: from the .npz file."""
    net = tflib.Network('net', func_name=cases[0]['func'], **cases[0]['static'])
    inputs, outputs, grads = _graph(net, cases[0])
    for case in cases:
        _check_interface(net, case)
        assert [name for name in net.trainables if grads[name] is None] == case['no_grad'], case['name']
        set_golden_values(net)
        if case['lod'] is not None:
            net.set_var('lod', case['lod'])
        existing = {name: grad for name, grad in grads.items() if grad is not None}
        fetches = prepared([outputs, existing], decided=case['lod'] or 0.0)
        values, existing = tflib.run(fetches, dict(zip(inputs, _inputs(case), strict=True)))
        for i, value in enumerate(values):
            assert_close(value, arrays[f'{case["name"]}:out{i}'], case['name'])
        assert_gradients_close(existing, case['grads'], case['name'])


def _graph(net, case):
    """Return input placeholders, outputs and {name of variable or <input>: gradient or None}."""
    inputs = [tf.placeholder(tf.float32, [case['batch'], *shape]) for _, *shape in case['input_shapes']]
    with replaced_randomness():
        outputs = net.get_output_for(*inputs, return_as_list=True, **case['run'])
    total = tf.add_n([tf.reduce_sum(out * golden_input(f'cotangent{i}', out.shape.as_list()))
                      for i, out in enumerate(outputs)])
    targets = {**net.trainables,
               **{f'<{name}>': x for name, x in zip(net.input_names, inputs, strict=True) if x.shape[1] != 0}}
    grads = tf.gradients(total, list(targets.values()))
    grads = {name: grad for name, grad in zip(targets, grads, strict=True)
             if grad is not None or name in net.trainables}
    return inputs, outputs, grads


def _inputs(case):
    """Return the inputs of a golden case, in the network's order."""
    values = []
    for name, (_, *shape) in zip(case['input_names'], case['input_shapes'], strict=True):
        if name == 'labels_in':
            values.append(one_hot(case['batch'], shape[0]))
        else:
            value = golden_input(f'{case["name"]}/{name}', [case['batch'], *shape])
            values.append(value * 0.5 if name == 'images_in' else value)
    return values


def _check_interface(net, case):
    assert {name: var.shape.as_list() for name, var in net.vars.items()} == case['variables']
    assert list(net.vars) == list(case['variables'])
    assert list(net.trainables) == case['trainable']
    assert net.input_names == case['input_names']
    assert net.output_names == case['output_names']
    assert net.output_shapes == case['output_shapes']


def table_id(table):
    """Name the test for a table."""
    return f'{table["func_name"].split(".")[-1]}-{table["static_kwargs"]}'


def check_variable_table(table, monkeypatch):
    """Compare the variables and shapes of a full-size network with a table."""
    monkeypatch.setattr(tflib.Network, 'reset_own_vars', lambda net: None)  # saves hundreds of MB
    net = tflib.Network('net', func_name=table['func_name'], **table['static_kwargs'])
    variables = {name: [var.shape.as_list(), var.trainable] for name, var in net.vars.items()}
    assert variables == table['variables']
    assert sum(int(np.prod(var.shape.as_list())) for var in net.trainables.values()) == table['parameters']
    assert net.input_names == table['input_names']
    assert net.input_shapes == table['input_shapes']
    assert net.output_shapes == table['output_shapes']
