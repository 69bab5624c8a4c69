"""Test checkpoints of rosinality's StyleGAN2: reading them as TensorFlow networks, and writing them."""

import functools
import pathlib
import re

import numpy as np
import pytest

import dnnlib.tflib as tflib
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
    """Convert all networks and return their names."""
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
    (_without('g_ema', 'style.3.weight'), "'style.3.bias' is not a parameter of StyleGAN2"),
    (_without('d', 'convs.1.skip.1.weight'), "rosinality's discriminator: there is no convs.1.skip.1.weight"),
    (_with('g_ema', style__1__weight=ZEROS), 'style.1.bias is [12]; expected [3]'),
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
        names_of(rosinality.networks(_states(**changes)))
    assert message in str(caught.value) and '\n' not in str(caught.value)


def test_the_number_of_layers_is_limited():
    mapping = {f'style.{idx}.weight': ZEROS for idx in range(1, 102)}
    with pytest.raises(UserError, match='101 mapping layers; expected 1 to 100'):
        names_of(rosinality.networks({'g_ema': stored(CHECKPOINT)['g_ema'] | mapping}))
    doublings = {f'to_rgbs.{idx}.bias': ZEROS for idx in range(10)}
    with pytest.raises(UserError, match='10 doublings of the resolution 4; expected 1 to 9'):
        names_of(rosinality.networks({'g_ema': stored(CHECKPOINT)['g_ema'] | doublings}))


def test_a_checkpoint_that_was_cut_off_is_damaged(tmp_path):
    for path in (CHECKPOINT, GREY):
        (tmp_path / path.name).write_bytes(path.read_bytes()[:-5000])
        with pytest.raises(UserError, match='not a readable network pickle'):
            inspection.inspect(tmp_path / path.name)


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


def blueprints(folder, **kwargs):
    """Return what a file of new networks (G, D, Gs) holds; a function is `module.function`."""
    path = folder / 'new.pkl'
    functions = kwargs.pop('functions', ('networks_stylegan2_ada.G_main', 'networks_stylegan2_ada.D_main'))
    small = dict(resolution=8, fmap_max=4, latent_size=4, dlatent_size=4, mapping_fmaps=4, mapping_layers=2)
    G, D = (tflib.Network(name, func_name=f'training.{function}', **{**small, **kwargs})
            for name, function in zip('GD', functions, strict=True))
    with open(path, 'wb') as file:
        network_pickle.dump((G, D, G.clone('Gs')), file)
    return inspection.inspect(path, with_data=True)


@pytest.mark.parametrize('functions', [
    ('networks_stylegan2_ada.G_main', 'networks_stylegan2_ada.D_main'),
    ('networks_stylegan2.G_main', 'networks_stylegan2.D_stylegan2')], ids=['ADA', 'StyleGAN2'])
def test_networks_of_tensorflow_come_back_with_equal_variables(functions, module_session, tmp_path):
    report = blueprints(tmp_path, functions=functions)
    tensors, arguments, _ = bridge.checkpoint(report)
    assert arguments['g_ema'] == dict(size=8, style_dim=4, n_mlp=2, channels={4: 4, 8: 4})
    assert arguments['d'] == dict(size=8, channels={4: 4, 8: 4})
    for network, converted in zip(report.networks, rosinality.networks(regrouped(tensors)), strict=True):
        expected = {name: value for name, value in network.variables if name != 'lod'}
        found = {name.partition('/')[2]: value for name, value in variables(converted).items()}
        assert set(found) == set(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_pytorch_draws_the_images_of_tensorflow(module_session, tmp_path):
    torch = pytest.importorskip('torch')
    from tests import rosinality_modules as modules
    kwargs = dict(resolution=16, fmap_base=32, fmap_max=8, latent_size=12, dlatent_size=12, mapping_fmaps=12,
                  mapping_layers=3, mbstd_group_size=4)
    found = regrouped(bridge.checkpoint(blueprints(tmp_path, **kwargs))[0])
    G, D = modules.Generator(modules.FMAPS, 12, 3), modules.Discriminator(modules.FMAPS)
    for net, key in ((G, 'g_ema'), (D, 'd')):
        net.load_state_dict({name: torch.tensor(value) for name, value in found[key].items()}, strict=True)
    _, own_D, Gs = load(tmp_path / 'new.pkl')
    z = np.random.RandomState(0).randn(8, 12).astype(np.float32)
    with torch.no_grad():
        images = G(G.style(torch.tensor(z)))
        assert_close(Gs.run(z, None, **WITHOUT_NOISE), images.numpy())
        assert_close(own_D.run(images.numpy(), None), D(images).numpy())


@pytest.mark.parametrize('fmap_base, argument', [(8192, 1), (16384, 2)])
def test_published_widths_are_a_multiplier(fmap_base, argument):
    kwargs = dict(resolution=256, num_channels=3, fmap_base=fmap_base, fmap_max=512)
    assert bridge._arguments(kwargs, is_generator=False) == dict(size=256, channel_multiplier=argument)


def test_what_rosinality_computes_in_its_own_way_is_left_out(module_session, tmp_path):
    report = blueprints(tmp_path, conv_clamp=256, num_fp16_res=1, mbstd_group_size=8)
    assert bridge.checkpoint(report)[2] == [
        'g: conv_clamp=256', 'g: num_fp16_res=1', 'd: conv_clamp=256', 'd: num_fp16_res=1',
        'd: mbstd_group_size=8 (there: 4)', 'g_ema: conv_clamp=256', 'g_ema: num_fp16_res=1']


@pytest.mark.parametrize('kwargs, message', [
    (dict(label_size=3), 'network G: label_size=3; expected 0'),
    (dict(architecture='orig'), "network G: architecture='orig'; expected skip"),
    (dict(mapping_fmaps=5), 'network G: .*mapping_fmaps=5, .*; expected the same width throughout'),
    (dict(use_noise=False), 'network G: use_noise=False; expected True'),
    (dict(resample_kernel=[1, 2, 1]), r'network G: resample_kernel=\[1, 2, 1\]; expected \[1, 3, 3, 1\]'),
    (dict(base_shape=[4, 6]), r'network G: base_shape=\[4, 6\]; expected None'),
    (dict(functions=('networks_stylegan.G_style', 'networks_stylegan.D_basic')),
     'network G: built by training.networks_stylegan.G_style; expected StyleGAN2')])
def test_networks_that_rosinality_lacks_are_refused(kwargs, message, module_session, tmp_path):
    with pytest.raises(UserError, match=f"^{message}.*; rosinality's code has no such networks$"):
        bridge.checkpoint(blueprints(tmp_path, **kwargs))


def test_three_networks_have_to_be_g_d_and_gs(module_session, tmp_path):
    report = blueprints(tmp_path)
    report.networks.reverse()
    report.networks[:2] = report.networks[1::-1]
    with pytest.raises(UserError, match=r'expected three networks \(G, D, Gs\) in this order'):
        bridge.checkpoint(report)


def test_networks_with_other_variables_are_refused(module_session, tmp_path):
    report = blueprints(tmp_path)
    synthesis = report.networks[0].components['synthesis'].state['variables']
    synthesis.append(('more', np.zeros(3, np.float32)))
    with pytest.raises(UserError, match='network G: has synthesis/more'):
        bridge.checkpoint(report)
    synthesis[:] = [(name, np.zeros(3) if name == '8x8/Conv1/weight' else value) for name, value in synthesis]
    with pytest.raises(UserError, match=r'8x8/Conv1/weight is \[3\], not \[3, 3, 4, 4\]'):
        bridge.checkpoint(report)
    synthesis[:] = [('4x4/Const/const', 'text')]
    with pytest.raises(UserError, match='a variable of type str; expected arrays'):
        bridge.checkpoint(report)
