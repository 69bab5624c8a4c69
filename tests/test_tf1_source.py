"""Test that the self-contained source text builds networks in Python 3.6 and TF 1.14 from published names
alone."""

import ast
import builtins
import functools
import itertools
import symtable
import sys
import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.pickles import source_text, tf1_source
from dnnlib.pickles.older_python import translated
from dnnlib.tflib.ops import conv2d, cpu_kernels, tf1_ops
from tests.golden_figures import assert_close, one_hot, set_golden_values
from tests.golden_recipe import golden_input

MODULES = ('networks_stylegan2', 'networks_stylegan', 'networks_progan', 'networks_stylegan2_ada')

# Names that published packages provide to a module of networks
DNNLIB_NAMES = (
    'EasyDict', 'PathType', 'RunContext', 'SubmitConfig', 'SubmitTarget', 'convert_path',
    'get_path_from_template', 'make_run_dir_path', 'submit_config', 'submit_run')
TFLIB_NAMES = (
    'Network', 'Optimizer', 'TfExpression', 'TfExpressionEx', 'absolute_name_scope',
    'absolute_variable_scope', 'assert_tf_initialized', 'convert_images_from_uint8',
    'convert_images_to_uint8', 'create_session', 'create_var_with_large_initial_value', 'exp2', 'flatten',
    'get_plugin', 'init_tf', 'init_uninitialized_vars', 'is_tf_expression', 'lerp', 'lerp_clip', 'log2',
    'run', 'set_vars', 'shape_to_list')

# Names that exist in `tensorflow.compat.v1` of TensorFlow 1.14, on which the networks were also evaluated,
# with gradients of first and second order. Check that version before adding a name.
TENSORFLOW_1_14 = {
    'Operation', 'Tensor', 'TensorArray', 'Variable',
    'abs', 'as_dtype', 'assign', 'bfloat16', 'broadcast_to', 'cast', 'clip_by_value',
    'concat', 'cond', 'config.experimental.list_physical_devices', 'constant', 'control_dependencies',
    'convert_to_tensor', 'custom_gradient', 'exp', 'expand_dims', 'float16', 'float32', 'get_default_graph',
    'get_variable', 'identity', 'initializers.ones', 'initializers.random_normal', 'initializers.zeros',
    'int32', 'matmul', 'maximum', 'minimum', 'name_scope', 'newaxis', 'nn.avg_pool', 'nn.bias_add',
    'nn.conv2d', 'nn.conv2d_transpose', 'nn.depthwise_conv2d', 'nn.elu', 'nn.leaky_relu', 'nn.relu',
    'nn.sigmoid', 'nn.softplus', 'nn.tanh', 'ones_like',
    'pad', 'random_normal', 'random_uniform', 'range', 'reduce_max',
    'reduce_mean', 'reduce_prod', 'reduce_sum', 'reshape', 'reverse', 'rsqrt',
    'shape', 'split', 'sqrt', 'square', 'squeeze', 'stack',
    'tile', 'transpose', 'unstack', 'variable_scope', 'where', 'while_loop'}

SMALL = dict(resolution=8, num_channels=3, fmap_max=4, latent_size=4, dlatent_size=4, mapping_fmaps=4,
             mapping_layers=2)


def exported(name):
    """Return the self-contained text of `training.<name>`."""
    return source_text.self_contained(f'training.{name}')


def guarded_import(name, *args):
    """Import as if only NumPy, TensorFlow, `operator` and the published names were installed."""
    if name in ('dnnlib', 'dnnlib.tflib'):
        published = types.SimpleNamespace(**{name: getattr(dnnlib, name) for name in DNNLIB_NAMES})
        published.tflib = types.SimpleNamespace(**{name: getattr(tflib, name) for name in TFLIB_NAMES})
        return published
    if name not in ('numpy', 'operator', 'tensorflow.compat.v1'):
        raise ImportError(f'{name} is not installed there')
    return __import__(name, *args)


def executed(text, folder, monkeypatch):
    """Execute the text as a module."""
    module = types.ModuleType('networks_of_a_pickle')
    module.__file__ = str(folder / 'networks_of_a_pickle.py')
    (folder / 'networks_of_a_pickle.py').write_text(text, encoding='utf-8')
    module.__dict__['__builtins__'] = {**vars(builtins), '__import__': guarded_import}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(text, module.__file__, 'exec'), module.__dict__)
    return module


def inputs_of(net):
    return [one_hot(4, shape[1]) if name == 'labels_in' else golden_input(name, [4, *shape[1:]])
            for name, shape in zip(net.input_names, net.input_shapes, strict=True)]


NETWORKS = [
    ('networks_stylegan2.G_main', {}),
    ('networks_stylegan2.G_main', dict(architecture='resnet', label_size=2)),
    ('networks_stylegan2.G_main', dict(synthesis_func='G_synthesis_stylegan_revised', base_shape=[5, 3])),
    ('networks_stylegan2.G_mapping', {}),
    ('networks_stylegan2.G_synthesis_stylegan2', dict(architecture='orig')),
    ('networks_stylegan2.G_synthesis_stylegan_revised', {}),
    ('networks_stylegan2.D_stylegan2', dict(label_size=2)),
    ('networks_stylegan2.D_stylegan2', dict(architecture='skip')),
    ('networks_stylegan2.D_stylegan', dict(base_shape=[5, 3])),
    ('networks_stylegan.G_style', dict(fused_scale=True)),
    ('networks_stylegan.G_mapping', {}),
    ('networks_stylegan.G_synthesis', {}),
    ('networks_stylegan.D_basic', dict(fused_scale=True)),
    ('networks_progan.G_paper', dict(base_shape=[5, 3])),
    ('networks_progan.D_paper', dict(fused_scale=False)),
    ('networks_stylegan2_ada.G_main', dict(label_size=2, num_fp16_res=0)),
    ('networks_stylegan2_ada.D_main', dict(label_size=2, architecture='skip', mbstd_group_size=4)),
]


@pytest.mark.parametrize('path, kwargs', NETWORKS, ids=str)
def test_the_text_builds_the_same_network_from_published_names(path, kwargs, tmp_path, monkeypatch, session):
    module_name, func_name = path.split('.')
    net = tflib.Network('net', func_name=f'training.{path}', **{**SMALL, **kwargs})
    module = executed(exported(module_name), tmp_path, monkeypatch)
    other = tflib.Network('net', func_name=getattr(module, func_name), **net.static_kwargs)
    shapes = [[(name, var.shape.as_list()) for name, var in each.vars.items()] for each in (net, other)]
    assert shapes[0] == shapes[1]
    set_golden_values(net)
    set_golden_values(other)
    if 'lod' in net.own_vars and kwargs:  # between two levels of detail
        net.set_var('lod', 0.5)
        other.set_var('lod', 0.5)
    expected, actual = [each.run(*inputs_of(net), randomize_noise=False) for each in (net, other)]
    assert np.ptp(expected) > 1e-3
    assert_close(actual, expected, path, tolerance=1e-5)


def gradients(net, order):
    """Differentiate the squared outputs, or for order 2 their squared gradient. -> {name of variable:
    array}."""
    x = tf.constant(inputs_of(net)[0])
    total = tf.reduce_sum(tf.square(net.get_output_for(x, None, randomize_noise=False)))
    if order == 2:
        total = tf.reduce_sum(tf.square(tf.gradients(total, x)[0]))
    grads = zip(net.trainables, tf.gradients(total, list(net.trainables.values())), strict=True)
    return tflib.run({name: grad for name, grad in grads if grad is not None})


@pytest.mark.parametrize('func_name, order', [('G_main', 1), ('D_stylegan2', 2)])
def test_the_networks_of_the_text_have_the_same_gradients(func_name, order, tmp_path, monkeypatch, session):
    net = tflib.Network('net', func_name=f'training.networks_stylegan2.{func_name}', **SMALL)
    module = executed(exported('networks_stylegan2'), tmp_path, monkeypatch)
    other = tflib.Network('net', func_name=getattr(module, func_name), **SMALL)
    for each in (net, other):
        set_golden_values(each)
    expected, actual = gradients(net, order), gradients(other, order)
    assert set(actual) == set(expected)
    assert len(expected) > len(net.trainables) / 2
    for name, grad in expected.items():
        assert_close(actual[name], grad, name, tolerance=1e-5)


@pytest.mark.parametrize('name', MODULES)
def test_the_text_is_python_3_6_and_imports_published_packages_only(name):
    tree = ast.parse(exported(name), feature_version=(3, 6))
    statements = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert all(isinstance(node, ast.Import) for node in statements)
    expected = {'numpy', 'tensorflow.compat.v1', 'dnnlib', 'dnnlib.tflib'}
    if name == 'networks_progan':  # Readers recognize Progressive GAN by this.
        expected = {'numpy', 'tensorflow.compat.v1'}
        assert 'dnnlib' not in exported(name)
    assert {alias.name for node in statements for alias in node.names} - {'operator'} == expected
    for node in ast.walk(tree):
        assert not isinstance(node, ast.AnnAssign)
        assert getattr(node, 'annotation', None) is None
        assert getattr(node, 'returns', None) is None
        assert not (isinstance(node, ast.keyword) and node.arg == 'strict')


@pytest.mark.parametrize('name', MODULES)
def test_the_text_uses_what_tensorflow_1_14_has(name):
    nodes = ast.walk(ast.parse(exported(name)))
    chains = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
    used = {chain.removeprefix('tf.') for chain in chains if chain.startswith('tf.') and '(' not in chain}
    used -= {owner for owner, other in itertools.product(used, used) if other.startswith(owner + '.')}
    assert 'get_variable' in used
    assert used <= TENSORFLOW_1_14, used - TENSORFLOW_1_14


@pytest.mark.parametrize('name', MODULES)
def test_the_text_defines_every_name_once_and_says_what_it_is(name):
    text = exported(name)
    tree = ast.parse(text)
    names = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert len(names) == len(set(names))
    assert f'\ntraining.{name} of stylegan-tf' in ast.get_docstring(tree)
    assert len(text) < 64 << 10


@pytest.mark.parametrize('name', MODULES)
def test_the_text_defines_what_it_uses(name):
    tables = [symtable.symtable(exported(name), 'exported', 'exec')]
    defined = {symbol.get_name() for symbol in tables[0].get_symbols()
               if symbol.is_assigned() or symbol.is_imported()}
    for table in tables:
        tables += table.get_children()
    used = {symbol.get_name() for table in tables for symbol in table.get_symbols()
            if symbol.is_global() and symbol.is_referenced()}
    assert used <= defined | set(dir(builtins))


@pytest.mark.parametrize('name', MODULES)
def test_the_text_does_not_choose_among_the_kernels_of_a_cpu(name):
    defined = {node.name for node in ast.walk(ast.parse(exported(name))) if isinstance(node, ast.FunctionDef)}
    assert not defined & {'_is_per_pixel', '_is_avx2_the_widest', '_cpu_flags'}
    assert 'nhwc_conv2d' in defined
    assert 'avx2' not in exported(name)


def test_plain_ops_take_the_place_of_ours():
    plain = {name for name, value in vars(tf1_ops).items()
             if getattr(value, '__module__', None) == tf1_ops.__name__}
    assert plain == {'_has_gpu', 'nhwc_conv2d', 'nhwc_conv2d_transpose', 'fast_margin', 'depthwise_conv2d',
                     'cond', 'is_enabled'}
    assert all(any(hasattr(module, name) for module in (conv2d, cpu_kernels, tflib.xla)) for name in plain)


@pytest.mark.parametrize('data_format', ['NCHW', 'NHWC'])
def test_the_plain_depthwise_convolution_agrees_with_ours(data_format, session):
    x, w = golden_input('x', [2, 4, 6, 5]), tf.constant(golden_input('w', [3, 2]))
    kwargs = dict(stride=2, pad=((2, 1), (0, 3)), data_format=data_format)
    plain, ours = session.run([each.depthwise_conv2d(tf.constant(x), w, **kwargs)
                               for each in (tf1_ops, conv2d)])
    assert_close(plain, ours, data_format, tolerance=1e-6)


def test_the_functions_by_which_readers_tell_networks_apart_are_where_they_belong():
    found = {name: {marker for marker in tf1_source.MARKERS if f'def {marker}(' in exported(name)}
             for name in MODULES}
    assert found == {'networks_stylegan2': {'G_synthesis_stylegan2'}, 'networks_stylegan': {'G_style'},
                     'networks_progan': {'G_paper'}, 'networks_stylegan2_ada': {'D_main'}}


OLDER = {
    'annotations': (
        'def f(a: int, *b: str, c: list[int] | None = None, **d: dict) -> tuple[int, int]:\n    return a',
        'def f(a, *b, c=None, **d):\n    return a'),
    'an annotated variable': (
        'def f(x):\n    y: int = x\n    z: int\n    return y',
        'def f(x):\n    y = x\n    return y'),
    'decorators': (
        '@functools.cache\ndef f():\n\n    @keep\n    @functools.wraps(g)\n    def h():\n        pass',
        'def f():\n\n    @keep\n    def h():\n        pass'),
    'zip': ('z = list(zip(a, b, strict=True))', 'z = list(zip(a, b))'),
    'a dataclass': (
        '@dataclass(frozen=True)\nclass C:\n    """Doc."""\n    a: int | None\n    b: float = 2 ** 3\n\n'
        '    def f(self, x: int):\n        return x',
        'class C:\n    """Doc."""\n\n    def __init__(self, a, b=2 ** 3):\n'
        '        self.a = a\n        self.b = b\n\n    def f(self, x):\n        return x'),
}


@pytest.mark.parametrize('text, expected', OLDER.values(), ids=OLDER)
def test_what_python_3_6_does_not_know_is_put_in_older_words(text, expected):
    assert ast.unparse(translated(ast.parse(text))) == expected


def write_modules(folder, monkeypatch, **texts):
    """Write modules of `training` and make the exporter read them."""
    (folder / 'training' / 'layers').mkdir(parents=True)
    for name, text in texts.items():
        (folder / 'training' / f'{name.replace("__", "/")}.py').write_text(text)
    monkeypatch.setattr(tf1_source, '_ROOT', folder)
    monkeypatch.setattr(tf1_source, '_module', functools.cache(tf1_source._Module))
    monkeypatch.setattr(tf1_source, '_TF1_OPS', 'none')
    return functools.partial(tf1_source.of_name, 'training.mine', 'Heading.')


def test_names_of_the_main_module_stay_and_local_ones_are_left_alone(tmp_path, monkeypatch):
    text = write_modules(
        tmp_path, monkeypatch,
        mine='"""Mine."""\nfrom training.layers import a\nfrom training.layers.b import late as g\n\n'
             'def f(x, h):\n    return [f(h, a.f) for h in a.f(g(x))]\n',
        layers__a='from training.layers.b import late\n\ndef f(late):\n    return late\n',
        layers__b='STEP = 1\n\ndef late(x):\n    return x + STEP\n')()
    assert text.endswith(
        '\n\n\ndef layers_a_f(late):\n    return late\n\n\nSTEP = 1\n\n\ndef late(x):\n    return x + STEP'
        '\n\n\ndef f(x, h):\n    return [f(h, layers_a_f) for h in layers_a_f(late(x))]\n')


def test_a_name_that_would_mean_something_else_is_an_error(tmp_path, monkeypatch):
    text = write_modules(
        tmp_path, monkeypatch, mine='"""Mine."""\nfrom training.layers import a\n\n'
                                    'def f(step):\n    return a.step(step)\n',
        layers__a='def step(x):\n    return x\n')
    with pytest.raises(AssertionError, match='is something else in there'):
        text()
