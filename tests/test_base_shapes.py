"""Test networks of images whose lowest resolution is not 4x4: what they compute, and their files."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
import network_info
from bridges import tf1
from dnnlib.pickles import inspection
from dnnlib.tflib import network_pickle
from dnnlib.util import UserError
from metrics import sampling
from tests.crafted_pickles import dumps, stored
from tests.golden_figures import assert_close, set_golden_values
from tests.golden_recipe import golden_input
from training import misc
from training.loop import outlook, starting_networks

SMALL = dict(resolution=8, num_channels=3, fmap_base=32, fmap_max=4, latent_size=4, dlatent_size=4,
             mapping_fmaps=4, mapping_layers=1)
GENERATORS = {
    'networks_stylegan2.G_main': {}, 'networks_stylegan2.G_main growing': dict(
        synthesis_func='G_synthesis_stylegan_revised'),
    'networks_stylegan.G_style': {}, 'networks_stylegan.G_style dense': dict(const_input_layer=False),
    'networks_progan.G_paper': {}, 'networks_stylegan2_ada.G_main': {}}
DISCRIMINATORS = {
    'networks_stylegan2.D_stylegan2': {}, 'networks_stylegan2.D_stylegan': {},
    'networks_stylegan.D_basic': {}, 'networks_progan.D_paper': {},
    'networks_stylegan2_ada.D_main': dict(architecture='skip')}


def build(name, **kwargs):
    module_and_function, kwargs = name.split()[0], {**SMALL, **kwargs}
    return tflib.Network('net', func_name=f'training.{module_and_function}', **kwargs)


def drawn(net):
    return net.run(golden_input('z', [2, 4]), None, randomize_noise=False)


def turned(name, value, base):
    """Return the value of a variable for a network with the base turned by 90 degrees and mirrored."""
    if name.endswith(('/const',)) or 'noise' in name.rpartition('/')[2] and value.ndim == 4:
        return value.swapaxes(2, 3)
    if name.endswith('/weight') and value.ndim == 4:
        return value.swapaxes(0, 1)
    if name.endswith('4x4/Dense0/weight'):  # [C*H*W,F]
        return value.reshape(-1, *base, value.shape[1]).swapaxes(1, 2).reshape(value.shape)
    if name.endswith('4x4/Dense/weight'):  # [L,C*H*W]
        return value.reshape(len(value), -1, *base).swapaxes(2, 3).reshape(value.shape)
    return value


def pair(name, kwargs):
    """Return a network and its twin, with height and width exchanged."""
    net, twin = (build(name, base_shape=base, **kwargs) for base in ([5, 3], [3, 5]))
    set_golden_values(net)
    tflib.set_vars({var: turned(name, tflib.run(net.vars[name]), [5, 3]) for name, var in twin.vars.items()})
    return net, twin


@pytest.mark.parametrize('name', GENERATORS)
def test_a_generator_with_height_and_width_exchanged_draws_the_transposed_images(name, session):
    net, twin = pair(name, GENERATORS[name])
    assert net.output_shape == [None, 3, 10, 6]
    images, others = (drawn(each) for each in (net, twin))
    assert np.ptp(images) > 0.1
    assert_close(others.swapaxes(2, 3), images, name)


@pytest.mark.parametrize('name', DISCRIMINATORS)
def test_a_discriminator_with_height_and_width_exchanged_gives_turned_images_the_same_scores(name, session):
    net, twin = pair(name, DISCRIMINATORS[name])
    assert net.input_shape == [None, 3, 10, 6]
    images = golden_input('images', [4, 3, 10, 6])
    scores = net.run(images, None)
    assert_close(twin.run(images.swapaxes(2, 3), None), scores, name)
    assert np.ptp(scores) > 0 and scores.shape == (4, 1)


@pytest.fixture(scope='module')
def triple(module_session):
    G = build('networks_stylegan2.G_main', base_shape=[6, 4])
    D = build('networks_stylegan2.D_stylegan2', base_shape=[6, 4])
    return G, D, G.clone('Gs')


@pytest.fixture
def network_pkl(triple, tmp_path):
    misc.save_pkl(triple, str(tmp_path / 'net.pkl'))
    return str(tmp_path / 'net.pkl')


def test_initial_weights_have_the_scale_of_all_others(triple):
    """The equalized learning rate follows from the inputs that a layer has."""
    _, D, _ = triple
    weight = D.get_var('4x4/Dense0/weight')
    assert weight.shape == (4 * 6 * 4, 4)
    assert weight.std() == pytest.approx(1, abs=0.15)
    assert D.get_output_for(tf.zeros([4, 3, 12, 8]), None).shape.as_list() == [4, 1]


def test_the_base_is_stored_where_it_is_used_only(triple, module_session):
    G, D, _ = triple
    for net in (G, D, G.components.synthesis):
        assert net.__getstate__()['static_kwargs']['base_shape'] == [6, 4]
    assert 'base_shape' not in build('networks_stylegan2.D_stylegan2').__getstate__()['static_kwargs']


def test_a_file_is_described_and_loads_with_the_same_images(triple, network_pkl, capsys):
    network_info.main([network_pkl])
    assert [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()
            if line.startswith('  images')] == ['8 x 12, 3 channels'] * 3
    Gs = misc.load_pkl(network_pkl)[2]
    assert drawn(Gs).shape == (2, 3, 12, 8)
    np.testing.assert_array_equal(drawn(Gs), drawn(triple[2]))


def test_only_data_of_the_same_size_can_be_trained_on(network_pkl):
    starting_networks.check_file(network_pkl, ([3, 12, 8], [0]))
    with pytest.raises(UserError, match=r'take images .*\[\[3, 12, 8\], \[0\]\], but the data set has'):
        starting_networks.check_file(network_pkl, ([3, 8, 12], [0]))


def test_text_for_tensorflow_1_14_can_be_exported(network_pkl, tmp_path):
    """It holds the functions that know the base."""
    assert tf1.export(network_pkl, str(tmp_path / 'tf1.pkl')).startswith('7 networks')
    network = inspection.inspect(str(tmp_path / 'tf1.pkl')).networks[0]
    assert network.source == inspection.SELF_CONTAINED
    assert 'def level_shape(' in network.state['build_module_src']


def test_names_are_those_of_squares_and_work_is_estimated_from_pixels(triple):
    G, _, _ = triple
    square = build('networks_stylegan2.G_main')
    assert list(G.vars) == list(square.vars)
    assert 1.3 < outlook.multiply_adds(G) / outlook.multiply_adds(square) < 1.6  # 6*4 / 4*4 in convolutions


@pytest.mark.parametrize('shape, shrunk', [
    ([640, 384], [320, 192]), ([768, 768], [256, 256]), ([1280, 768], [320, 192]), ([96, 96], [96, 96])])
def test_images_are_shrunk_by_a_factor_that_divides_both_sides(shape, shrunk, module_session):
    images = tf.zeros([1, 3, *shape])
    assert sampling.shrink_to(images, 256).shape.as_list() == [1, 3, *shrunk]


# Files of others.

def resized(net, change):
    """Return a network as stored with other keyword arguments; sub-networks, too."""
    return stored(net, lambda state: {'static_kwargs': change(dict(state['static_kwargs']))})


def with_base(value):
    return lambda kwargs: {**kwargs, 'base_shape': value}


@pytest.mark.parametrize('value, match', [
    ([2, 4], r'base_shape=\[2, 4\]; expected two numbers from 3 to 20'), ([21, 4], 'two numbers'),
    ([6, 4, 4], 'two numbers'), ('64', 'two numbers'), ([6.0, 4], 'two numbers'), ([True, 4], 'two numbers'),
    ([10 ** 9, 4], 'two numbers'), ([5, 4], 'is stored as float32 .*, expected')])
def test_a_base_that_cannot_be_is_refused(value, match, triple, tmp_path):
    path = tmp_path / 'net.pkl'
    path.write_bytes(dumps(resized(triple[0], with_base(value))))
    with pytest.raises(UserError, match=match) as info, open(path, 'rb') as file:
        network_pickle.load(file)
    assert '\n' not in str(info.value)


def test_images_that_are_too_large_are_refused(triple, tmp_path):
    path = tmp_path / 'net.pkl'
    path.write_bytes(dumps(resized(triple[0], lambda kwargs: {**kwargs, 'resolution': 1 << 14})))
    with pytest.raises(UserError, match='base_shape=.*resolution=16384 are too large'):
        inspection.inspect(str(path))


def as_fork(**changes):
    """Return a function that states sizes as forks do."""
    def change(kwargs):
        height, width = kwargs.pop('base_shape')
        doublings = kwargs.pop('resolution').bit_length() - 3
        return {**kwargs, 'min_h': height, 'min_w': width, 'res_log2': doublings, **changes}
    return change


def test_networks_of_forks_that_state_other_arguments_are_read(triple, tmp_path, capsys):
    path, again = tmp_path / 'fork.pkl', tmp_path / 'again.pkl'
    path.write_bytes(dumps(tuple(resized(net, as_fork()) for net in triple)))
    network_info.main([str(path)])
    out = ' '.join(capsys.readouterr().out.split())
    assert 'images 8 x 12, 3 channels' in out
    assert 'the arguments of a fork, are read as base_shape=[6, 4], resolution=8' in out
    starting_networks.check_file(str(path), ([3, 12, 8], [0]))
    nets = misc.load_pkl(str(path))
    np.testing.assert_array_equal(drawn(nets[2]), drawn(triple[2]))
    misc.save_pkl(nets, str(again))
    network = inspection.inspect(str(again)).networks[2]
    assert network.state['static_kwargs']['base_shape'] == [6, 4]
    assert 'min_h' not in network.state['static_kwargs'] and network.source == inspection.CURRENT


@pytest.mark.parametrize('changes, match', [
    (dict(min_h=5), 'is stored as .*expected'), (dict(res_log2=2), 'stored variables do not fit .*missing'),
    (dict(min_w=1), r'min_h and min_w=\[6, 1\]; expected'), (dict(res_log2='1'), "res_log2='1'; expected"),
    (dict(res_log2=40), 'res_log2=40; expected a number from 0 to 12')])
def test_networks_of_forks_that_do_not_fit_are_refused_in_one_line(changes, match, triple, tmp_path):
    path = tmp_path / 'fork.pkl'
    path.write_bytes(dumps(resized(triple[0], as_fork(**changes))))
    with pytest.raises(UserError, match=match) as info, open(path, 'rb') as file:
        network_pickle.load(file)
    assert '\n' not in str(info.value)
