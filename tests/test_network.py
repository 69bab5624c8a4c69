"""Test dnnlib.tflib.Network: template graphs, building on tensors, variables, copies."""

import io

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.tflib import network_pickle
from tests.golden_recipe import golden_input
from tests.small_networks import AFFINE_X, SMALL_G, X, Y, affine, double, graph_ops, twice


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


# Building on tensors

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
    with pytest.raises(ValueError, match='at least one of them must not be None'):
        net.get_output_for(None, None)
    with pytest.raises(ValueError, match=r'^net takes x_in \[N,2\] and y_in \[N,1,3\], but was given 1'):
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


def test_arguments_are_kept_as_an_easy_dict(net):
    assert isinstance(net.static_kwargs, dnnlib.EasyDict)
    assert isinstance(net.components, dnnlib.EasyDict)


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
    with pytest.raises(ValueError, match=r'Dense/weight \[2, 3\] -> \[2, 4\]'):
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
    unchanged = [np.array_equal(value, before[name]) for name, value in values(dst).items()]
    assert all(unchanged), 'nothing in common'


def test_a_copy_says_what_it_copied_and_what_not_and_why(session, capsys):
    dst, wide = tflib.Network('dst', func_name=affine), tflib.Network('wide', func_name=affine, width=4)
    tflib.set_vars({wide.vars['count']: 7.0})
    with pytest.raises(ValueError, match='variables of another shape'):
        dst.copy_vars_from(wide)
    assert dst.get_var('count') == 0, 'nothing was copied'
    report = dst.copy_vars_from(wide, skip_other_shapes=True)
    assert (report.copied, report.kept, report.unused, report.complete) == (['count'], [], [], False)
    assert report.other_shapes == {'Dense/weight': ([2, 4], [2, 3]), 'Dense/bias': ([4], [3])}
    assert capsys.readouterr().out == (
        'wide -> dst: 1 of 3 variables copied\n'
        '  2 of another shape, kept as they are: Dense/weight [2, 4] -> [2, 3], Dense/bias [4] -> [3]\n')
    report = dst.copy_vars_from(tflib.Network('other', func_name=double))
    assert (report.copied, report.unused) == ([], ['gain', 'double_inner/weight'])
    printed = capsys.readouterr().out
    assert '3 not in the source, kept as they are: Dense/weight, Dense/bias, count' in printed
    assert '2 only in the source, left out: gain, double_inner/weight' in printed
    assert dst.copy_vars_from(dst.clone()).complete
    assert capsys.readouterr().out == '', 'nothing to say about a full copy'


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
    Gs.set_var('dlatent_avg', np.full(4, np.nan))
    session.run(Gs.setup_as_moving_average_of(G))
    np.testing.assert_array_equal(Gs.get_var('dlatent_avg'), 3.0, 'a copy does not depend on what was there')


def test_moving_average_ignores_names_that_the_source_lacks(session):
    src, dst = tflib.Network('src', func_name=twice), tflib.Network('dst', func_name=double)
    before = values(dst)
    session.run(dst.setup_as_moving_average_of(src))
    assert values(dst) == before


def test_a_network_in_use_adds_nothing_to_the_graph(session):
    G = tflib.Network('G', **SMALL_G)
    Gs = G.clone('Gs')

    def use():
        G.run(golden_input('z', [2, 4]), None, minibatch_size=1, truncation_psi=0.5)
        G.set_var('dlatent_avg', G.get_var('dlatent_avg') + 1)
        G.reset_trainables()
        Gs.copy_vars_from(G)
        tflib.init_uninitialized_vars()
        network_pickle.dump(Gs, io.BytesIO())

    use()
    operations = graph_ops()
    use()
    assert graph_ops() == operations
