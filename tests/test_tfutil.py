"""Test dnnlib.tflib.tfutil: sessions, variables, small expressions, image conversion."""

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib import tfutil
from dnnlib.util import UserError
from tests.golden_figures import fresh_session
from tests.small_networks import graph_ops


@pytest.fixture
def no_session():
    """Provide a graph without a default session, and close any session that the test opens."""
    with tf.Graph().as_default():
        yield
        session = tf.get_default_session()
        if session is not None:
            session.kept_default.__exit__(None, None, None)
            session.close()


def test_every_use_of_a_session_says_how_to_get_one(no_session):
    message = r'No default TensorFlow session found. Please call dnnlib.tflib.init_tf\(\).'
    for use in (tflib.assert_tf_initialized, tfutil.default_session, tflib.init_uninitialized_vars,
                lambda: tflib.run([]), lambda: tflib.set_vars({}), lambda: tflib.Network(func_name='x.y')):
        with pytest.raises(RuntimeError, match=message):
            use()


def test_init_tf_installs_one_session_for_good(no_session):
    tflib.init_tf()
    session = tf.get_default_session()
    tflib.init_tf({'rnd.np_random_seed': 1})
    assert tf.get_default_session() is session
    with fresh_session() as other:
        assert tf.get_default_session() is other
    assert tf.get_default_session() is session
    assert session.run(tf.constant(3)) == 3


def test_a_numpy_seed_decides_all_random_numbers(no_session):
    tflib.init_tf({'rnd.np_random_seed': 5})
    expected = np.random.RandomState(5).randint(1 << 31)
    assert tf.get_default_graph().seed == expected


def test_a_second_init_tf_leaves_seeds_alone(no_session):
    tflib.init_tf({'rnd.tf_random_seed': 7})
    np.random.seed(3)
    tflib.init_tf({'rnd.np_random_seed': 4, 'rnd.tf_random_seed': 8})
    assert tf.get_default_graph().seed == 7
    assert np.random.randint(1 << 31) == np.random.RandomState(3).randint(1 << 31)


def test_seeds_of_none_are_left_alone(no_session):
    np.random.seed(3)
    tflib.init_tf({'rnd.tf_random_seed': None})
    assert tf.get_default_graph().seed is None
    assert np.random.randint(1 << 31) == np.random.RandomState(3).randint(1 << 31)


@pytest.mark.parametrize('before, config, after', [
    (None, None, '1'), ('3', None, '3'), ('3', {'env.TF_CPP_MIN_LOG_LEVEL': 0}, '0')])
def test_environment_variables_yield_to_the_user_only(before, config, after, no_session, monkeypatch):
    if before is None:
        monkeypatch.delenv('TF_CPP_MIN_LOG_LEVEL')
    else:
        monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', before)
    tflib.create_session(config).close()
    assert os.environ.get('TF_CPP_MIN_LOG_LEVEL') == before
    tflib.init_tf(config)
    assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == after


def test_an_environment_key_has_two_parts(no_session):
    with pytest.raises(ValueError):
        tflib.init_tf({'env.A.B': '1'})


def test_sessions_take_the_memory_of_gpus_as_they_need_it():
    for config in (None, {}, {'device_count.GPU': 0}, {'gpu_options.visible_device_list': '0'}):
        assert tfutil.session_config(config).gpu_options.allow_growth


def test_other_keys_are_fields_of_the_session_configuration(no_session):
    config = {'gpu_options.allow_growth': False, 'intra_op_parallelism_threads': 1}
    with tflib.create_session(config) as session:
        assert not session._config.gpu_options.allow_growth
        assert session._config.intra_op_parallelism_threads == 1
        assert session._config.graph_options.place_pruned_graph
        assert session._config.allow_soft_placement
    with pytest.raises(AttributeError):
        tflib.create_session({'no_such_field': 1})


@pytest.mark.parametrize(('before', 'config', 'after'), [
    (True, {}, False), (False, {'math.allow_tf32': True}, True), (True, {'math.allow_tf32': False}, False)])
def test_float32_is_not_rounded_to_tf32_unless_requested(before, config, after, no_session):
    """TensorFlow's own default is to round on GPUs that can."""
    switch = tf.config.experimental
    switch.enable_tensor_float_32_execution(before)
    tflib.init_tf(config)
    assert switch.tensor_float_32_execution_enabled() is after
    tflib.init_tf({'math.allow_tf32': not after})
    assert switch.tensor_float_32_execution_enabled() is after, 'a second call leaves it alone'
    switch.enable_tensor_float_32_execution(False)


def test_fields_in_maps_are_set_by_their_keys():
    with tflib.create_session({'device_count.CPU': 3}) as session:
        assert dict(session._config.device_count) == {'CPU': 3}
        assert len(session.list_devices()) == 3


@pytest.fixture
def pretend_gpus(monkeypatch):
    """Return a function that makes TensorFlow report `count` GPUs."""
    def pretend(count):
        monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: [kind] * count)

    return pretend


def test_without_gpus_every_device_is_a_cpu_device_of_its_own(pretend_gpus):
    pretend_gpus(0)
    assert tflib.device_config(1) == {}
    with fresh_session(tflib.device_config(3)) as session:
        indices = []
        for index in range(3):
            with tflib.device(index):
                indices.append(tf.constant(index))
        metadata = tf.RunMetadata()
        session.run(indices, options=tf.RunOptions(output_partition_graphs=True), run_metadata=metadata)
        used = {graph.node[0].device[-5:] for graph in metadata.partition_graphs}
    assert used == {'CPU:0', 'CPU:1', 'CPU:2'}


def test_gpus_are_used_as_they_are_and_have_to_suffice(pretend_gpus):
    pretend_gpus(2)
    assert tflib.device_config(1) == tflib.device_config(2) == {}
    with tflib.device(1):
        assert tf.zeros([]).device == '/device:GPU:1'
    with pytest.raises(UserError, match='--num-gpus=4: the number of GPUs .* is 2; use at most 2'):
        tflib.device_config(4)


def test_variables_are_initialized_once_and_keep_their_values(session):
    a = tf.get_variable('a', initializer=np.float32(1))
    with tf.variable_scope('scope'), tf.name_scope('elsewhere'):
        b = tf.get_variable('b', initializer=np.float32(2))
    session.run(tf.assign(b, 5.0))
    tflib.init_uninitialized_vars()
    assert session.run([a, b]) == [1, 5]
    assert {'a/IsVariableInitialized', 'scope/b/IsVariableInitialized'} <= graph_ops()
    session.run(tf.assign(a, 9.0))
    before = graph_ops()
    tflib.init_uninitialized_vars([a])
    assert session.run(a) == 9
    assert graph_ops() == before, 'the check of a variable is built once'


def test_a_new_variable_is_initialized_by_the_next_call(session):
    tflib.init_uninitialized_vars()
    late = tf.get_variable('late', initializer=np.float32(4))
    with tf.control_dependencies([tf.placeholder(tf.float32)]):
        tflib.init_uninitialized_vars()
    assert session.run(late) == 4


def test_set_vars_assigns_everything_through_setters_that_are_built_once(session):
    with tf.variable_scope('net'):
        a = tf.get_variable('a', shape=[2, 3])
        b = tf.get_variable('b', shape=[], dtype=tf.int32)
    value = np.arange(6.0).reshape(2, 3)
    with tf.control_dependencies([tf.placeholder(tf.float32)]), tf.name_scope('elsewhere'):
        tflib.set_vars({a: value, b: 7})
    np.testing.assert_array_equal(session.run(a), value)
    assert session.run(b) == 7
    assert {'net/a/setter', 'net/a/new_value', 'net/b/setter'} <= graph_ops()
    before = graph_ops()
    tflib.set_vars({a: value + 1})
    assert graph_ops() == before
    np.testing.assert_array_equal(session.run(a), value + 1)


def test_set_vars_refuses_other_shapes_and_assigns_nothing(session):
    a, b = tf.get_variable('a', initializer=np.zeros(2, np.float32)), tf.get_variable('b', shape=[3])
    session.run(a.initializer)
    with pytest.raises(ValueError, match='Cannot feed value of shape'):
        tflib.set_vars({a: np.ones(2), b: np.ones(2)})
    np.testing.assert_array_equal(session.run(a), [0, 0])


def test_initial_values_from_outside_take_no_new_operations(session):
    a, b = tf.Variable(tf.zeros([2]), name='a'), tf.get_variable('b', [3], tf.int32, tf.initializers.ones())
    operations = graph_ops()
    tfutil.set_initial_values({a: np.array([1, 2]), b: [3, 4, 5]})
    assert [value.tolist() for value in session.run([a, b])] == [[1, 2], [3, 4, 5]]
    assert graph_ops() == operations
    session.run([a.initializer, b.initializer])
    assert [value.tolist() for value in session.run([a, b])] == [[0, 0], [1, 1, 1]], 'their own again'
    with pytest.raises(ValueError, match='shape'):
        tfutil.set_initial_values({a: np.zeros(3)})


def test_variables_that_start_from_one_tensor_get_values_of_their_own(session):
    zeros = tf.zeros([2])
    a, b = tf.Variable(zeros), tf.Variable(zeros)
    tfutil.set_initial_values({a: [1, 2], b: [3, 4]})
    assert [value.tolist() for value in session.run([a, b])] == [[1, 2], [3, 4]]


def test_large_initial_values_stay_out_of_the_graph(session):
    value = np.random.RandomState(1).randn(1000)
    var = tflib.create_var_with_large_initial_value(value, name='large', trainable=False)
    np.testing.assert_array_equal(session.run(var), value)
    assert tf.get_default_graph().as_graph_def().ByteSize() < 4000
    assert not var.trainable
    with pytest.raises(AssertionError):
        tflib.create_var_with_large_initial_value([1.0])


def test_expressions_follow_their_formulas(module_session):
    x = np.array([[0.5, 2.0, 9.0]], np.float32)
    t = tf.constant(x)
    results = tflib.run([tflib.flatten(t), tflib.log2(t), tflib.exp2(t), tflib.lerp(t, 3.0, 0.25),
                         tflib.lerp_clip(t, 3.0, 1.5), tflib.lerp_clip(t, 3.0, -1.0)])
    expected = [x[0], np.log2(x), np.exp2(x), x + (3 - x) * 0.25, x * 0 + 3, x]
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-5)
    np.testing.assert_allclose(tflib.run(tflib.erfinv(tf.math.erf(t * 0.1))), x * 0.1, rtol=1e-4)


def test_what_a_tensorflow_expression_is(module_session):
    tensor = tf.zeros([2])
    assert all(map(tflib.is_tf_expression, (tensor, tf.get_variable('v', shape=[]), tensor.op)))
    assert not any(map(tflib.is_tf_expression, (1.0, np.zeros(2), None, [tensor])))
    assert tflib.shape_to_list(tf.placeholder(tf.float32, [None, 3]).shape) == [None, 3]


def test_absolute_scopes_ignore_where_they_are_entered(module_session):
    with tf.name_scope('outer'), tf.variable_scope('outer'):
        with tflib.absolute_name_scope('abs/name'):
            assert tf.zeros([], name='x').name == 'abs/name/x:0'
        with tflib.absolute_variable_scope('abs/var'):
            var = tf.get_variable('w', shape=[])
            assert tf.zeros([], name='y').name.startswith('outer'), 'only variables go there'
    with tflib.absolute_variable_scope('abs/var', reuse=True):
        assert tf.get_variable('w', shape=[]) is var
    assert var.name == 'abs/var/w:0'


def test_uint8_images_become_floats_in_the_range(module_session):
    images = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1)  # [N,H,W,C]
    default, other = tflib.run([
        tflib.convert_images_from_uint8(tf.constant(images)),
        tflib.convert_images_from_uint8(tf.constant(images), drange=[0, 5], nhwc_to_nchw=True)])
    assert default.dtype == np.float32
    np.testing.assert_allclose(default.ravel(), [-1, -0.6, 1], rtol=1e-6)
    np.testing.assert_allclose(other, np.array([0, 1, 5]).reshape(1, 1, 1, 3), rtol=1e-6)


def test_float_images_become_uint8_with_rounding_and_saturation(module_session):
    values = np.array([-7, -1, -0.6, 0.004, 1, 7], np.float32).reshape(1, 1, 1, 6)
    images = tflib.run(tflib.convert_images_to_uint8(tf.constant(values)))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images.ravel(), [0, 0, 51, 128, 255, 255])
    images = tflib.run(tflib.convert_images_to_uint8(tf.constant(values), drange=[0, 10], nchw_to_nhwc=True))
    np.testing.assert_array_equal(images, np.array([0, 0, 0, 0, 26, 179], np.uint8).reshape(1, 1, 6, 1))


def test_shrinking_averages_blocks_before_rounding(module_session):
    values = np.arange(2 * 5 * 4, dtype=np.float32).reshape(1, 2, 5, 4)  # the last row does not fill a block
    images = tflib.run(tflib.convert_images_to_uint8(tf.constant(values), drange=[0, 255], shrink=2))
    np.testing.assert_array_equal(images[0, 0], [[3, 5], [11, 13]])  # means 2.5, 4.5, ... are rounded up
    np.testing.assert_array_equal(images[0, 1], [[23, 25], [31, 33]])


def test_levels_without_the_cast_stay_floats_that_have_gradients(module_session):
    x = tf.constant([1.0, -1.0, 2.0])
    levels = tflib.convert_images_to_uint8(x, uint8_cast=False)
    assert tflib.run(levels).tolist() == [255.5, 0.5, 383.0], 'nothing is cut off'
    assert tflib.run(tf.gradients(levels, x)[0]).tolist() == [127.5] * 3


def test_any_rank_converts_where_no_layout_is_asked_for(module_session):
    assert tflib.run(tflib.convert_images_to_uint8(tf.constant([1.0, -1.0]))).tolist() == [255, 0]


def test_networks_can_print_shapes_the_tf1_way(module_session):
    assert str(tf.placeholder(tf.float32, [None, 512]).shape) == '(?, 512)'
