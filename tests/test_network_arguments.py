"""Test the checks of a network's arguments: errors name the shapes and keywords that it does not accept."""

import functools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from dnnlib.util import UserError
from tests.small_networks import SMALL_G, X, Y

D_STYLEGAN2 = 'training.networks_stylegan2.D_stylegan2'
Z = np.zeros([2, 4])


@pytest.fixture(scope='module')
def labelled(module_session):
    """Build a generator with ten classes."""
    return tflib.Network('Gs', label_size=10, **SMALL_G)


def reads_any(x_in, **kwargs):
    """Scale x [N,2] by `factor`."""
    x_in.set_shape([None, 2])
    return tf.identity(x_in * kwargs.get('factor', 1), name='out')


def reads_in_a_closure(x_in, **kwargs):
    x_in.set_shape([None, 2])
    return tf.identity((lambda: x_in * kwargs.get('factor', 1))(), name='out')


def reads_locals(x_in, **kwargs):
    x_in.set_shape([None, 2])
    return tf.identity(x_in * locals()['kwargs'].get('factor', 1), name='out')


def passes_on(x_in, components=None, **kwargs):
    if 'inner' not in components:
        components.inner = tflib.Network('inner', func_name=reads_any)
    return tf.identity(components.inner.get_output_for(x_in, **kwargs), name='out')


@functools.wraps(reads_any)
def wrapped(*args, **kwargs):
    return reads_any(*args, **kwargs)


def strict(x_in, width=1, is_template_graph=False, components=None):
    x_in.set_shape([None, 2])
    return tf.identity(x_in * width, name='out')


@pytest.mark.parametrize(('arrays', 'message'), [
    ((Z,), r'Gs takes latents_in \[N,4\] and labels_in \[N,10\], but was given 1 input; None stands '),
    ((), r'Gs takes latents_in \[N,4\] and labels_in \[N,10\], but was given nothing'),
    ((Z, None, None), 'but was given 3 inputs'),
    ((None, None), r'Gs: expected latents_in \[N,4\] and labels_in \[N,10\]; at least one '),
    ((np.zeros([2, 5]), None), r'Gs: latents_in has the shape \[2, 5\]; expected \[N,4\]$'),
    ((Z, np.zeros([2, 3])), r'Gs: labels_in has the shape \[2, 3\]; expected \[N,10\]$'),
    ((Z, np.zeros([3, 10])), 'the same number of rows in every input, but latents_in has 2, labels_in has 3'),
    ((Z[0], None), r'latents_in has the shape \[4\]; expected \[N,4\], N rows .* x\[np.newaxis\]'),
])
def test_arrays_that_do_not_fit_are_named_with_what_is_expected(arrays, message, labelled):
    with pytest.raises(ValueError, match=message) as caught:
        labelled.run(*arrays)
    assert isinstance(caught.value, UserError)


def test_dlatents_without_their_batch_axis_are_explained(labelled):
    dlatents = labelled.components.mapping.run(Z, None)
    with pytest.raises(ValueError, match=r'^G_synthesis: dlatents_in has the shape \[4, 4\]; expected'):
        labelled.components.synthesis.run(dlatents[0])
    assert labelled.components.synthesis.run(dlatents[:1]).shape == (1, 3, 8, 8)


def test_a_transform_may_take_other_shapes(net):
    halves = dict(func=keep_first_columns, count=2)
    assert net.run(np.repeat(X, 3, axis=1), Y, input_transform=halves)[0].shape == (5, 3)


def keep_first_columns(x, y, count):
    return x[:, :count], y


@pytest.mark.parametrize(('use', 'name', 'meant'), [
    (lambda G: G.run(Z, None, trunctation_psi=0.5), 'trunctation_psi', 'truncation_psi'),
    (lambda G: G.run(Z, None, randomise_noise=False), 'randomise_noise', 'randomize_noise'),
    (lambda G: G.run(Z, None, minibatchsize=1), 'minibatchsize', 'minibatch_size'),
    (lambda G: G.get_output_for(*G.input_templates, is_trainng=True), 'is_trainng', 'is_training'),
    (lambda G: G.clone(fmapmax=3), 'fmapmax', 'fmap_max'),
    (lambda G: tflib.Network('G', resolutoin=4, **SMALL_G), 'resolutoin', 'resolution'),
    (lambda G: tflib.Network('D', func_name=D_STYLEGAN2, mbstd_groupsize=2), 'mbstd_groupsize',
     'mbstd_group_size'),
    (lambda G: G.convert('training.networks_stylegan2.G_main', fmapmax=3), 'fmapmax', 'fmap_max'),
])
def test_a_keyword_that_no_network_function_has_is_named_with_the_nearest(use, name, meant, labelled):
    with pytest.raises(TypeError, match=f"keyword argument '{name}'; did you mean {meant}[?]$") as caught:
        use(labelled)
    assert isinstance(caught.value, UserError)


def test_no_guess_is_made_where_nothing_is_near(labelled):
    with pytest.raises(TypeError, match="^G_main: no network function has a keyword argument 'zzz'$"):
        labelled.run(Z, None, zzz=1)


def test_keywords_of_sub_networks_and_of_other_published_networks_pass(labelled, net):
    labelled.run(Z, None, randomize_noise=False, normalize_latents=True, is_validation=True,
                 fused_modconv=False, num_fp16_res=0, mapping_dtype='float32')
    net.run(X, Y, is_validation=True, truncation_psi=0.5, scale=1.0)


@pytest.mark.parametrize('function', [reads_any, reads_in_a_closure, reads_locals, passes_on, wrapped])
def test_functions_that_may_read_any_keyword_get_it(function, session):
    net = tflib.Network('N', func_name=function, anything=1)
    net.clone(more=1).run(X, factor=3)


def test_functions_that_take_no_other_keywords_refuse_them_with_the_nearest(session):
    net = tflib.Network('N', func_name=strict)
    with pytest.raises(TypeError, match="keyword argument 'widht'; did you mean width[?]"):
        net.run(X, widht=2)
    with pytest.raises(TypeError, match="keyword argument 'is_validation'"):
        net.run(X, is_validation=True)
    assert net.run(X, width=2).tolist() == (2 * X).tolist()


@pytest.mark.parametrize('name', ['is_template_graph', 'components'])
@pytest.mark.parametrize('function', [strict, reads_any, 'training.networks_stylegan2.G_synthesis_stylegan2'])
def test_keywords_that_the_network_sets_cannot_be_passed(name, function, session):
    net = tflib.Network('N', func_name=function, **({} if callable(function) else dict(resolution=4)))
    with pytest.raises(TypeError, match=f': {name} is set by Network, and cannot be passed$'):
        net.run(np.zeros([1, *net.input_shape[1:]]), **{name: None})
    with pytest.raises(TypeError, match=f'{name} is set'):
        net.get_output_for(*net.input_templates, **{name: None})
