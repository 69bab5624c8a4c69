"""Test networks in hostile files: false states, excessive sizes, and names that must not be used."""

import io
import pickletools
import re

import numpy as np
import pytest

import dnnlib.tflib as tflib
from dnnlib.tflib import network_pickle
from dnnlib.util import EasyDict, UserError
from tests import hostile_files
from tests.crafted_pickles import StoredNetwork, dumps, stored
from tests.hostile_files import assert_refused


@pytest.fixture(scope='module')
def state_of(generator):
    """Return a function that makes a new, complete state of G."""
    G = stored(generator)
    components = {key: component.state for key, component in G.state['components'].items()}

    def make():
        return {**G.state, 'components': {
            key: StoredNetwork(dict(state)) for key, state in components.items()}}
    return make


def kwargs(**changes):
    """Change keyword arguments."""
    return lambda state: state.update(static_kwargs={**state['static_kwargs'], **changes})


def mapping_kwargs(**changes):
    """Change keyword arguments of a sub-network."""
    return lambda state: kwargs(**changes)(state['components']['mapping'].state)


def variable(value):
    """Replace the value of a variable."""
    return lambda state: state.update(variables=[('lod', value), state['variables'][1]])


def fields(**changes):
    """Change fields."""
    return lambda state: state.update(changes)


def components(**changes):
    """Change sub-networks."""
    return lambda state: state['components'].update(changes)


def swap(state):
    """Exchange the keys of two sub-networks."""
    mapping, synthesis = state['components'].values()
    state['components'] = dict(mapping=mapping, synthesis=synthesis)


def contain_itself(state):
    """Put a network into its own state."""
    state['components']['mapping'] = StoredNetwork(state)


def explode(depth=12):
    """Return nested lists that share their contents."""
    value = [1] * 10
    for _ in range(depth):
        value = [value] * 10
    return value


SOURCE = 'import tests.hostile_files as t\nt.fire("source")\ndef G_main(*args, **kwargs):\n  t.fire()\n'
STATES = {
    **{f'version {value!r}'[:30]: (fields(version=value), 'network of version ') for value in (
        '4', 4.0, True, None, -4, 10 ** 15, [4], np.int64(4), float('nan'))},
    **{f'name {value[:20]!r}': (fields(name=value), r'network .*: a name has letters, digits') for value in (
        '../x', '/etc/passwd', 'a\0b', 'G\n', 'x' * 10000, 'a b', '\u202egpj', '\ud800')},
    'name of another kind': (fields(name=b'G'), "network b'G': name should be a str, is bytes"),
    'function of another module': (fields(build_func_name='os.system'), "built by 'os.system', which is not"),
    'function of this module': (fields(build_func_name='tests.hostile_files.fire'), 'which is not among'),
    'function that is a method': (fields(build_func_name='__init__'), 'which is not among'),
    'function without a name': (fields(build_func_name=''), "is built by '', which is not among"),
    'function with a long name': (fields(build_func_name='f\n' * 10000), 'which is not among'),
    'function of another kind': (fields(build_func_name=['G_main']), 'build_func_name should be a str'),
    'source text of another kind': (fields(build_module_src=7), 'build_module_src should be a str, is int'),
    'source text of an unknown function': (
        fields(build_func_name='G_evil', build_module_src=SOURCE), "built by 'G_evil', which is not among"),
    'a path as a variable': (fields(variables=[('../x', np.float32(1))]), 'missing .*, surplus .*[.][.]/x'),
    'NUL in a variable': (fields(variables=[('lod\0', np.float32(1))]), r'surplus .*lod\\x00'),
    'a variable twice': (lambda state: state.update(variables=state['variables'] * 2), 'must be unique'),
    'variables without names': (fields(variables=[(1, 2), (2, 3)]), 'must be unique'),
    'variables with names in lists': (fields(variables=[([], 2)]), 'must be unique'),
    'variables in triples': (fields(variables=[(1, 2, 3)]), 'variables should be pairs'),
    'variables as a dictionary': (fields(variables={}), 'variables should be a list'),
    'many variables': (fields(variables=[(f'v{i}' * 9, 1) for i in range(10000)]), 'do not fit G_main'),
    'a variable of text': (variable('0'), 'lod is stored as <U1'),
    'a variable of bytes': (variable(b'0'), 'lod is stored as bytes'),
    'a variable of nothing': (variable(None), 'lod is stored as NoneType'),
    'a variable in a list': (variable([1.0]), 'lod is stored as list'),
    'a variable without end': (variable(explode()), 'lod is stored as list'),
    'a variable of another shape': (variable(np.zeros([1])), r'lod is stored as float64 \[1\], expected'),
    'a variable as a network': (
        lambda state: variable(state['components']['mapping'])(state), 'lod is stored as Network'),
    'static_kwargs as a list': (fields(static_kwargs=[]), 'static_kwargs should be a dict, is list'),
    'a class as a keyword argument': (kwargs(a=tflib.Network), 'refused: an object of type type'),
    'a network as a keyword argument': (
        lambda state: kwargs(a=state['components']['mapping'])(state), 'G_main does not accept the stored'),
    'a range as a keyword argument': (kwargs(a=range(5)), 'does not accept the stored arguments'),
    'a resolution of 2^30': (kwargs(resolution=2 ** 30), 'resolution=1073741824 is too large'),
    'a resolution of 2^60': (kwargs(resolution=2 ** 60), 'is too large'),
    'a resolution as an array': (kwargs(resolution=np.int64(2 ** 60)), 'is too large'),
    'a resolution without end': (kwargs(resolution=float('inf')), 'resolution=inf is too large'),
    'no number as a resolution': (kwargs(resolution=float('nan')), 'resolution=nan is too large'),
    'a resolution that is not the one': (kwargs(resolution=16), 'does not accept|do not fit'),
    'a negative resolution': (kwargs(resolution=-8), 'does not accept'),
    'text as a resolution': (kwargs(resolution='8'), 'does not accept'),
    'many layers': (mapping_kwargs(mapping_layers=10 ** 9), 'mapping_layers=1000000000 is too large'),
    'more layers than stored': (mapping_kwargs(mapping_layers=3), 'do not fit G_mapping: missing .*Dense2'),
    'wide layers': (mapping_kwargs(mapping_fmaps=2 ** 31), "network 'G_mapping': "),
    'many feature maps': (
        lambda state: kwargs(fmap_base=2 ** 40, fmap_max=2 ** 40)(state['components']['synthesis'].state),
        "network 'G_synthesis': "),
    'feature maps without end': (kwargs(fmap_base=1e308), 'is too large'),
    'a large filter': (kwargs(resample_kernel=[1] * 100000), 'there are more than 256'),
    'a large filter as an array': (kwargs(resample_kernel=np.ones(100000)), 'does not accept'),
    'a billion laughs': (kwargs(a=explode()), 'there are more than 256'),
    'long text': (kwargs(a='x' * 100000), 'does not accept the stored arguments'),
    'a type of text': (kwargs(dtype='string'), 'does not accept|do not fit|other sub'),
    'a keyword of two underscores': (kwargs(__class__=1), "'__class__' is not a name"),
    'an attribute of two underscores': (
        kwargs(a=EasyDict(__setstate__=1)), "refused: an attribute '__setstate__'"),
    'a keyword with a path': (kwargs(**{'../x': 1}), "'../x' is not a name"),
    'a keyword that is a number': (fields(static_kwargs={1: 2}), '1 is not a name'),
    'a keyword of the template': (kwargs(is_template_graph=True), 'does not accept the stored arguments'),
    'components as keywords': (kwargs(components={}), 'does not accept the stored arguments'),
    'no sub-networks, to be made': (
        lambda state: (fields(components={})(state), kwargs(fmap_base=2 ** 39, fmap_max=2 ** 39)(state)),
        r"missing \['mapping', 'synthesis'\]"),
    'no sub-networks, by a function': (
        lambda state: (fields(components={})(state), kwargs(mapping_func='fire')(state)), 'missing'),
    'a number as a sub-network': (components(mapping=7), 'G_main does not accept'),
    'a list as a sub-network': (components(mapping=[]), 'G_main does not accept'),
    'a path as a sub-network': (components(**{'../x': 1}), 'surplus .*[.][.]/x'),
    'sub-networks in a list': (fields(components=[]), 'components should be a dict, is list'),
    'twice the same sub-network': (
        lambda state: components(mapping=state['components']['synthesis'])(state), 'G_main does not accept'),
    'another network as sub-network': (
        lambda state: components(mapping=StoredNetwork({**state, 'components': {}}))(state), 'missing'),
    'a network in itself': (contain_itself, 'an object that contains itself'),
    'a lie about shapes': (fields(version=5, input_shapes=[[None, 4]]), 'the stored input_shapes'),
    'shapes of another kind': (fields(version=5, input_shapes=explode(3)), 'input_shapes should be lists'),
}


@pytest.mark.parametrize('change, message', STATES.values(), ids=STATES)
def test_states_that_lie_end_in_one_clear_error(change, message, state_of, tmp_path):
    state = state_of()
    change(state)
    path = tmp_path / 'hostile.pkl'
    path.write_bytes(dumps((StoredNetwork(state),) * 3))
    assert re.search(message, assert_refused(path)), message


def mapping_stream(state_of, **changes):
    """Return the stream of the smallest network, and its state."""
    state = {**state_of()['components']['mapping'].state, **changes}
    return dumps(StoredNetwork(state)), state


def load(data):
    return network_pickle.load(io.BytesIO(data))


def test_the_source_text_of_a_known_function_is_kept_and_not_executed(state_of):
    source = SOURCE + 'def G_synthesis_stylegan2(*args):\n  t.fire()\n'
    data, _ = mapping_stream(state_of, build_module_src=source)
    with hostile_files.watched():
        net = load(data)
    assert not hostile_files.fired
    assert net._build_module_src == source


def test_fields_that_are_not_of_a_state_are_without_effect(state_of):
    changes = dict(own_func='tests.hostile_files.fire', from_tfutil=True, _build_func=1)
    data, state = mapping_stream(state_of, **changes)
    with hostile_files.watched():
        net = load(data)
    assert not hostile_files.fired
    assert net._build_func.__module__ == 'training.networks_stylegan2'
    np.testing.assert_array_equal(net.get_var('Dense0/weight'), dict(state['variables'])['Dense0/weight'])


@pytest.mark.parametrize('protocol', [2, 4, 5])
def test_a_network_that_is_cut_off_anywhere_is_refused(protocol, state_of, generator):
    data = dumps(StoredNetwork(state_of()), protocol)
    positions = [position for _, _, position in pickletools.genops(data)]
    operations = generator.input_templates[0].graph.get_operations()
    for length in [*positions, *(position + 1 for position in positions[:-1]), *range(0, len(data), 997)]:
        with pytest.raises(UserError, match='^network pickle: not a readable network pickle '):
            load(data[:length])
    assert len(generator.input_templates[0].graph.get_operations()) == len(operations)


def test_damaged_bytes_end_in_a_network_or_in_one_clear_line(state_of):
    """The source text is short, so most damage hits a name, a number or the structure."""
    data, _ = mapping_stream(state_of, build_module_src='def G_synthesis_stylegan2(')
    random = np.random.RandomState(1)
    refused = 0
    for _ in range(60):
        damaged = bytearray(data)
        damaged[random.randint(len(data))] = random.randint(256)
        with hostile_files.watched():
            try:
                load(bytes(damaged))
            except UserError as error:
                assert str(error).isprintable()
                refused += 1
        assert not hostile_files.fired
    assert refused > 20
