"""Test pickles of networks: how they are written, read and refused."""

import collections
import io
import os
import pickle
import pickletools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.pickles import writing
from dnnlib.tflib import network_pickle
from dnnlib.tflib.network import state as network_state
from dnnlib.util import EasyDict, UserError
from tests.golden_figures import QUICK, fresh_session, set_golden_values
from tests.golden_recipe import golden_input
from tests.small_networks import SMALL_G

Z = golden_input('z', [3, 4])


def images(net):
    return net.run(Z, None, randomize_noise=False)


def values(net):
    return {name: net.get_var(name) for name in net.vars}


@pytest.fixture(scope='module')
def networks(module_session):
    """Build (G, D, Gs) with different values."""
    G = tflib.Network('G', **SMALL_G)
    D = tflib.Network('D', func_name='training.networks_stylegan2.D_stylegan2', resolution=8, fmap_max=4)
    set_golden_values(G)
    set_golden_values(D, prefix='D:')
    Gs = G.clone('Gs')
    set_golden_values(Gs, prefix='Gs:')
    return G, D, Gs


@pytest.fixture(scope='module')
def stream(networks):
    """Write the networks to bytes."""
    file = io.BytesIO()
    network_pickle.dump(networks, file)
    return file.getvalue()


def load(data):
    return network_pickle.load(io.BytesIO(data))


# Writing

def test_networks_come_back_bit_by_bit(networks, stream):
    expected = [images(networks[0]), networks[1].run(images(networks[0]), None), images(networks[2])]
    for read in (load, pickle.loads):
        with fresh_session(QUICK):
            G, D, Gs = read(stream)
            results = [images(G), D.run(images(G), None), images(Gs)]
            stored = [values(net) for net in (G, D, Gs)]
            assert [net.name for net in (G, D, Gs)] == ['G', 'D', 'Gs']
            assert [net.scope for net in (G, D, Gs)] == ['G', 'D', 'Gs']
            assert G.components.synthesis.scope == 'G_synthesis'
            assert Gs.components.synthesis.scope == 'G_synthesis_1'
            for result, image in zip(results, expected, strict=True):
                np.testing.assert_array_equal(result, image)
        for net, found in zip(networks, stored, strict=True):
            assert list(found) == list(net.vars)
            for name, value in values(net).items():
                np.testing.assert_array_equal(found[name], value)
                assert found[name].dtype == value.dtype


def test_loading_beside_other_networks_makes_new_scopes(networks, stream):
    G, _, _ = load(stream)
    assert G.name == 'G'
    assert G.scope not in {net.scope for net in networks}
    assert G.static_kwargs == networks[0].static_kwargs
    assert isinstance(G.static_kwargs, EasyDict)


def test_a_network_that_was_read_is_written_again_unchanged(stream):
    with fresh_session(QUICK):
        file = io.BytesIO()
        network_pickle.dump(load(stream), file)
    assert file.getvalue() == stream


def test_source_text_is_kept_as_it_was_found(networks):
    G = networks[0]
    state = {**network_state.get_state(G), 'build_module_src': '# written by somebody else'}
    net = tflib.Network.__new__(tflib.Network)
    net.__setstate__(state)
    assert network_state.get_state(net.clone())['build_module_src'] == '# written by somebody else'


def test_the_stream_holds_protocol_4_and_the_names_of_numpy_1(stream):
    assert stream[:2] == b'\x80\x04'
    opcodes = list(pickletools.genops(stream))
    assert max(opcode.proto for opcode, _, _ in opcodes) <= 4
    assert b'numpy._core' not in stream
    strings = {argument for _, argument, _ in opcodes if isinstance(argument, str)}
    assert {'numpy.core.multiarray', '_reconstruct', 'scalar', 'dnnlib.tflib.network', 'Network'} <= strings
    assert not {'copyreg', 'EasyDict', '_frombuffer'} & strings
    assert sum(opcode.name == 'NEWOBJ' for opcode, _, _ in opcodes) == 7, '3 networks, 2 x 2 sub-networks'


def test_the_state_has_the_published_fields(networks):
    state = network_state.get_state(networks[0])
    assert list(state) == ['version', 'name', 'static_kwargs', 'components', 'build_module_src',
                           'build_func_name', 'variables']
    assert (state['version'], state['name'], state['build_func_name']) == (4, 'G', 'G_main')
    assert type(state['static_kwargs']) is type(state['components']) is dict
    assert state['static_kwargs'] == {key: value for key, value in SMALL_G.items() if key != 'func_name'}
    assert list(state['components']) == ['synthesis', 'mapping']
    assert 'def G_main(' in state['build_module_src']
    assert [name for name, _ in state['variables']] == ['lod', 'dlatent_avg']


def test_scalars_are_stored_as_numpy_scalars(networks):
    stored = dict(network_state.get_state(networks[0])['variables'])
    stored.update(network_state.get_state(networks[0].components.synthesis)['variables'])
    scalars = {name: value for name, value in stored.items() if np.ndim(value) == 0}
    assert set(scalars) == {'lod', '4x4/Conv/noise_strength', '8x8/Conv0_up/noise_strength',
                            '8x8/Conv1/noise_strength'}
    assert {type(value) for value in scalars.values()} == {np.float32}
    assert {type(value) for name, value in stored.items() if name not in scalars} == {np.ndarray}
    assert {value.dtype for value in stored.values()} == {np.dtype('float32')}


# Reading

@pytest.mark.parametrize('name', [
    'networks_stylegan.G_style', 'networks_stylegan.G_mapping', 'networks_stylegan.G_synthesis',
    'networks_stylegan.D_basic', 'networks_progan.G_paper', 'networks_progan.D_paper',
    'networks_stylegan2.G_mapping', 'networks_stylegan2.G_synthesis_stylegan_revised',
    'networks_stylegan2.D_stylegan'])
def test_networks_of_every_architecture_come_back(name, session):
    net = tflib.Network('net', func_name=f'training.{name}', resolution=8, fmap_max=4, latent_size=4,
                        dlatent_size=4, mapping_fmaps=4, mapping_layers=2)
    set_golden_values(net)
    x = golden_input('x', [2, *net.input_shape[1:]])
    others = [None] * (net.num_inputs - 1)
    copy = pickle.loads(pickle.dumps(net))
    kwargs = dict(randomize_noise=False)
    np.testing.assert_array_equal(copy.run(x, *others, **kwargs), net.run(x, *others, **kwargs))


ARRAYS = (np.arange(6, dtype='f4').reshape(2, 3), np.arange(6, dtype='>i8').reshape(2, 3).T, np.zeros([0, 2]),
          np.array(2.5), np.float32(1.5), np.array([True, False]), np.bool_(True), np.uint8(7))


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
@pytest.mark.parametrize('core', ['numpy._core', 'numpy.core'])
def test_arrays_of_all_protocols_and_numpy_versions_are_read(protocol, core, monkeypatch):
    class Pickler(pickle._Pickler):
        def save_global(self, obj, name=None):
            if protocol < 4 and obj.__module__.startswith('numpy._core'):
                self.write(f'c{obj.__module__.replace("numpy._core", core)}\n{obj.__name__}\n'.encode())
                self.memoize(obj)
            else:
                super().save_global(obj, name)

    arrays = [array for array in ARRAYS if np.size(array) or protocol > 2]  # old files have no empty arrays
    file = io.BytesIO()
    Pickler(file, protocol).dump(arrays)
    for found, array in zip(load(file.getvalue()), arrays, strict=True):
        np.testing.assert_array_equal(found, array)
        assert (type(found), found.dtype, found.shape) == (type(array), array.dtype, array.shape)
        assert found.ndim == 0 or found.flags.writeable


def test_what_is_shared_stays_shared(networks):
    array = np.ones(2)
    file = io.BytesIO()
    network_pickle.dump([array, array, networks[1], {'D': networks[1]}], file)
    a, b, D, other = load(file.getvalue())
    assert a is b
    assert other['D'] is D


def test_run_settings_are_read():
    config = dnnlib.SubmitConfig()
    config.run_func_kwargs = EasyDict(ranges=range(3), nested=collections.OrderedDict(a=[1, (2, None)]))
    found = load(pickle.dumps(config))
    assert type(found) is dnnlib.SubmitConfig
    assert found == config
    assert (found.submit_target, found.local) == (config.submit_target, config.local)


# Refusing

class Call:
    """Is pickled as a call of `func`."""

    def __init__(self, func, *args):
        self.reduced = func, args

    def __reduce__(self):
        return self.reduced


def stack_global(module, name):
    """Return a stream that looks up a name, which may contain dots, and calls it."""
    strings = b''.join(b'\x8c' + bytes([len(text)]) + text.encode() for text in (module, name))
    return b'\x80\x04' + strings + b'\x93\x8c\x02id\x85R.'


HOSTILE = {
    'call through reduce': pickle.dumps(Call(os.system, 'true')),
    'builtins': pickle.dumps(Call(eval, '1')),
    'getattr': pickle.dumps(Call(getattr, EasyDict, '__init__')),
    'dotted name in a known module': stack_global('dnnlib.util', 'os.system'),
    'dotted name in NumPy': stack_global('numpy', 'ndarray.tofile'),
    'dotted name of a known class': stack_global('dnnlib.tflib.network', 'Network.__init__'),
    'other function of a known module': stack_global('dnnlib.util', 'get_obj_by_name'),
    'function of old protocols': b'cos\nsystem\n(S"id"\ntR.',
    'instance of old protocols': b'(S"id"\nios\nsystem\n.',
    'submission': stack_global('dnnlib.submission.submit', 'run_wrapper'),
}


@pytest.mark.parametrize('data', HOSTILE.values(), ids=HOSTILE)
def test_other_names_are_refused_and_nothing_runs(data, monkeypatch):
    monkeypatch.setattr(os, 'system', lambda command: pytest.fail('was called'))
    with pytest.raises(UserError, match='^network pickle: refused: the file asks for '):
        load(data)


def test_arrays_of_objects_are_refused():
    arrays = np.array([{}, None], dtype=object), np.zeros(2, dtype=[('field', 'O')]), np.array(['text'])
    for array in arrays:
        with pytest.raises(UserError, match='refused: an array of type'):
            load(pickle.dumps(array))


def test_the_flags_of_a_type_are_not_taken_from_the_stream():
    """NumPy itself would treat the bytes of such an array as pointers to objects."""
    class Dtype:
        def __reduce__(self):
            return np.dtype, ('f8', False, True), (3, '<', None, None, None, -1, -1, 63)

    class Array:
        def __reduce__(self):
            return Call(np._core.multiarray._reconstruct, np.ndarray, (0,), b'b').reduced + (
                (1, (1,), Dtype(), False, b'AAAAAAAA'),)

    found = load(pickle.dumps(Array()))
    assert (found.dtype, found.dtype.flags) == (np.dtype('f8'), 0)


@pytest.mark.parametrize('data', [
    b'', b'no pickle', b'\x89PNG\r\n\x1a\n', b'\x80\x04', b'\x80\x04]\x94h\xff.', b'\x80\x04(lp0\n',
    b'\x80\x06N.', b'\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.'])
def test_what_is_no_pickle_is_one_clear_error(data):
    with pytest.raises(UserError, match='^network pickle: not a readable network pickle'):
        load(data)


def test_an_array_without_its_data_is_a_clear_error():
    for state in ((1, (3,), 'f4', False, b''), (1, (4,), np.dtype('f4'), False, b'1234'), None):
        class Array:
            def __reduce__(self, state=state):
                return Call(np._core.multiarray._reconstruct, np.ndarray, (0,), b'b').reduced + (state or [],)
        with pytest.raises(UserError, match='not a readable'):
            load(pickle.dumps(Array()))


def test_a_file_that_was_cut_off_is_named_and_builds_nothing(stream, tmp_path):
    path = tmp_path / 'network.pkl'
    with fresh_session(QUICK) as session:
        for length in (10, len(stream) // 2, len(stream) - 1):
            path.write_bytes(stream[:length])
            with open(path, 'rb') as file, pytest.raises(UserError) as caught:
                network_pickle.load(file)
            assert str(caught.value).startswith(f'{path}: not a readable network pickle')
            assert '\n' not in str(caught.value)
        assert not session.graph.get_operations()


class Changed:
    """Is pickled as a network with changed fields. Sub-networks stay as they are."""

    def __init__(self, net, **changes):
        self.state = {**network_state.get_state(net), **changes}


class ChangedPickler(writing._Pickler):
    """Writes `Changed` objects as networks."""

    def save(self, obj, save_persistent_id=True):
        if not isinstance(obj, Changed):
            super().save(obj, save_persistent_id)
            return
        self.save(tflib.Network)
        self.save(())
        self.write(pickle.NEWOBJ)
        self.save(obj.state)
        self.write(pickle.BUILD)


def dump_changed(obj):
    file = io.BytesIO()
    ChangedPickler(file, writing.PROTOCOL).dump(obj)
    return file.getvalue()


def with_lod(state, value):
    """Return the variables of a state with another value of `lod`."""
    return dict(variables=[(name, value if name == 'lod' else old) for name, old in state['variables']])


STATE_FAULTS = [
    (lambda state: dict(version=6), 'network of version 6; expected one of 2, 3, 4, 5'),
    (lambda state: dict(version=None), 'network of version None; expected'),
    (lambda state: dict(build_func_name='my_G'), "network 'G' is built by 'my_G', which is not among the"),
    (lambda state: dict(name=7), 'network 7: name should be a str, is int'),
    (lambda state: dict(components=[]), "network 'G': components should be a dict, is list"),
    (lambda state: dict(variables=[1, 2]), "network 'G': variables should be pairs"),
    (lambda state: dict(variables=state['variables'][1:]), r"missing \['lod'\], surplus none"),
    (lambda state: dict(variables=[*state['variables'], ('extra', np.float32(1))]),
     r"the stored variables do not fit G_main: missing none, surplus \['extra'\]"),
    (lambda state: with_lod(state, np.zeros(2)), r'variable lod is stored as float64 \[2\], expected \[\]'),
    (lambda state: with_lod(state, 'text'), r'variable lod is stored as <U4 \[\], expected \[\]'),
    (lambda state: dict(components={'synthesis': state['components']['synthesis']}),
     "the stored components do not fit G_main: missing .'mapping'.*, surplus none"),
    (lambda state: dict(components={**state['components'], 'third': state['components']['mapping']}),
     "the stored components do not fit G_main: missing none, surplus .'third'"),
    (lambda state: dict(components={'synthesis': 7, 'mapping': 8}), 'G_main does not accept the stored'),
    (lambda state: dict(static_kwargs={**state['static_kwargs'], 'components': 1}), 'does not accept'),
    (lambda state: dict(static_kwargs={1: 2}), 'does not accept'),
]


@pytest.mark.parametrize('change, message', STATE_FAULTS)
def test_a_state_that_does_not_fit_is_one_clear_error(change, message, networks):
    data = dump_changed(Changed(networks[0], **change(network_state.get_state(networks[0]))))
    with fresh_session(QUICK), pytest.raises(UserError, match=message) as caught:
        load(data)
    assert '\n' not in str(caught.value)


def test_nothing_is_assigned_before_everything_fits(networks, stream, monkeypatch):
    G, D, _ = networks
    good_and_bad = dump_changed((D, Changed(G, variables=[])))
    calls = []
    monkeypatch.setattr(network_pickle.tfutil, 'set_initial_values', calls.append)
    with fresh_session(QUICK), pytest.raises(UserError, match='missing'):
        load(good_and_bad)
    assert not calls
    with fresh_session(QUICK):
        load(stream)
    assert [len(values) for values in calls] == [sum(len(net.vars) for net in networks)]


def test_an_object_without_state_is_refused(networks):
    data = b'\x80\x04\x8c\x14dnnlib.tflib.network\x8c\x07Network\x93)\x81.'
    with pytest.raises(UserError, match='a network without state'):
        load(data)


def test_lists_that_contain_themselves_are_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(UserError):
        load(pickle.dumps(endless))


def test_networks_need_a_session(stream, monkeypatch):
    monkeypatch.setattr(tf, 'get_default_session', lambda: None)
    with tf.Graph().as_default(), pytest.raises(RuntimeError, match='init_tf'):
        load(stream)
