"""Test checkpoints of rosinality's StyleGAN2: reading them as TensorFlow networks, and writing them."""

import functools
import pathlib
import re

import numpy as np
import pytest

from bridges import rosinality as bridge
from dnnlib.pickles import inspection
from dnnlib.pickles.pytorch import rosinality, streams
from dnnlib.tflib import network_pickle
from dnnlib.util import UserError

SAMPLES = pathlib.Path(__file__).parent / 'samples'
EXPECTED = np.load(SAMPLES / 'rosinality.npz')  # What PyTorch computed.
CHECKPOINT, GREY = SAMPLES / 'rosinality.pt', SAMPLES / 'rosinality_grey_legacy.pt'
WITHOUT_NOISE = dict(truncation_psi=1, randomize_noise=False)


@functools.cache
def stored(path):
    """Return the state dicts and arrays in a checkpoint."""
    with open(path, 'rb') as file:
        found = streams.load(file)
    return {key: {name: array.numpy for name, array in value.items()} if key in ('g', 'd', 'g_ema')
            else value.numpy for key, value in found.items() if key in ('g', 'd', 'g_ema', 'latent_avg')}


def assert_close(found, expected):
    """Check that arrays differ by less than 1e-4 of the largest value; they do by less than 1e-6."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def load(path):
    with open(path, 'rb') as file:
        return network_pickle.load(file)


# Reading

def test_images_and_scores_are_those_of_pytorch(module_session):
    G, D, Gs = load(CHECKPOINT)
    assert_close(Gs.run(EXPECTED['z'], None, **WITHOUT_NOISE), EXPECTED['images'])
    assert_close(Gs.run(EXPECTED['z'], None, truncation_psi=0.5, randomize_noise=False),
                 EXPECTED['truncated'])
    assert_close(G.run(EXPECTED['z'], None, **WITHOUT_NOISE), EXPECTED['images_of_g'])
    assert_close(D.run(EXPECTED['images'], None), EXPECTED['scores'])


def test_a_generator_alone_is_one_network(module_session):
    Gs = load(GREY)
    assert_close(Gs.run(EXPECTED['z'][:, :8], None, **WITHOUT_NOISE), EXPECTED['grey_images'])


def test_without_latent_avg_truncation_starts_from_the_mean_of_mapped_latents(module_session):
    Gs = load(GREY)
    mapped = Gs.components.mapping.run(np.random.RandomState(5).randn(20000, 8), None)[:, 0]
    difference = (Gs.get_var('dlatent_avg') - mapped.mean(0)) / mapped.std(0)
    assert np.abs(difference).max() < 0.06
    report = inspection.inspect(GREY)
    assert 'the file has no latent_avg: dlatent_avg is the mean of 4096' in report.networks[0].notes[0]
    assert not [note for network in inspection.inspect(CHECKPOINT).networks for note in network.notes]


def test_structure_and_width_are_found_from_shapes():
    G, D, _ = inspection.inspect(CHECKPOINT).networks
    assert G.code == D.code == 'StyleGAN2-ADA'
    images = dict(resolution=16, num_channels=3, fmap_base=32, fmap_max=8)
    assert G.kwargs == dict(latent_size=12, dlatent_size=12, mapping_fmaps=12, mapping_layers=3,
                            architecture='skip', **images)
    assert D.kwargs == dict(architecture='resnet', mbstd_group_size=4, mbstd_num_features=1, **images)


@pytest.mark.parametrize('multiplier, size', [(1, 1024), (2, 1024), (2, 256), (1, 256), (1, 64), (2, 32)])
def test_published_widths_have_limits_of_fmaps(multiplier, size):
    published = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256 * multiplier, 128: 128 * multiplier,
                 256: 64 * multiplier, 512: 32 * multiplier, 1024: 16 * multiplier}
    fmaps = {res: count for res, count in published.items() if res <= size}
    base, limit = rosinality._fmap_limits(fmaps, is_generator=True)
    assert limit == 512 and base == min(8192 * multiplier, 256 * size)


def _states(**changes):
    """Return the parts of the checkpoint, with other state dicts."""
    return {**stored(CHECKPOINT), **changes}


def names_of(found):
    return [network.state['name'] for network in (found if isinstance(found, tuple) else [found])]


@pytest.mark.parametrize('keys, names', [
    (['g', 'd', 'g_ema'], ['G', 'D', 'Gs']), (['g', 'd'], ['G', 'D', 'Gs']),
    (['d', 'g_ema'], ['G', 'D', 'Gs']), (['g', 'g_ema'], ['Gs']), (['g_ema'], ['Gs']), (['g'], ['Gs']),
    (['d'], ['D'])])
def test_checkpoints_may_lack_networks(keys, names):
    found = {key: stored(CHECKPOINT)[key] for key in keys}
    assert rosinality.is_checkpoint(found)
    assert names_of(rosinality.networks(found)) == names


def test_a_state_dict_alone_is_a_generator():
    bare = stored(CHECKPOINT)['g_ema']
    assert rosinality.is_checkpoint(bare) and names_of(rosinality.networks(bare)) == ['Gs']


@pytest.mark.parametrize('found', [
    None, [], {}, {'g': None}, {'g_ema': [1]}, {1: 2}, {'G': {}}, {'state_dict': {}}, {'input.input': 1}])
def test_other_files_are_no_checkpoints(found):
    assert not rosinality.is_checkpoint(found)


def variables(network):
    """Return {name: array} of a network and its sub-networks."""
    state = network.state
    found = {f'{state["build_func_name"]}/{name}': value.numpy for name, value in state['variables']}
    for component in state['components'].values():
        found |= variables(component)
    return found


def assert_same_variables(found, expected):
    found, expected = variables(found), variables(expected)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_forks_name_and_shape_parameters_in_their_own_ways():
    """DataParallel adds a prefix, and modules without filters have other numbers."""
    numbers = {'conv2.1.': 'conv2.0.', 'conv2.2.': 'conv2.1.', 'skip.1.': 'skip.0.'}
    pattern = '|'.join(map(re.escape, numbers))
    d = {'module.' + re.sub(pattern, lambda match: numbers[match[0]], name): value
         for name, value in stored(CHECKPOINT)['d'].items() if not name.endswith('kernel')}
    g = {name: value.reshape(value.shape[1:]) if name.endswith('conv.weight') else value
         for name, value in stored(CHECKPOINT)['g_ema'].items()}
    _, D, Gs = rosinality.networks(_states())
    _, other_D, other_Gs = rosinality.networks(_states(d=d, g_ema=g, latent_avg=EXPECTED['latent_avg'][None]))
    assert_same_variables(other_D, D)
    assert_same_variables(other_Gs, Gs)


def test_a_generator_without_noise_images_gets_some():
    g = {name: value for name, value in stored(CHECKPOINT)['g_ema'].items() if not name.startswith('noises.')}
    found = rosinality.networks({'g_ema': g, 'latent_avg': EXPECTED['latent_avg']})
    noises = [value for name, value in variables(found).items() if name.startswith('G_synthesis/noise')]
    assert [noise.shape[-1] for noise in noises] == [4, 8, 8, 16, 16]
    assert 0.7 < np.std(noises[-1]) < 1.3
    assert found.notes == ('the file has no noise images: those with randomize_noise=False are drawn',)


# Refusing

def _without(key, name):
    return {key: {each: value for each, value in stored(CHECKPOINT)[key].items() if each != name}}


def _with(key, **changes):
    changes = {name.replace('__', '.'): value for name, value in changes.items()}
    return {key: stored(CHECKPOINT)[key] | changes}


ZEROS = np.zeros([3, 3], np.float32)


@pytest.mark.parametrize('changes, message', [
    (_without('g_ema', 'convs.1.conv.weight'), "rosinality's generator: there is no convs.1.conv.weight"),
    (_without('g_ema', 'to_rgbs.1.bias'), "'convs.2.conv.weight' is not a parameter of StyleGAN2"),
    (_without('g_ema', 'style.3.weight'), 'style.3'),
    (_without('d', 'convs.1.skip.1.weight'), "rosinality's discriminator: there is no convs.1.skip.1.weight"),
    (_with('g_ema', style__1__weight=ZEROS), 'style.1.weight'),
    (_with('g_ema', convs__0__conv__weight=ZEROS), 'convs.0.conv.weight is [3, 3], which is not expected'),
    (_with('g_ema', convs__0__activate__bias=ZEROS), 'convs.0.activate.bias is [3, 3]; expected [8]'),
    (_with('g_ema', convs__0__conv__blur__kernel=ZEROS), 'is not the filter [1, 3, 3, 1]'),
    (_with('g_ema', convs__0__conv__blur__kernel=np.ones([4, 4]) / 4), 'is not the filter [1, 3, 3, 1]'),
    (_with('g_ema', convs__0__conv__other=ZEROS), "'convs.0.conv.other' is not a parameter of StyleGAN2"),
    (_with('g_ema', input__input=np.zeros([1, 8, 4, 4], int)), "'input.input' should be an array of floats"),
    (_with('g_ema', input__input='text'), "'input.input' should be an array of floats"),
    (_with('g_ema', conv1__conv__weight=np.zeros([1, 6, 8, 3, 3], np.float32)),
     'the feature maps (6 at 4x4, 8 at 8x8, 4 at 16x16) are not min(fmap_base * 2 / resolution, fmap_max)'),
    (_with('d', convs__1__conv1__7__weight=ZEROS), 'there are parameters of the same name'),
    (dict(latent_avg=np.zeros(5, np.float32)), 'latent_avg is [5]; expected [12]'),
    (dict(latent_avg='text'), 'latent_avg is []; expected [12]')])
def test_other_networks_are_refused_by_name(changes, message):
    with pytest.raises(UserError) as caught:
        rosinality.networks(_states(**changes))
    assert message in str(caught.value) and '\n' not in str(caught.value)


def test_the_number_of_layers_is_limited():
    mapping = {f'style.{idx}.weight': ZEROS for idx in range(1, 102)}
    with pytest.raises(UserError, match='101 mapping layers; expected 1 to 100'):
        rosinality.networks({'g_ema': stored(CHECKPOINT)['g_ema'] | mapping})
    doublings = {f'to_rgbs.{idx}.bias': ZEROS for idx in range(13)}
    with pytest.raises(UserError, match='13 doublings of the resolution 4; expected 1 to 12'):
        rosinality.networks({'g_ema': stored(CHECKPOINT)['g_ema'] | doublings})


# Writing

def regrouped(tensors):
    """Return the tensors of `bridge.checkpoint` as a checkpoint."""
    found = {}
    for name, value in tensors.items():
        key, _, rest = name.partition('.')
        if rest:
            found.setdefault(key, {})[rest] = value
        else:
            found[key] = value
    return found


@pytest.mark.parametrize('path', [CHECKPOINT, GREY], ids=['three', 'one'])
def test_what_is_written_is_what_was_read(path):
    tensors, _, left_out = bridge.checkpoint(inspection.inspect(path, with_data=True))
    found = regrouped(tensors)
    found.pop('latent_avg' if path == GREY else 'none', None)
    assert set(found) == set(stored(path)) and left_out == []
    for key, expected in stored(path).items():
        pairs = {'': (found[key], expected)} if key == 'latent_avg' else {
            name: (found[key].pop(name), value) for name, value in expected.items()}
        for name, (array, value) in pairs.items():
            assert array.flags.c_contiguous and array.dtype == np.float32
            np.testing.assert_array_equal(array, value, err_msg=f'{key}.{name}')
    assert not any(found[key] for key in ('g', 'd', 'g_ema') if key in found)
