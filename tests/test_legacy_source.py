"""Test the execution of source texts in old pickles: the modules they see, the networks they build, and
isolation."""

import inspect
import pickle
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.tflib import random
from dnnlib.tflib.legacy import execution, tensorflow_names
from dnnlib.tflib.ops import conv2d, upfirdn_2d
from dnnlib.util import UserError
from tests import legacy_modules
from tests.golden_figures import QUICK, assert_close, fresh_session, set_golden_values
from tests.golden_recipe import golden_input
from tests.gpu_form import built_for_gpus
from training import networks_stylegan2

old_tf = tensorflow_names.bridges()['tensorflow']
Z = golden_input('legacy/z', [2, 3])
X = golden_input('legacy/x', [2, 4, 6, 8])
NHWC = [0, 2, 3, 1]
NCHW = [0, 3, 1, 2]


def build(text, name, **kwargs):
    """Build a network from a function of this source text on the CPU, with golden values."""
    with tf.device('/cpu:0'):
        net = tflib.Network(name, func_name=execution.build_function(text, name), **kwargs)
    set_golden_values(net)
    return net


@pytest.fixture(scope='module')
def generator(module_session):
    return build(legacy_modules.GENERATOR, 'G_parts', fmaps=4)


# The text as a module

def test_a_text_is_executed_once_and_others_get_modules_of_their_own():
    counting = 'import sys\nsys.executed = getattr(sys, "executed", 0) + 1\ndef f(x): return x\n'
    first = execution.build_function(counting, 'f')
    assert execution.build_function(counting, 'f') is first
    assert sys.executed == 1
    other = execution.build_function(counting + '# changed\n', 'f')
    assert sys.executed == 2
    del sys.executed
    assert other.__module__ != first.__module__
    assert first.__module__.startswith('_tflib_network_import_')
    assert sys.modules[first.__module__].f is first
    assert execution.source_of(sys.modules[first.__module__]) == counting


def test_dotted_names_are_followed():
    assert execution.build_function(legacy_modules.NAMES, 'Holder.method')(3) == 3


@pytest.mark.parametrize('name', ['missing', 'Holder.missing', 'not_a_function', ''])
def test_a_name_without_a_function_is_an_error_that_tells_the_functions(name):
    with pytest.raises(UserError, match=f'no function \'{name}\'; it defines .*values'):
        execution.build_function(legacy_modules.NAMES, name)


@pytest.mark.parametrize('text, expected', [
    ('x = 1\ndef f(:\n', r"'f' fails in line 2 \(def f\(:\): SyntaxError"),
    ('x = 1\nx.missing()\n', r"in line 2 \(x.missing\(\)\): AttributeError: .*missing"),
    ('def g():\n    return 1 / 0\n\ng()\n', r'in line 2 \(return 1 / 0\): ZeroDivisionError'),
    ('import no_such_module\n', r'in line 1 .*no_such_module'),
    ('import tensorflow.no_such_module\n', r'in line 1 .*No module named .*no_such_module'),
    ('import sys\nsys.exit(3)\n', r'in line 2 \(sys.exit\(3\)\): SystemExit: 3'),
    ('from tensorflow.contrib import slim\n', r'in line 1 .*tensorflow.contrib.slim is not part of'),
    ('import tensorflow.contrib.slim as slim\n', r'in line 1 .*tensorflow.contrib.slim is not part of'),
    ('from tensorflow.contrib.layers import conv2d\n', r'tensorflow.contrib.layers.conv2d is not part of'),
    ('x = "\0"\n', 'null byte'),
])
def test_a_text_that_fails_is_named_with_its_line(text, expected):
    before = set(sys.modules)
    for _ in range(2):  # a module that failed must not count as loaded
        with pytest.raises(UserError, match=expected) as info:
            execution.build_function(text, 'f')
        assert '\n' not in str(info.value)
    assert not [name for name in set(sys.modules) - before if name.startswith('_tflib_network_import_')]


def test_an_error_inside_a_function_is_found_in_the_text():
    func = execution.build_function('def f(x_in, **_kwargs):\n    return x_in.nothing\n', 'f')
    with pytest.raises(AttributeError) as info:
        func(1)
    assert execution.line_of(info.value) == 'line 2 (return x_in.nothing)'
    assert execution.line_of(ValueError('elsewhere')) == ''


def test_old_names_and_imports_work_for_the_text_and_for_nobody_else():
    values = execution.build_function(legacy_modules.NAMES, 'values')()
    assert values['types'] == [float, int, bool, object, str]
    assert values['numbers'] == [6, 20, 7, 5, np.inf]
    assert all(values['same'])
    assert values['real'][:2] == [tf.Graph, np.ndarray]
    assert values['real'][4] is tflib.tfutil
    assert not hasattr(np, 'product')
    assert not hasattr(tf, 'contrib')
    assert not hasattr(sys.modules['tensorflow'], 'get_variable')
    assert upfirdn_2d.upsample_conv_2d.__module__ == upfirdn_2d.__name__


def test_a_name_that_is_gone_without_an_equal_is_an_attribute_error():
    with pytest.raises(AttributeError, match='tensorflow.layers.conv3d does not exist'):
        _ = old_tf.layers.conv3d
    assert not hasattr(old_tf, 'no_such_op')


# Networks

def upscaled(x):
    return x.repeat(2, axis=2).repeat(2, axis=3)


def expected_images(net, z):
    """Compute the output of `GENERATOR` with NumPy and our convolutions."""
    v = {name: net.get_var('G_parts_synthesis/' + name) for name in net.components.synthesis.own_vars}
    x = (z @ (v['Dense/weight'] * np.sqrt(2 / 3))).reshape(-1, 4, 4, 4) + v['noise0']
    gain = np.float32(np.sqrt(2 / 36))
    x = tflib.run(conv2d.conv2d(tf.constant(x), v['Conv/weight'] * gain))
    x = upscaled(np.where(x > 0, x, 0.2 * x) + 0 * v['Conv/bias'].reshape(-1, 1, 1))
    w = tf.constant(np.transpose(v['Up/weight'] * gain, [0, 1, 3, 2]))
    return tflib.run(conv2d.conv2d_transpose(tf.constant(x.astype(np.float32)), w, stride=2, padding='SAME'))


def test_a_generator_of_tf1_builds_with_its_sub_network_and_gives_the_same_images(generator):
    assert generator.components.synthesis.name == 'G_parts_synthesis'
    assert generator.output_shape == [None, 4, 16, 16]
    assert generator.vars['G_parts_synthesis/noise0'].shape.as_list() == [1, 1, 4, 4]
    assert generator.vars['G_parts_synthesis/Conv/weight'].shape.as_list() == [3, 3, 4, 4]
    generator.set_var('G_parts_synthesis/Conv/bias', np.zeros(4))
    images = generator.run(Z)
    assert_close(images, expected_images(generator, Z), 'images')
    generator.set_var('lod', 1)
    assert not generator.run(Z).any()
    generator.set_var('lod', 0)


def test_random_numbers_of_the_text_are_those_of_the_project(generator):
    def ones(shape, mean=0.0, stddev=1.0, dtype=tf.float32):
        return tf.ones(shape, dtype)

    with random.replaced(normal=ones), tf.device('/cpu:0'):
        images = generator.get_output_for(tf.constant(Z), randomize_noise=True)
    noise = generator.get_var('G_parts_synthesis/noise0')
    generator.set_var('G_parts_synthesis/noise0', np.ones([1, 1, 4, 4]))
    expected = generator.run(Z)
    generator.set_var('G_parts_synthesis/noise0', noise)
    assert_close(tflib.run(images), expected, 'noise')


def test_gradients_of_two_orders_pass_through_a_generator(generator):
    z = tf.constant(Z)
    with tf.device('/cpu:0'):
        images = generator.get_output_for(z)
    grad = tf.gradients(tf.reduce_sum(images ** 2), [z])[0]
    second = tf.gradients(tf.reduce_sum(grad ** 2), list(generator.trainables.values()))
    step = 1e-2 * golden_input('legacy/step', [2, 3])
    ahead, behind = (tflib.run(tf.reduce_sum(images ** 2), {z: Z + sign * step}) for sign in (1, -1))
    grad_value, *seconds = tflib.run([grad, *second])
    assert np.sum(grad_value * step) == pytest.approx((ahead - behind) / 2, rel=1e-2)
    assert all(np.abs(value).max() > 0 for value in seconds)


def test_a_network_of_a_text_is_pickled_with_that_very_text(generator):
    state = generator.__getstate__()
    parts = [state, state['components']['synthesis'].__getstate__()]
    assert [part['build_func_name'] for part in parts] == ['G_parts', 'G_pixels']
    for part in parts:
        assert part['build_module_src'] == legacy_modules.GENERATOR
    again = pickle.loads(pickle.dumps(execution.build_function(legacy_modules.GENERATOR, 'G_pixels')))
    assert again is execution.build_function(legacy_modules.GENERATOR, 'G_pixels')


def test_copies_and_rebuilt_networks_of_a_text_give_the_same_images(generator):
    expected = generator.run(Z)
    assert np.array_equal(generator.clone('copy').run(Z), expected)
    state = generator.__getstate__()
    func = execution.build_function(state['build_module_src'], state['build_func_name'])
    rebuilt = tflib.Network('rebuilt', func_name=func, **state['static_kwargs'])
    rebuilt.copy_vars_from(generator)
    assert np.array_equal(rebuilt.run(Z), expected)


def test_our_own_networks_run_from_their_text():
    text = inspect.getsource(networks_stylegan2)
    with fresh_session(QUICK):
        kwargs = dict(resolution=8, fmap_max=4, label_size=0)
        D = build(text, 'D_stylegan2', **kwargs)
        ours = tflib.Network('ours', func_name='training.networks_stylegan2.D_stylegan2', **kwargs)
        ours.copy_vars_from(D)
        images = golden_input('legacy/images', [4, 3, 8, 8])
        assert_close(D.run(images, None), ours.run(images, None), 'scores')


def test_layers_that_tensorflow_has_lost_keep_their_names_and_values(module_session):
    net = build(legacy_modules.FEATURES, 'features')
    assert {name: var.shape.as_list() for name, var in net.vars.items()} == {
        'conv2d/kernel': [3, 3, 3, 4], 'conv2d/bias': [4], 'conv2d_1/kernel': [1, 3, 4, 4],
        'batch_normalization/gamma': [4], 'batch_normalization/beta': [4],
        'batch_normalization/moving_mean': [4], 'batch_normalization/moving_variance': [4],
        'bn/scale': [4], 'bn/offset': [4], 'bn/mean': [4], 'bn/variance': [4],
        'dense/kernel': [24, 5], 'dense/bias': [5]}
    assert 'batch_normalization/moving_mean' not in net.trainables
    for name in ('batch_normalization/moving_variance', 'bn/variance'):
        net.set_var(name, [0.5, 1, 2, 3])
    images = golden_input('legacy/images', [2, 3, 8, 8])
    assert_close(net.run(images), expected_features(net, images), 'features')


def expected_features(net, images):
    """Compute the output of `FEATURES` in NHWC and with NumPy."""
    v = {name: net.get_var(name) for name in net.vars}
    x = tf.nn.conv2d(images.transpose(NHWC), v['conv2d/kernel'], [1, 1, 1, 1], 'SAME')
    x = tf.nn.relu(x + v['conv2d/bias'])
    x = tflib.run(tf.nn.conv2d(x, v['conv2d_1/kernel'], [1, 2, 2, 1], 'VALID'))
    scale = v['batch_normalization/gamma'] / np.sqrt(v['batch_normalization/moving_variance'] + 1e-3)
    x = (x - v['batch_normalization/moving_mean']) * scale + v['batch_normalization/beta']
    x = (x - v['bn/mean']) * v['bn/scale'] / np.sqrt(v['bn/variance'] + 1e-3) + v['bn/offset']
    x = np.maximum.reduce([x[:, a:a + 3, b:b + 2] for a in (0, 1) for b in (0, 1)]) + 1
    return x.transpose(NCHW).reshape(2, -1) @ v['dense/kernel'] + v['dense/bias']


def test_batch_normalization_in_training_uses_the_minibatch_and_updates_its_averages(session):
    x = tf.constant(X)
    y = old_tf.layers.batch_normalization(x, axis=1, training=True, momentum=0.9)
    tflib.init_uninitialized_vars()
    mean, variance = (getattr(X, name)(axis=(0, 2, 3), keepdims=True) for name in ('mean', 'var'))
    assert_close(tflib.run(y), (X - mean) / np.sqrt(variance + 1e-3), 'normalized')
    tflib.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
    averages = {var.name.split('/')[1]: tflib.run(var) for var in tf.global_variables()}
    assert_close(averages['moving_mean:0'], 0.1 * mean.ravel(), 'mean')
    assert_close(averages['moving_variance:0'], 0.9 + 0.1 * variance.ravel(), 'variance')
    with pytest.raises(TypeError, match='Python bool'):
        old_tf.layers.dropout(x, training=tf.constant(True))


# Shapes

def test_shapes_take_what_tf1_took(session):
    dim = tf.constant(X).shape[1]
    assert (dim.value, int(dim)) == (4, 4)
    shape = [True, np.True_, 2.0, np.float64(3), np.int64(4), dim]
    assert old_tf.get_variable('a', shape=shape).shape.as_list() == [1, 1, 2, 3, 4, 4]
    assert old_tf.get_variable('b', shape=()).shape.as_list() == []
    assert old_tf.get_variable('c', initializer=np.float32(2)).shape.as_list() == []
    assert old_tf.placeholder(tf.float32, [None, True]).shape.as_list() == [None, 1]
    with pytest.raises(TypeError):
        old_tf.get_variable('d', shape=[2.5])


def test_random_ops_take_what_tf1_took(session):
    a = old_tf.random_normal([True, 3], stddev=0.0, mean=2.0, name='noise')
    b = old_tf.random.uniform([2, True], 1, 3, dtype=tf.int32, seed=5)
    assert a.op.name == 'noise'
    assert np.array_equal(tflib.run(a), [[2, 2, 2]])
    assert set(tflib.run(b).ravel()) <= {1, 2}


def test_a_cast_reads_a_variable_after_what_it_depends_on(session):
    """TF1 sources assign `lod` and then let another network cast it."""
    var = old_tf.get_variable('lod', initializer=np.float32(0))
    assign = tf.assign(var, 3)
    with tf.control_dependencies([assign]):
        value = old_tf.cast(var, 'float32')
    assert assign.op in value.op.control_inputs
    tflib.init_uninitialized_vars()
    assert tflib.run(value) == 3


# Ops in the layout of GPUs

W = golden_input('legacy/w', [3, 3, 4, 3])
S12 = [1, 1, 1, 2]
EXPLICIT = [[0, 0], [0, 0], [2, 1], [0, 3]]

# Ops of the module `o` on an image and a weight. `perm` reorders lists with one item per axis of NCHW.
CASES = {
    'conv2d': lambda o, x, w, perm, f: o.nn.conv2d(x, w, perm(S12), 'SAME', data_format=f),
    'conv2d, padded': lambda o, x, w, perm, f: o.nn.conv2d(
        x, filter=w, strides=perm([1, 1, 1, 1]), padding=perm(EXPLICIT), data_format=f, name='named'),
    'conv2d_transpose': lambda o, x, w, perm, f: o.nn.conv2d_transpose(
        x, tf.transpose(w, [0, 1, 3, 2]), perm([tf.shape(x)[0], 3, 12, 8]), perm([1, 1, 2, 1]),
        data_format=f),
    'conv2d_backprop_input': lambda o, x, w, perm, f: o.nn.conv2d_backprop_input(
        tf.stack(perm([2, 3, 13, 17])), tf.transpose(w, [0, 1, 3, 2]), x, perm([1, 1, 2, 2]), 'VALID',
        data_format=f),
    'conv2d_backprop_filter': lambda o, x, w, perm, f: o.nn.conv2d_backprop_filter(
        x, [3, 3, 4, 4], x * 2 + tf.reduce_sum(w), perm([1, 1, 1, 1]), 'SAME', data_format=f),
    'depthwise_conv2d': lambda o, x, w, perm, f: o.nn.depthwise_conv2d(
        x, w, perm([1, 1, 2, 2]), 'SAME', data_format=f),
    'separable_conv2d': lambda o, x, w, perm, f: o.nn.separable_conv2d(
        x, w, tf.ones([1, 1, 12, 2]), perm([1, 1, 1, 1]), 'VALID', data_format=f),
    'convolution': lambda o, x, w, perm, f: o.nn.convolution(x, w, 'VALID', [2, 1], data_format=f),
    'avg_pool': lambda o, x, w, perm, f: o.nn.avg_pool(
        x * tf.reduce_sum(w), ksize=perm([1, 1, 2, 3]), strides=perm(S12), padding='VALID', data_format=f),
    'max_pool': lambda o, x, w, perm, f: o.nn.max_pool(
        x * tf.reduce_sum(w), perm([1, 1, 2, 3]), perm(S12), 'SAME', data_format=f),
    'pool': lambda o, x, w, perm, f: o.nn.pool(
        x * tf.reduce_sum(w), [2, 3], 'AVG', 'VALID', strides=[1, 2], data_format=f),
    'bias_add': lambda o, x, w, perm, f: o.nn.bias_add(x, w[0, 0, :, 0], data_format=f),
    'fused_batch_norm': lambda o, x, w, perm, f: o.nn.fused_batch_norm(
        x, w[0, 0, :, 0], w[0, 0, :, 1], w[0, 0, :, 1], w[0, 0, :, 2] ** 2, is_training=False,
        data_format=f)[0],
    'space_to_depth': lambda o, x, w, perm, f: o.space_to_depth(x * tf.reduce_sum(w), 2, data_format=f),
    'depth_to_space': lambda o, x, w, perm, f: o.depth_to_space(x * tf.reduce_sum(w), 2, data_format=f),
}


def derivatives(y, inputs):
    """Return y, the first-order gradients and the second-order ones."""
    first = tf.gradients(tf.reduce_sum(y ** 2), inputs)
    second = tf.gradients(sum(tf.reduce_sum(g ** 2) for g in first), inputs)
    assert None not in first + second
    return [y, *first, *second]


def in_both_layouts(name):
    """Return the derivatives of our replacement in NCHW on a CPU, and of TensorFlow's op in NHWC."""
    x, w = tf.constant(X), tf.constant(W)
    with tf.device('/cpu:0'):
        bridged = CASES[name](old_tf, x, w, list, 'NCHW')
    y = CASES[name](tf, tf.transpose(x, NHWC), w, lambda items: [items[i] for i in NHWC], 'NHWC')
    if name != 'conv2d_backprop_filter':  # the gradient of a weight has no layout
        y = tf.transpose(y, NCHW)
    return derivatives(bridged, [x, w]), derivatives(y, [x, w])


@pytest.mark.parametrize('name', CASES)
def test_ops_in_nchw_and_their_gradients_run_on_a_cpu(session, name):
    bridged, expected = in_both_layouts(name)
    for order, (value, reference) in enumerate(zip(*tflib.run([bridged, expected]), strict=True)):
        assert_close(value, reference, f'{name}: {order}')
    layouts = {(op.type, op.get_attr('data_format')) for op in session.graph.get_operations()
               if 'data_format' in op.node_def.attr}
    in_nchw = {kind for kind, layout in layouts if layout == b'NCHW'}
    assert not {kind for kind in in_nchw if not kind.startswith(('BiasAdd', 'FusedBatchNorm'))}


@pytest.mark.parametrize('name', ['conv2d', 'max_pool', 'space_to_depth'])
def test_ops_in_nchw_are_left_alone_on_a_gpu(session, name):
    with built_for_gpus():
        y = CASES[name](old_tf, tf.constant(X), tf.constant(W), list, 'NCHW')
    assert y.op.get_attr('data_format') == b'NCHW'


def test_an_op_keeps_the_name_that_it_is_given(session):
    with tf.device('/cpu:0'):
        y = old_tf.nn.avg_pool(tf.constant(X), [1, 1, 2, 2], [1, 1, 2, 2], 'VALID', 'NCHW', name='pooled')
    assert y.op.name == 'pooled'


# Samples as groups

FUSED_REFERENCES = {
    'plain': lambda x, w: conv2d.conv2d(x, w, stride=2),
    'up': lambda x, w: upfirdn_2d.upsample_conv_2d(x, w, k=[1, 3, 3, 1]),
    'down': lambda x, w: upfirdn_2d.conv_downsample_2d(x, w, k=[1, 3, 3, 1]),
    'transpose': lambda x, w: conv2d.conv2d_transpose(x, tf.transpose(w, [0, 1, 3, 2]), padding='SAME'),
}


def assert_no_convolution(graph):
    """Check that no Conv2D op is used, as its gradients support groups only on some processors."""
    assert not [op.name for op in graph.get_operations() if op.type.startswith('Conv2D')]


@pytest.mark.parametrize('side', [1, 3])
@pytest.mark.parametrize('mode', FUSED_REFERENCES)
def test_samples_as_groups_can_be_trained_on_a_cpu(session, mode, side):
    per_sample = execution.build_function(legacy_modules.FUSED, 'per_sample')
    x = tf.placeholder_with_default(X, [None, 4, 6, 8])
    w = tf.placeholder_with_default(golden_input('legacy/fused', [side, side, 4, 2, 3]),
                                    [side, side, 4, None, 3])
    with tf.device('/cpu:0'):
        fused = per_sample(x, w, mode)
        assert_no_convolution(session.graph)
        single = tf.concat([FUSED_REFERENCES[mode](x[i:i + 1], w[:, :, :, i]) for i in range(2)], axis=0)
    assert fused.shape.as_list() == [None, *single.shape.as_list()[1:]]
    values = tflib.run([derivatives(fused, [x, w]), derivatives(single, [x, w])])
    for order, (value, reference) in enumerate(zip(*values, strict=True)):
        assert_close(value, reference, f'{mode}: {order}')


def test_groups_of_a_static_number_can_be_trained_on_a_cpu(session):
    x, w = tf.constant(X), tf.constant(golden_input('legacy/groups', [3, 3, 2, 6]))
    with tf.device('/cpu:0'):
        y = old_tf.nn.conv2d(tf.transpose(x, NHWC), w, [1, 1, 1, 1], 'SAME')
        assert_no_convolution(session.graph)
        halves = [conv2d.conv2d(x[:, 2 * g:2 * g + 2], w[..., 3 * g:3 * g + 3]) for g in (0, 1)]
    reference = tf.transpose(tf.concat(halves, axis=1), NHWC)
    values = tflib.run([derivatives(y, [x, w]), derivatives(reference, [x, w])])
    for order, (value, reference) in enumerate(zip(*values, strict=True)):
        assert_close(value, reference, f'groups: {order}')
