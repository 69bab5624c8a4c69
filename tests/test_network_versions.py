"""Test reading pickles of networks of all versions and writers."""

import io
import pickle
import pickletools

import numpy as np
import pytest

import dnnlib.tflib as tflib
from dnnlib.pickles import stored_state
from dnnlib.tflib import network_pickle
from dnnlib.tflib.network import import_handler
from dnnlib.tflib.network import state as network_state
from dnnlib.util import EasyDict, UserError
from tests.crafted_pickles import StoredNetwork, dumps, stored
from tests.golden_figures import set_golden_values
from tests.golden_recipe import golden_input
from tests.small_networks import X

SMALL = dict(resolution=8, fmap_max=4, num_channels=1)


@pytest.fixture(scope='module')
def mapping(module_session):
    """Build the smallest of the networks."""
    net = tflib.Network('G_mapping', func_name='training.networks_stylegan2.G_mapping', latent_size=4,
                        dlatent_size=3, mapping_fmaps=2, mapping_layers=2)
    set_golden_values(net)
    return net


@pytest.fixture(autouse=True)
def no_handlers(monkeypatch):
    """Remove import handlers after each test."""
    monkeypatch.setattr(stored_state, 'import_handlers', [])


def load(data):
    return network_pickle.load(io.BytesIO(data))


def outputs(net):
    x = golden_input('x', [2, *net.input_shape[1:]])
    return net.run(x, *[None] * (net.num_inputs - 1), randomize_noise=False)


def assert_equal_networks(found, expected):
    """Check that both networks have the same function, arguments and values, and therefore the same
    images."""
    assert list(found.vars) == list(expected.vars)
    for name in expected.vars:
        np.testing.assert_array_equal(found.get_var(name), expected.get_var(name))
    assert found.static_kwargs == expected.static_kwargs
    assert found._build_func is expected._build_func


# Protocols and names

@pytest.mark.parametrize('network', ['dnnlib.tflib.network', 'tfutil', 'network'])
@pytest.mark.parametrize('core', ['numpy.core', 'numpy._core'])
@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_networks_of_all_protocols_and_names_are_read(protocol, core, network, mapping):
    data = dumps(stored(mapping), protocol, core=core, network=network)
    assert data[1] == protocol
    assert f'{core}.{"numeric" if protocol == 5 else "multiarray"}'.encode() in data
    assert (b'numpy._core' in data) == (core == 'numpy._core')
    assert_equal_networks(load(data), mapping)


def test_byte_strings_of_python_2_are_latin1_text(mapping):
    source = '# \xe9\ndef G_synthesis_stylegan2('
    data = dumps(stored(mapping, lambda state: dict(build_module_src=source)), 2, python2=True)
    assert not {'BINUNICODE', 'SHORT_BINUNICODE'} & {op.name for op, _, _ in pickletools.genops(data)}
    found = load(data)
    assert_equal_networks(found, mapping)
    assert found._build_module_src == source


def test_scalars_come_as_scalars_arrays_or_numbers(module_session):
    D = tflib.Network('D', func_name='training.networks_progan.D_paper', **SMALL)
    for value in (np.float32(2), np.array(2, np.float32), np.float64(2), 2.0, 2, np.int64(2)):
        def change(state, value=value):
            return dict(variables=[(name, {'lod': value}.get(name, old)) for name, old in state['variables']])
        assert load(dumps(stored(D, change), 2)).get_var('lod') == 2


def test_keyword_arguments_may_hold_dictionaries_with_attributes(mapping):
    data = dumps(stored(mapping, lambda state: dict(
        static_kwargs={**state['static_kwargs'], 'extra': EasyDict(a=[1, EasyDict(b=(None, 'text'))])})))
    extra = load(data).static_kwargs.extra
    assert extra.a[1].b == (None, 'text')
    assert type(extra) is EasyDict


# Versions

@pytest.mark.parametrize('protocol', [2, 4])
def test_version_2_is_progressive_gan_without_components(protocol, session):
    """The Progressive GAN repository swaps two axes of some weights: [k,k,out,in]."""
    G = tflib.Network('G', func_name='training.networks_progan.G_paper', latent_size=4, fmap_base=32, **{
        **SMALL, 'fmap_max': 16})
    set_golden_values(G)
    assert G.vars['8x8/Conv0_up/weight'].shape.as_list() == [3, 3, 16, 8]

    def change(state):
        variables = [(name, value.transpose(0, 1, 3, 2) if name.endswith('Conv0_up/weight') else value)
                     for name, value in state['variables']]
        return dict(version=2, variables=variables)

    old = stored(G, change)
    del old.state['components']
    found = load(dumps(old, protocol, network='tfutil'))
    assert_equal_networks(found, G)
    np.testing.assert_array_equal(outputs(found), outputs(G))


@pytest.mark.parametrize('network, turned', [('tfutil', True), ('dnnlib.tflib.network', False)])
def test_who_wrote_a_file_decides_about_square_weights(network, turned, session):
    G = tflib.Network('G', func_name='training.networks_progan.G_paper', latent_size=4, **SMALL)
    set_golden_values(G)
    name = '8x8/Conv0_up/weight'
    assert G.vars[name].shape.as_list() == [3, 3, 4, 4]
    found = load(dumps(stored(G, lambda state: dict(version=2)), network=network))
    expected = G.get_var(name).transpose(0, 1, 3, 2) if turned else G.get_var(name)
    np.testing.assert_array_equal(found.get_var(name), expected)


def test_weights_that_were_turned_are_stored_with_a_text_that_takes_them(session):
    """The source text in the Progressive GAN repository creates weights of the other shape."""
    G = tflib.Network('G', func_name='training.networks_progan.G_paper', latent_size=4, **SMALL)
    change = dict(version=2, build_module_src='def G_paper(latents_in, labels_in): ...')
    assert load(dumps(stored(G, lambda state: change)))._build_module_src == change['build_module_src']
    found = load(dumps(stored(G, lambda state: change), network='tfutil'))
    assert found._build_module_src == G._build_module_src


def test_version_3_is_stylegan(session, capsys):
    G = tflib.Network('G', func_name='training.networks_stylegan.G_style', latent_size=4, dlatent_size=4,
                      mapping_fmaps=4, mapping_layers=2, **SMALL)
    found = load(dumps(stored(G, lambda state: dict(version=3)), 4))
    assert_equal_networks(found, G)
    for key in ('synthesis', 'mapping'):
        assert_equal_networks(found.components[key], G.components[key])
    assert capsys.readouterr().out == ''


def with_shapes(net):
    """Return a change of a state to version 5."""
    nets = {'G': net, **{component.name: component for component in net.components.values()}}
    return lambda state: dict(version=5, **{field: getattr(nets[state['name']], field) for field in (
        'input_shapes', 'output_shapes', 'input_names', 'output_names')})


def test_version_5_says_the_shapes_too(generator, capsys):
    found = load(dumps(stored(generator, with_shapes(generator))))
    assert_equal_networks(found, generator)
    assert found.components.mapping._build_func is generator.components.mapping._build_func
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize('shapes, message', [
    ([[None, 3, 8, 16]], r'the stored output_shapes \[\[None, 3, 8, 16\]\] are not those of G_main'),
    ([[None, 3, 8]], 'the stored output_shapes'), ([], 'the stored output_shapes'),
    ('text', 'output_shapes should be lists of numbers'), ([3], 'output_shapes should be lists of numbers')])
def test_shapes_of_version_5_are_those_of_the_graph(shapes, message, generator):
    data = dumps(stored(generator, lambda state: {
        **with_shapes(generator)(state), **({'output_shapes': shapes} if state['name'] == 'G' else {})}))
    with pytest.raises(UserError, match=f"^network pickle: network 'G': {message}"):
        load(data)


def test_sub_networks_without_source_text_are_those_of_the_network_around_them(generator, capsys):
    data = dumps(stored(generator, lambda state: dict(build_module_src='', version=5)))
    assert_equal_networks(load(data), generator)
    assert capsys.readouterr().out == ''
    with pytest.raises(UserError, match='its G_mapping may be that of'):
        pickle.loads(data)  # this reads the sub-networks first


def test_theano_networks_are_named():
    state = dict(build_func_spec=dict(func='G_paper'), param_values=[], toplevel_params=dict(cur_lod=0.0))
    with pytest.raises(UserError, match='written by the Theano version of Progressive GAN; .*import_handler'):
        load(dumps(StoredNetwork(state), 2, network='network'))


# Import handlers

def test_handlers_are_called_in_the_order_of_their_registration(mapping):
    calls = []

    @import_handler
    def first(state):
        calls.append(('first', state['name']))
        return {**state, 'name': 'renamed'}

    @import_handler
    def second(state):
        calls.append(('second', state['name']))
        return state

    for read in (load, pickle.loads):
        calls.clear()
        assert read(dumps(stored(mapping))).name == 'renamed'
        assert calls == [('first', 'G_mapping'), ('second', 'renamed')]
    assert first({'name': 'x'}) == {'name': 'renamed'}, 'the decorator returns the function'


def test_a_handler_can_convert_theano_networks(mapping):
    state = network_state.get_state(mapping)

    @import_handler
    def convert(theano):
        assert theano['build_func_spec'] == {'func': 'mapping'}
        return {**state, 'variables': list(zip(theano['names'], theano['param_values'], strict=True))}

    names, values = zip(*state['variables'], strict=True)
    theano = dict(build_func_spec={'func': 'mapping'}, names=list(names), param_values=list(values))
    assert_equal_networks(load(dumps(StoredNetwork(theano), 2, network='network')), mapping)


def test_a_handler_can_rename_the_function_to_a_known_one(mapping):
    import_handler(lambda state: {**state, 'build_func_name': 'G_mapping'})
    data = dumps(stored(mapping, lambda state: dict(build_func_name='my_mapping')))
    assert_equal_networks(load(data), mapping)


@pytest.mark.parametrize('read', [load, pickle.loads])
def test_a_handler_can_rename_the_function_to_one_of_ones_own(read, session):
    net = tflib.Network('net', func_name='tests.small_networks.affine', scale=3.0)
    net.set_var('count', 5.0)
    data = dumps(stored(net))
    with pytest.raises(UserError, match="built by 'affine', which is not among"):
        read(data)
    import_handler(lambda state: {**state, 'build_func_name': 'tests.small_networks.affine'})
    found = read(data)
    assert_equal_networks(found, net)
    assert network_state.get_state(found)['build_func_name'] == 'affine'
    np.testing.assert_array_equal(found.run(X, None)[0], net.run(X, None)[0])


def test_a_file_cannot_name_a_function_to_import(session):
    net = tflib.Network('net', func_name='tests.small_networks.affine')
    import_handler(lambda state: state)
    data = dumps(stored(net, lambda state: dict(build_func_name='tests.small_networks.affine')))
    with pytest.raises(UserError, match="built by 'tests.small_networks.affine', which is not among"):
        load(data)
