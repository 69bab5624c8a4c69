"""Test that network files of PyTorch code open: their figures, all their forms, and the commands."""

import io
import pathlib
import shutil

import numpy as np
import pytest

import dnnlib.tflib as tflib
import network_info
import pretrained_networks
import run_generator
import run_projector
from dnnlib.pickles import contents, inspection
from dnnlib.pickles.pytorch import shapes, streams
from dnnlib.util import UserError
from tests import pytorch_modules, pytorch_readers, resumed_runs
from tests.golden_figures import QUICK, fresh_session
from tests.pytorch_files import (
    Call,
    Storage,
    at,
    changed,
    encoded,
    legacy,
    parameter,
    plain,
    read,
    tensor,
    zipped,
)
from training import misc
from training.data import official_files

FOLDER = pathlib.Path(__file__).parent / 'samples'
SAMPLES = ['ada_pytorch_labelled', 'ada_pytorch_orig_grey', 'ada_pytorch_unlabelled',
           'stylegan3_repo_unlabelled']
SMALLEST = FOLDER / 'ada_pytorch_orig_grey.pkl'
LABELLED = FOLDER / 'ada_pytorch_labelled.pkl'
numbers = np.arange(24, dtype='<f4')


def states(data):
    """Return the states of the networks in a file of these bytes, arrays copied."""
    with io.BufferedReader(io.BytesIO(data)) as stream:
        return Finisher()(contents.unpickled(stream))


class Finisher(contents.Finisher):
    def network(self, obj):
        return self(obj.state)


def flat(state, prefix=''):
    """Return {name: array} of a network and its sub-networks."""
    found = {prefix + name: np.asarray(value) for name, value in state['variables']}
    for key, component in state['components'].items():
        found |= flat(component, f'{prefix}{key}/')
    return found


def assert_same(found, expected, rtol=0.0):
    for state, other in zip(found, expected, strict=True):
        assert state['static_kwargs'] == other['static_kwargs']
        for name, value in flat(other).items():
            np.testing.assert_allclose(flat(state)[name], value, rtol=rtol, atol=rtol, err_msg=name)


# Figures

@pytest.fixture(scope='module', params=SAMPLES)
def sample(request, tmp_path_factory):
    """Load the networks of a sample. -> its path, (G, D, Gs), expected arrays, labels, path of the networks
    saved again."""
    path, expected = FOLDER / f'{request.param}.pkl', np.load(FOLDER / f'{request.param}.npz')
    with fresh_session(QUICK):
        networks = pretrained_networks.load_networks(str(path))
        labels = expected['c'] if expected['c'].shape[1] else None
        saved = tmp_path_factory.mktemp('saved') / 'network-final.pkl'
        misc.save_pkl(networks, saved)
        yield path, networks, expected, labels, saved


def assert_close(found, expected):
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_networks_compute_what_pytorch_does(sample):
    _, (G, D, Gs), expected, labels, _ = sample
    z = np.float32(expected['z'])
    for name, net in (('G', G), ('G_ema', Gs)):
        assert_close(net.components.mapping.run(z, labels)[:, 0], expected[f'{name}_w'])
        images = net.run(z, labels, truncation_psi=0.7, randomize_noise=False)
        assert_close(images, expected[f'{name}_images'])
        images = net.run(z, labels, truncation_psi=1, randomize_noise=False)
        assert_close(images[:1], expected[f'{name}_images_full'])
    assert_close(D.run(expected['G_images'], labels), expected['scores'])


def test_saved_again_the_readers_in_pytorch_find_every_parameter_as_it_was(sample):
    path, _, expected, _, saved = sample
    found = read(path)
    stored = pytorch_readers.read(saved)
    for key, net in zip(('G', 'D', 'G_ema'), stored, strict=True):
        values = pytorch_modules.filled(net, is_generator=key != 'D')
        for name, value in module_arrays(found[key]).items():
            if not name.endswith('resample_filter'):
                np.testing.assert_allclose(values[name], value, rtol=1e-6, atol=1e-7, err_msg=name)
    if stored[2].static_kwargs['architecture'] == 'skip':
        images = pytorch_readers.generate(stored[2], expected['z'][:1])
        assert_close(images, expected['G_ema_images_full'])


def module_arrays(module, prefix=''):
    """Return {name: array} of parameters and buffers."""
    found = {prefix + name: value.numpy for group in ('_parameters', '_buffers')
             for name, value in module.state[group].items() if value is not None}
    for name, child in module.state['_modules'].items():
        found |= module_arrays(child, f'{prefix}{name}.') if child is not None else {}
    return found


# Forms

@pytest.fixture(scope='module')
def smallest():
    """Return the networks of the smallest file, encoded, and their states."""
    return encoded(read(SMALLEST)), states(SMALLEST.read_bytes())


@pytest.mark.parametrize('write', [
    *(lambda obj, protocol=protocol, core=core: plain(obj, protocol, core) for protocol in (2, 3, 4, 5)
      for core in ('numpy.core', 'numpy._core')),
    legacy, zipped, lambda obj: zipped(obj, order='big')],
    ids=[*(f'{core}-{protocol}' for protocol in (2, 3, 4, 5) for core in ('old', 'new')),
         'legacy', 'zip', 'big'])
def test_every_form_of_a_file_holds_the_same_networks(write, smallest):
    assert_same(states(write(smallest[0])), smallest[1])


@pytest.mark.parametrize('dtype, rtol', [('f2', 1e-3), ('f8', 0.0)])
def test_parameters_of_another_precision_become_float32(dtype, rtol, smallest):
    found = states(plain(encoded(read(SMALLEST), dtype)))
    assert_same(found, smallest[1], rtol)
    assert {value.dtype for state in found for value in flat(state).values()} == {np.dtype('f4')}


@pytest.mark.parametrize('write', [plain, legacy, zipped], ids=['plain', 'legacy', 'zip'])
def test_tensors_come_with_strides_types_and_shared_storages(write):
    shared = Storage(numbers)
    obj = {'t': tensor(shared, (2, 3), (1, 2), offset=4), 'all': tensor(shared, (24,), (1,)),
           'repeated': tensor(shared, (3,), (0,), offset=23), 'none': tensor(shared, (0, 3), (3, 1)),
           'count': tensor(Storage(np.array([7])), (), ()),
           'upper': tensor(Storage(np.uint16([0x3fc0, 0xc000])), (2,), (1,)), 'names': {'a', 'b'}}
    with io.BufferedReader(io.BytesIO(write(obj))) as stream:
        found = streams.load(stream)
    assert found['t'].numpy.tolist() == [[4, 6, 8], [5, 7, 9]]
    assert found['all'].numpy.tolist() == numbers.tolist()
    assert found['repeated'].numpy.tolist() == [23, 23, 23]
    assert found['none'].numpy.shape == (0, 3)
    assert found['count'].numpy == 7
    assert found['upper'].numpy.tolist() == [1.5, -2.0], 'bfloat16'
    assert found['names'] == {'a', 'b'}


def test_files_without_some_networks_hold_the_others():
    G, D, G_ema = (read(SMALLEST)[key] for key in ('G', 'D', 'G_ema'))

    def names(obj):
        found = states(plain(encoded(obj)))
        return [state['name'] for state in found] if isinstance(found, tuple) else found['name']
    assert names({'G': G, 'D': D, 'other': [1]}) == ['G', 'D', 'Gs']
    assert names({'D': D, 'G_ema': G_ema}) == ['G', 'D', 'Gs']
    assert names({'G': G, 'G_ema': G_ema}) == 'Gs'
    assert names({'D': D, 'G': None}) == names(D) == 'D'
    assert names({'G_ema': G_ema}) == names(G_ema) == 'Gs'


# Settings

def test_defaults_of_both_code_bases_come_from_what_was_built():
    def change(found):
        for key in ('G', 'G_ema'):
            for path in ('', 'synthesis'):
                del at(found[key], path)['_init_kwargs']['num_fp16_res']
                del at(found[key], path)['_init_kwargs']['conv_clamp']
    G, _, Gs = states(changed(FOLDER / 'stylegan3_repo_unlabelled.pkl', change))
    for state in (G, Gs):
        assert state['static_kwargs']['num_fp16_res'] == 3, 'all resolutions above 4x4'
        assert state['static_kwargs']['conv_clamp'] == 256
        assert state['static_kwargs']['w_avg_beta'] == 0.998


def test_frozen_layers_are_found_among_the_buffers():
    def change(found):
        for path in ('b16.fromrgb', 'b16.conv0'):
            state = at(found['D'], path)
            state['_buffers'] |= state['_parameters']
            state['_parameters'] = {}
    D = states(changed(SMALLEST, change))[1]
    assert D['static_kwargs']['freeze_layers'] == 2


def test_narrow_networks_have_a_last_layer_as_wide_as_in_pytorch():
    kwargs = states(SMALLEST.read_bytes())[1]['static_kwargs'] | dict(fmap_base=32, fmap_max=16)

    def change(found):
        at(found['D'], '')['_init_kwargs'] |= dict(channel_base=64, channel_max=512)
        for name, shape in shapes.discriminator(kwargs).items():
            path, _, leaf = name.rpartition('.')
            parameter('D', path, leaf, np.zeros(shape, np.float32))(found)
            at(found['D'], path).pop('weight_gain', None)
    D = states(changed(SMALLEST, change))[1]
    assert D['static_kwargs'] == kwargs, 'TensorFlow: min(fmap_base, fmap_max) outputs'
    assert flat(D)['4x4/Dense0/weight'].shape == (256, 16)


# Commands

def test_network_info_says_which_code_wrote_a_file_and_what_can_use_it(capsys):
    network_info.main([str(LABELLED)])
    text = capsys.readouterr().out
    assert 'three networks (G, D, Gs)' in text
    assert 'stylegan2-ada-pytorch, for PyTorch; read as StyleGAN2-ADA in TensorFlow' in text
    assert "not kept; networks that are saved again get this project's" in text
    assert 'run_training.py --resume=' in text and '--trust-source' not in text
    assert '--seeds=0-15 --class=0' in text
    network_info.main([str(FOLDER / 'stylegan3_repo_unlabelled.pkl')])
    assert 'stylegan3, for PyTorch' in capsys.readouterr().out


def test_large_storages_are_found_without_reading_them_twice(tmp_path):
    path = tmp_path / 'net.pkl'
    values = np.zeros(1 << 15, np.float32)
    path.write_bytes(plain({'a': tensor(Storage(values), values.shape, (1,)),
                            'b': Call('torch', 'device', 'cpu')}))
    with pytest.raises(UserError, match='a dictionary of a, b'):
        inspection.inspect(str(path))


def test_keys_lead_to_the_published_files():
    urls = official_files.OFFICIAL_URLS
    cdn = 'https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/'
    assert urls['stylegan2-ada-pytorch:ffhq.pkl'] == f'{cdn}ffhq.pkl'
    assert urls['stylegan2-ada-pytorch:lsundog256'] == (
        f'{cdn}transfer-learning-source-nets/lsundog-res256-paper256-kimg100000-noaug.pkl')
    assert urls['stylegan3:stylegan2-ffhqu-256x256.pkl'] == (
        'https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files/'
        'stylegan2-ffhqu-256x256.pkl')


@pytest.mark.long
def test_a_file_draws_images_is_projected_to_and_trains_on(tmp_path, session):
    path = tmp_path / 'net.pkl'
    shutil.copy(FOLDER / 'ada_pytorch_labelled.pkl', path)
    run_generator.main(['generate-images', f'--network={path}', '--seeds=1', f'--result-dir={tmp_path}'])
    assert list(tmp_path.glob('0*/seed0001.png'))
    run_projector.main(['project-generated-images', f'--network={path}', '--seeds=1', '--num-steps=4',
                        '--num-snapshots=1', '--features=pixels', f'--result-dir={tmp_path}'])
    assert list(tmp_path.glob('0*/seed0001-projected_w.npz'))
    resumed_runs.write_data(tmp_path, size=(32, 32))
    run_dir = resumed_runs.start(
        tmp_path, tmp_path, resume_pkl=str(path), total_kimg=0.016,
        dataset_args=dict(tfrecord_dir='tiny', resolution=32, shuffle_mb=1, max_label_size='full'))
    G, D, Gs = pytorch_readers.read(run_dir / 'network-final.pkl')
    for net, is_generator in ((G, True), (D, False), (Gs, True)):
        pytorch_modules.filled(net, is_generator)
    with fresh_session(QUICK):
        assert isinstance(misc.load_networks(run_dir / 'network-final.pkl')[2], tflib.Network)
