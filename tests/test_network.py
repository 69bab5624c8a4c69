"""dnnlib.tflib.Network: template graphs, evaluation, variables, copies, reports."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib import network_run, tfutil
from tests.golden_figures import fresh_session, set_golden_values
from tests.golden_recipe import golden_input

G_MAIN = 'training.networks_stylegan2.G_main'
D_STYLEGAN2 = 'training.networks_stylegan2.D_stylegan2'
SMALL_G = dict(func_name=G_MAIN, resolution=8, fmap_max=4, latent_size=4, dlatent_size=4, mapping_fmaps=4,
               mapping_layers=2)


def affine(x_in, y_in, width=3, scale=1.0, is_template_graph=False, components=None, **_kwargs):
    """x [N,2] and y [N,1,width] -> x @ weight + bias [N,width], y * scale."""
    x_in.set_shape([None, 2])
    y_in.set_shape([None, 1, width])
    with tf.variable_scope('Dense'):
        weight = tf.get_variable('weight', shape=[2, width], initializer=tf.initializers.ones())
        bias = tf.get_variable('bias', shape=[width], initializer=tf.initializers.zeros())
        out = tf.matmul(x_in, weight) + bias
    count = tf.get_variable('count', initializer=np.float32(0), trainable=False)
    return tf.identity(out + count, name='affine_out'), tf.identity(y_in * scale, name='scaled_out')


def double(x_in, components=None, **_kwargs):
    """x [N,2] -> 2 * x, through a sub-network that is made by the first call."""
    x_in.set_shape([None, 2])
    if 'inner' not in components:
        components.inner = tflib.Network('double_inner', func_name=twice)
    gain = tf.get_variable('gain', initializer=np.float32(1))
    return tf.identity(components.inner.get_output_for(x_in) * gain, name='double_out')


def twice(x_in, **_kwargs):
    """x [N,2] -> 2 * x."""
    x_in.set_shape([None, 2])
    weight = tf.get_variable('weight', initializer=np.float32(2))
    return tf.identity(x_in * weight, name='twice_out')


def open_input(x_in, **_kwargs):
    return tf.identity(x_in, name='out')


def open_output(x_in, **_kwargs):
    x_in.set_shape([None, 1])
    return tf.placeholder_with_default(x_in, shape=None)


def foreign_component(x_in, components=None, **_kwargs):
    components.inner = 'not a network'
    return twice(x_in)


def equal_components(x_in, components=None, **_kwargs):
    components.first = tflib.Network('same', func_name=twice)
    components.second = tflib.Network('same', func_name=twice)
    return twice(x_in)


def no_input(x_in=None, **_kwargs):
    return tf.zeros([1, 1])


def list_output(x_in, **_kwargs):
    return [twice(x_in)]


def add_to_all(*tensors, amount):
    return [x + amount for x in tensors]


def sum_pair(x, y):
    return x + y


@pytest.fixture(scope='module')
def net(module_session):
    """An `affine` network; tests that change its variables restore them."""
    return tflib.Network('net', func_name=affine, scale=2.0)


@pytest.fixture(scope='module')
def generator(module_session):
    G = tflib.Network('G', **SMALL_G)
    set_golden_values(G)
    return G


X = np.arange(10, dtype=np.float32).reshape(5, 2)
Y = np.arange(15, dtype=np.float32).reshape(5, 1, 3)
AFFINE_X = np.repeat(X.sum(axis=1, keepdims=True), 3, axis=1)


def graph_ops():
    return {op.name for op in tf.get_default_graph().get_operations()}


# Template graph.

def test_a_network_knows_its_inputs_outputs_and_variables(net):
    assert (net.name, net.num_inputs, net.num_outputs) == ('net', 2, 2)
    assert net.input_names == ['x_in', 'y_in']
    assert net.output_names == ['affine_out', 'scaled_out']
    assert net.input_shapes == [[None, 2], [None, 1, 3]]
    assert net.output_shapes == [[None, 3], [None, 1, 3]]
    assert net.input_shape == [None, 2]
    assert net.output_shape == [None, 3]
    templates = [t.name for t in net.input_templates + net.output_templates]
    assert templates == [f'{net.scope}/{name}:0' for name in ('x_in', 'y_in', 'affine_out', 'scaled_out')]
    assert list(net.own_vars) == list(net.vars) == ['Dense/weight', 'Dense/bias', 'count']
    assert list(net.trainables) == ['Dense/weight', 'Dense/bias']
    assert net.var_global_to_local[f'{net.scope}/Dense/weight'] == 'Dense/weight'
    assert net.static_kwargs.scale == 2.0
    assert all(t.dtype == tf.float32 for t in net.input_templates)


def test_names_may_repeat_and_scopes_are_unique(session):
    with tf.name_scope('elsewhere'), tf.variable_scope('elsewhere'):
        nets = [tflib.Network('N', func_name=affine) for _ in range(3)]
    assert [net.name for net in nets] == ['N'] * 3
    assert [net.scope for net in nets] == ['N', 'N_1', 'N_2']
    assert [net.vars['count'].name for net in nets] == ['N/count:0', 'N_1/count:0', 'N_2/count:0']
    assert tflib.Network(func_name=twice).name == 'twice'
    for name in ('a b', 'a/b', 'ä'):
        with pytest.raises(AssertionError):
            tflib.Network(name, func_name=twice)


def test_a_network_built_under_a_condition_does_not_depend_on_it(session):
    with tf.control_dependencies([tf.placeholder(tf.float32, name='never_fed')]):
        net = tflib.Network('net', func_name=twice)
    assert session.run(net.output_templates[0], {net.input_templates[0]: [[1, 2]]}).tolist() == [[2, 4]]


def test_components_have_scopes_at_the_root_and_prefixes_by_name(session):
    nets = [tflib.Network('D', func_name=double) for _ in range(2)]
    assert [net.components.inner.scope for net in nets] == ['double_inner', 'double_inner_1']
    for net in nets:
        assert list(net.own_vars) == ['gain']
        assert list(net.vars) == list(net.trainables) == ['gain', 'double_inner/weight']
        assert net.vars['double_inner/weight'] is net.components.inner.vars['weight']
        assert net.get_var_local_name(f'{net.components.inner.scope}/weight') == 'double_inner/weight'
    assert nets[0].run(X).tolist() == (2 * X).tolist()


@pytest.mark.parametrize('func, message', [
    (open_input, 'Network input shapes not defined. Please call x.set_shape'),
    (open_output, 'Network output shapes not defined. Please call x.set_shape'),
    (foreign_component, 'Components of a Network must be Networks themselves.'),
    (equal_components, 'Components of a Network must have unique names.')])
def test_faults_of_a_build_function_are_named(func, message, module_session):
    with pytest.raises(ValueError, match=message):
        tflib.Network('bad', func_name=func)


def test_a_build_function_has_inputs_and_returns_tensors(module_session):
    for func in (no_input, list_output):
        with pytest.raises(AssertionError):
            tflib.Network('bad', func_name=func)
    with pytest.raises(AssertionError):
        tflib.Network('bad', func_name=lambda x: x)
    with pytest.raises(AssertionError):
        tflib.Network('bad', func_name=twice, kwarg=lambda x: x)
    with pytest.raises(AttributeError):
        tflib.Network('bad', func_name='tests.test_network.absent')


# Building on tensors.

def test_output_follows_scope_device_and_dependencies_of_the_caller(net):
    with tf.name_scope('caller'), tf.device('/cpu:0'):
        out, _ = net.get_output_for(tf.constant(X), tf.constant(Y))
    assert out.name == 'caller/net/affine_out:0'
    assert 'cpu:0' in out.device.lower()
    np.testing.assert_allclose(tflib.run(out), AFFINE_X)


def test_outputs_come_as_built_or_as_a_list(net):
    x, y = tf.constant(X), tf.constant(Y)
    assert isinstance(net.get_output_for(x, y), tuple)
    assert isinstance(net.get_output_for(x, y, return_as_list=True), list)
    single = tflib.Network('single', func_name=twice)
    assert isinstance(single.get_output_for(x), tf.Tensor)
    assert len(single.get_output_for(x, return_as_list=True)) == 1


def test_missing_inputs_become_zeros_of_the_same_batch(net):
    before = graph_ops()
    out, scaled = net.get_output_for(None, tf.constant(Y))
    assert any(name.split('/')[-1] == 'x_in' for name in graph_ops() - before)
    out, scaled = tflib.run([out, scaled])
    np.testing.assert_array_equal(out, np.zeros([5, 3]))
    np.testing.assert_array_equal(scaled, Y * 2)
    with pytest.raises(AssertionError):
        net.get_output_for(None, None)
    with pytest.raises(AssertionError):
        net.get_output_for(tf.constant(X))


def test_dynamic_arguments_override_static_ones(net):
    assert tflib.run(net.get_output_for(tf.constant(X), tf.constant(Y), scale=10.0)[1]).max() == 140


def test_shapes_that_the_network_knows_reach_the_callers_tensors(net):
    x = tf.placeholder(tf.float32, [7, None])
    y = tf.placeholder(tf.float32)
    out, _ = net.get_output_for(x, y)
    assert x.shape.as_list() == [7, 2]
    assert y.shape.as_list() == [None, 1, 3]
    assert out.shape.as_list() == [7, 3]
    with pytest.raises(ValueError):
        net.get_output_for(tf.zeros([7, 5]), y)


# Running on arrays.

def test_run_returns_a_tuple_a_list_or_one_array(net):
    out, scaled = net.run(X, Y)
    np.testing.assert_allclose(out, AFFINE_X)
    np.testing.assert_allclose(scaled, Y * 2)
    assert isinstance(net.run(X, Y), tuple)
    assert isinstance(net.run(X, Y, return_as_list=True), list)
    single = tflib.Network('single', func_name=twice)
    assert single.run(X).tolist() == (2 * X).tolist()


@pytest.mark.parametrize('minibatch_size', [1, 2, 4, 5, 8])
def test_minibatches_change_nothing(minibatch_size, net):
    whole = net.run(X, Y)
    parts = net.run(X, Y, minibatch_size=minibatch_size)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_items_give_empty_arrays_without_a_session_call(net, monkeypatch):
    net.run(X, Y)
    monkeypatch.setattr(network_run.tfutil, 'run', None)
    out, scaled = net.run(X[:0], Y[:0])
    assert (out.shape, scaled.shape, out.dtype) == ((0, 3), (0, 1, 3), np.float32)


def test_missing_arrays_are_zeros_except_the_first(net):
    out, scaled = net.run(X, None, minibatch_size=2)
    np.testing.assert_allclose(out, AFFINE_X)
    np.testing.assert_array_equal(scaled, np.zeros([5, 1, 3]))
    with pytest.raises(AttributeError):
        net.run(None, Y)
    with pytest.raises(AssertionError):
        net.run(None, None)
    with pytest.raises(AssertionError):
        net.run(X)
    for size in (0, -1):
        with pytest.raises(AssertionError):
            net.run(X, Y, minibatch_size=size)


def test_any_dtype_can_be_fed(net):
    np.testing.assert_allclose(net.run(X.astype(np.uint8), Y.astype(np.float64))[0], AFFINE_X)


def test_transforms_apply_to_all_inputs_and_outputs(net):
    plus_one = dict(func=add_to_all, amount=1.0)
    out, scaled = net.run(X, Y, input_transform=plus_one)
    np.testing.assert_allclose(out, AFFINE_X + 2)
    np.testing.assert_allclose(scaled, (Y + 1) * 2)
    out, scaled = net.run(X, Y, output_transform=plus_one)
    np.testing.assert_allclose(out, AFFINE_X + 1)
    np.testing.assert_allclose(scaled, Y * 2 + 1)


def test_transforms_are_functions_with_a_name_and_keep_the_number_of_tensors(net):
    with pytest.raises(AssertionError):
        net.run(X, Y, output_transform=dict(func=lambda x, y: (x, y)))
    with pytest.raises(AssertionError):
        net.run(X, Y, output_transform=dict(func=sum_pair))


def test_output_dtype_follows_the_transform(generator):
    z = golden_input('z', [3, 4])
    images = generator.run(z, None, randomize_noise=False, minibatch_size=2,
                           output_transform=dict(func=tflib.convert_images_to_uint8, nchw_to_nhwc=True))
    assert (images.shape, images.dtype) == ((3, 8, 8, 3), np.uint8)
    floats = generator.run(z, None, randomize_noise=False).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(images, np.clip(floats * 127.5 + 128, 0, 255).astype(np.uint8))


def test_legacy_arguments_still_work_and_warn_once(generator, capsys):
    network_run._warn_of_legacy_kwargs.cache_clear()
    z = golden_input('z', [2, 4])
    floats = generator.run(z, None, randomize_noise=False)
    legacy = dict(out_mul=3.5, out_add=2.25, randomize_noise=False)
    np.testing.assert_allclose(generator.run(z, None, **legacy), floats * 3.5 + 2.25, rtol=1e-5, atol=1e-5)
    small = generator.run(z, None, out_shrink=4, out_dtype=np.int8, **legacy)
    blocks = (floats * 3.5 + 2.25).reshape(2, 3, 2, 4, 2, 4).mean(axis=(3, 5))
    np.testing.assert_array_equal(small, np.rint(blocks).clip(-128, 127))
    assert small.dtype == np.int8
    printed = capsys.readouterr().out
    assert printed.count('\n') == 2
    assert 'output_transform=dict(func=tflib.convert_images_to_uint8)' in printed
    with pytest.raises(AssertionError):
        generator.run(z, None, output_transform=dict(func=tflib.convert_images_to_uint8), **legacy)


def test_progress_is_printed_per_minibatch(net, capsys):
    net.run(X, Y, minibatch_size=2, print_progress=True)
    assert capsys.readouterr().out == '\r0 / 5\r2 / 5\r4 / 5\r5 / 5\n'


def test_two_devices_share_a_minibatch(net):
    out, scaled = net.run(X[:4], Y[:4], num_gpus=2, minibatch_size=2)
    np.testing.assert_allclose(out, AFFINE_X[:4])
    np.testing.assert_allclose(scaled, Y[:4] * 2)
    devices = []
    for index in range(2):
        with tfutil.device(index):
            devices.append(tf.no_op().device)
    names = [name for name in graph_ops() if name.startswith(f'{net.scope}/_Run/') and '/mul' in name]
    assert set(devices) <= {tf.get_default_graph().get_operation_by_name(name).device for name in names}
    assert devices[0] != devices[1]
    with pytest.raises(tf.errors.InvalidArgumentError):
        net.run(X[:3], Y[:3], num_gpus=2)


def test_a_graph_is_built_once_for_equal_arguments(session):
    net = tflib.Network('net', func_name=affine)
    net.run(X, Y, scale=3.0, output_transform=dict(func=add_to_all, amount=1.0))
    before = graph_ops()
    net.run(X, None, scale=3.0, output_transform=dict(amount=1.0, func=add_to_all), minibatch_size=2)
    assert graph_ops() == before
    net.run(X, Y, scale=4.0, output_transform=dict(func=add_to_all, amount=1.0))
    assert graph_ops() != before


def test_large_arrays_among_the_arguments_are_told_apart(net):
    scale = np.ones([2000, 1, 1], np.float32)
    x, y = np.zeros([2000, 2]), np.ones([2000, 1, 3])
    net.run(x, y, scale=scale)
    scale[1000] = 5
    assert net.run(x, y, scale=scale)[1][1000, 0, 0] == 5


def test_a_frozen_run_keeps_the_values_of_its_first_call(session):
    net = tflib.Network('net', func_name=twice)
    assert net.run(X, assume_frozen=True).max() == 18
    net.set_var('weight', 3.0)
    assert net.run(X, assume_frozen=True).max() == 18
    assert net.run(X).max() == 27


def test_the_number_of_outputs_is_fixed_for_run(generator):
    with pytest.raises(AssertionError):
        generator.run(golden_input('z', [1, 4]), None, return_dlatents=True)


# Variables and copies.

def test_variables_are_found_by_name_or_by_themselves(net):
    weight = net.vars['Dense/weight']
    assert net.find_var('Dense/weight') is net.find_var(weight) is weight
    assert {net.get_var_local_name(x) for x in (weight, weight.name, weight.name[:-2])} == {'Dense/weight'}
    for look_up in (net.find_var, net.get_var, net.get_var_local_name):
        with pytest.raises(KeyError):
            look_up('absent')


def test_values_are_read_and_assigned(session):
    net = tflib.Network('net', func_name=affine)
    net.set_var('Dense/weight', np.full([2, 3], 2.0))
    net.set_var(net.vars['count'], 7)
    assert net.get_var('Dense/weight').tolist() == [[2, 2, 2]] * 2
    assert isinstance(net.get_var('count'), np.float32)
    assert net.get_var('count') == 7
    with pytest.raises(ValueError, match='Cannot feed value of shape'):
        net.set_var('Dense/weight', np.zeros([3, 2]))


def values(net):
    return {name: net.get_var(name).tolist() for name in net.vars}


def test_resetting_reaches_own_all_or_trainable_variables(session):
    net = tflib.Network('net', func_name=double)
    for reset, expected in (('own_vars', [1, 9]), ('vars', [1, 2]), ('trainables', [1, 2])):
        tflib.set_vars(dict.fromkeys(net.vars.values(), 9.0))
        getattr(net, f'reset_{reset}')()
        assert list(values(net).values()) == expected
    net = tflib.Network('net', func_name=affine)
    net.set_var('count', 9)
    net.reset_trainables()
    assert net.get_var('count') == 9


def test_a_clone_has_the_same_values_in_variables_of_its_own(generator):
    clone = generator.clone('Gs')
    assert (clone.name, clone.static_kwargs) == ('Gs', generator.static_kwargs)
    assert clone.scope == 'Gs'
    assert generator.clone().name == 'G'
    assert not set(clone.vars.values()) & set(generator.vars.values())
    assert [net.name for net in clone.components.values()] == ['G_synthesis', 'G_mapping']
    assert values(clone) == values(generator)
    z = golden_input('z', [2, 4])
    np.testing.assert_array_equal(clone.run(z, None, randomize_noise=False),
                                  generator.run(z, None, randomize_noise=False))
    assert clone._build_module_src == generator._build_module_src


def test_a_clone_may_differ_in_arguments(session):
    net = tflib.Network('net', func_name=affine, scale=2.0)
    net.set_var('count', 3)
    other = net.clone(scale=5.0)
    assert other.static_kwargs == dict(scale=5.0)
    assert other.get_var('count') == 3
    with pytest.raises(ValueError, match='Cannot feed value of shape'):
        net.clone(width=4)


def test_conversion_keeps_arguments_and_equal_names(session):
    net = tflib.Network('net', func_name=affine, scale=2.0)
    net.set_var('count', 3)
    other = net.convert(affine, scale=5.0, width=3)
    assert (other.name, other.static_kwargs) == ('net', dict(scale=5.0, width=3))
    assert other.get_var('count') == 3
    other = net.convert('tests.test_network.twice', new_name='other')
    assert (other.name, other.static_kwargs, values(other)) == ('other', dict(scale=2.0), {'weight': 2})


def test_copies_match_by_local_name(session):
    src, dst = (tflib.Network('net', func_name=double) for _ in range(2))
    tflib.set_vars({src.vars['gain']: 5.0, src.vars['double_inner/weight']: 6.0})
    dst.copy_own_vars_from(src)
    assert list(values(dst).values()) == [5, 2]
    dst.copy_vars_from(src)
    assert list(values(dst).values()) == [5, 6]
    src, dst = (tflib.Network('net', func_name=affine) for _ in range(2))
    tflib.set_vars({src.vars['Dense/bias']: np.ones(3), src.vars['count']: 4.0})
    dst.copy_trainables_from(src)
    assert (dst.get_var('Dense/bias').tolist(), dst.get_var('count')) == ([1, 1, 1], 0)
    before = values(dst)
    dst.copy_vars_from(tflib.Network('net', func_name=double))
    assert values(dst) == before, 'nothing in common'


def test_moving_average_covers_components_and_copies_the_rest(session):
    G = tflib.Network('G', **SMALL_G)
    Gs = G.clone('Gs')
    tflib.set_vars({var: np.full(var.shape, 1.0) for var in Gs.vars.values()})
    tflib.set_vars({var: np.full(var.shape, 3.0) for var in G.vars.values()})
    session.run(Gs.setup_as_moving_average_of(G, beta=0.75))
    for name in Gs.vars:
        np.testing.assert_allclose(Gs.get_var(name), 1.5 if name in Gs.trainables else 3.0, err_msg=name)
        np.testing.assert_array_equal(G.get_var(name), 3.0)
    assert {'dlatent_avg', 'lod', 'G_synthesis/noise0'} <= set(Gs.vars) - set(Gs.trainables)
    session.run(Gs.setup_as_moving_average_of(G, beta=tf.constant(1.0), beta_nontrainable=0.5))
    np.testing.assert_allclose(Gs.get_var('G_mapping/Dense0/weight'), 1.5)
    assert not any('_MovingAvg' in op.name for op in Gs.list_ops())


def test_moving_average_ignores_names_that_the_source_lacks(session):
    src, dst = tflib.Network('src', func_name=twice), tflib.Network('dst', func_name=double)
    before = values(dst)
    session.run(dst.setup_as_moving_average_of(src))
    assert values(dst) == before


# Reports.

def test_operations_are_those_of_the_template_without_helpers(generator):
    generator.run(golden_input('z', [1, 4]), None)
    names = [op.name for op in generator.list_ops()]
    assert f'{generator.scope}/latents_in' in names
    assert f'{generator.scope}/G_mapping/Dense0/MatMul' in names
    assert not any('_Run' in name for name in names)


def test_layers_of_a_discriminator_read_like_the_architecture():
    with fresh_session():
        D = tflib.Network('D', func_name=D_STYLEGAN2, resolution=16, fmap_base=128, fmap_max=8)
        layers = D.list_layers()
    assert [name for name, _, _ in layers] == [
        'images_in', 'labels_in', '16x16/FromRGB', '16x16/Conv0', '16x16/Conv1_down', '16x16/Skip',
        '8x8/Conv0', '8x8/Conv1_down', '8x8/Skip', '4x4/MinibatchStddev', '4x4/Conv', '4x4/Dense0', 'Output',
        'scores_out']
    outputs = {name: output for name, output, _ in layers}
    trainables = {name: [D.get_var_local_name(var) for var in found] for name, _, found in layers}
    assert str(outputs['4x4/Dense0'].shape) == '(?, 8)'
    assert trainables['16x16/Conv0'] == ['16x16/Conv0/weight', '16x16/Conv0/bias']
    assert trainables['images_in'] == []
    assert [name for found in trainables.values() for name in found] == list(D.trainables)


def test_layers_of_a_generator_read_like_the_architecture(generator):
    names = [name for name, _, _ in generator.list_layers()]
    blocks = ['4x4/Const', '4x4/Conv', '4x4/ToRGB', '8x8/Conv0_up', '8x8/Conv1', '8x8/Upsample', '8x8/ToRGB']
    assert names == [
        'latents_in', 'labels_in', 'lod', 'dlatent_avg', 'G_mapping/latents_in', 'G_mapping/labels_in',
        'G_mapping/Normalize', 'G_mapping/Dense0', 'G_mapping/Dense1', 'G_mapping/Broadcast',
        'G_mapping/dlatents_out', 'Truncation/Lerp', 'G_synthesis/dlatents_in',
        *(f'G_synthesis/{block}' for block in blocks), 'G_synthesis/images_out',
        'G_synthesis/noise0', 'G_synthesis/noise1', 'G_synthesis/noise2', 'images_out']


def test_the_table_of_layers_has_four_columns_and_a_total(session, capsys):
    net = tflib.Network('net', func_name=affine)
    net.print_layers()
    table = [
        ('net       ', 'Params', 'OutputShape', 'WeightShape'),
        ('---       ', '---   ', '---        ', '---        '),
        ('x_in      ', '-     ', '(?, 2)     ', '-          '),
        ('y_in      ', '-     ', '(?, 1, 3)  ', '-          '),
        ('Dense     ', '9     ', '(?, 3)     ', '(2, 3)     '),
        ('count     ', '-     ', '()         ', '-          '),
        ('add       ', '-     ', '(?, 3)     ', '-          '),
        ('affine_out', '-     ', '(?, 3)     ', '-          '),
        ('mul       ', '-     ', '(?, 1, 3)  ', '-          '),
        ('scaled_out', '-     ', '(?, 1, 3)  ', '-          '),
        ('---       ', '---   ', '---        ', '---        '),
        ('Total     ', '9     ', '           ', '           ')]
    printed = capsys.readouterr().out.split('\n')
    assert (printed[0], printed[-2:]) == ('', ['', ''])
    assert printed[1:-2] == ['  '.join(row) for row in table]


def test_the_table_may_leave_out_layers_without_parameters(net, capsys):
    net.print_layers(title='Title', hide_layers_with_no_params=True)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert [row[0] for row in rows] == ['Title', '---', 'Dense', '---', 'Total']


def test_the_shown_weight_is_the_only_parameter_or_the_shortest_weight(session, capsys):
    tflib.Network('net', func_name=double).print_layers(hide_layers_with_no_params=True)
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if line]
    assert ['gain', '1'] in rows
    assert rows[-1] == ['Total', '2']


def test_every_trainable_gets_a_histogram_of_its_own(session):
    tflib.Network('net', func_name=affine).setup_weight_histograms()
    with tf.name_scope('elsewhere'):
        tflib.Network('net', func_name=double).setup_weight_histograms(title='Title')
    summary = tf.Summary.FromString(session.run(tf.summary.merge_all()))
    assert [value.tag for value in summary.value] == [
        'net_weight/Dense', 'net_bias/Dense', 'Title_toplevel/gain', 'Title_weight/double_inner']


def test_arguments_are_kept_as_an_easy_dict(net):
    assert isinstance(net.static_kwargs, dnnlib.EasyDict)
    assert isinstance(net.components, dnnlib.EasyDict)
