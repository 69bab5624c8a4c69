"""Test the forms of export.py that are safetensors files, and opening and converting these."""

import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import dnnlib.tflib as tflib
import export
import pretrained_networks
from dnnlib.pickles import inspection, tensor_files, writing
from dnnlib.pickles.pytorch import streams
from dnnlib.util import UserError
from tests import pytorch_modules, pytorch_readers, small_networks
from tests.golden_figures import QUICK, fresh_session, one_hot, set_golden_values
from tests.golden_recipe import golden_input
from tests.test_house import ROOT
from training import misc

SIZES = dict(resolution=16, num_channels=3, fmap_base=32, fmap_max=8)
LATENTS = dict(latent_size=6, dlatent_size=5)
FILES = {  # {name of a file: arguments of G, of D}
    'config-f': (dict(func_name='training.networks_stylegan2.G_main', mapping_layers=2, mapping_fmaps=7),
                 dict(func_name='training.networks_stylegan2.D_stylegan2')),
    'ada': (dict(func_name='training.networks_stylegan2_ada.G_main', mapping_layers=3, label_size=3,
                 architecture='resnet', resample_kernel=[1, 2, 1]),
            dict(func_name='training.networks_stylegan2_ada.D_main', label_size=3, architecture='skip',
                 mapping_layers=2, mbstd_group_size=2, mbstd_num_features=4, freeze_layers=2)),
    'stylegan': (dict(func_name='training.networks_stylegan.G_style', mapping_layers=2),
                 dict(func_name='training.networks_stylegan.D_basic')),
    'progan': (dict(func_name='training.networks_progan.G_paper'),
               dict(func_name='training.networks_progan.D_paper')),
}
Z = golden_input('z', [3, 6])


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Write a snapshot of small networks of each code base. -> {name: path}."""
    folder = tmp_path_factory.mktemp('snapshots')
    for name, (G_args, D_args) in FILES.items():
        with fresh_session(QUICK):
            latents = {'latent_size': 6} if name == 'progan' else LATENTS
            G = tflib.Network('G', **SIZES, **latents, **G_args)
            D = tflib.Network('D', **SIZES, **D_args)
            networks = G, D, G.clone('Gs')
            for net in networks:
                set_golden_values(net, prefix=net.name + ':')
            misc.save_pkl(networks, folder / f'{name}.pkl')
    return {name: folder / f'{name}.pkl' for name in FILES}


def run(form, path, out, *flags):
    export.main([f'--to={form}', f'--network={path}', f'--out={out}', *flags])


def contents(path):
    """Return [(state without variables and source texts, {name: value})] of all networks in a file."""
    hidden = ('variables', 'components', 'build_module_src')
    return [({key: value for key, value in net.stored.items() if key not in hidden},
             dict(net.stored['variables']))
            for net in inspection.inspect(str(path), with_data=True).all_networks()]


def assert_same(found, expected):
    assert [facts for facts, _ in found] == [facts for facts, _ in expected]
    for (_, values), (_, others) in zip(found, expected, strict=True):
        assert list(values) == list(others)
        for name, value in values.items():
            assert (type(value), value.dtype) == (type(others[name]), others[name].dtype)
            np.testing.assert_array_equal(value, others[name])


@pytest.mark.parametrize('name', FILES)
def test_networks_survive_the_way_through_tensors_and_back(name, files, tmp_path, session, capsys):
    run('safetensors', files[name], tmp_path / 'net.safetensors')
    assert 'tensors of G, D, Gs; net.json shows' in capsys.readouterr().out
    assert_same(contents(tmp_path / 'net.safetensors'), contents(files[name]))
    run('pkl', tmp_path / 'net.safetensors', tmp_path / 'net.pkl')
    assert_same(contents(tmp_path / 'net.pkl'), contents(files[name]))


def test_a_tensor_file_opens_like_the_pickle(files, tmp_path, session):
    run('safetensors', files['ada'], tmp_path / 'net.safetensors')
    labels = one_hot(3, 3)
    images = [pretrained_networks.load_generator(str(path)).run(Z, labels, randomize_noise=False)
              for path in (files['ada'], tmp_path / 'net.safetensors')]
    np.testing.assert_array_equal(*images)


def test_tensors_have_the_names_of_variables_and_the_file_no_code(files, tmp_path):
    run('safetensors', files['config-f'], tmp_path / 'net.safetensors')
    tensors = load_file(tmp_path / 'net.safetensors')
    assert tensors['Gs/dlatent_avg'].shape == (5,)
    assert tensors['Gs/G_synthesis/8x8/Conv0_up/weight'].shape == (3, 3, 8, 8)
    assert tensors['G/G_synthesis/4x4/Conv/noise_strength'].shape == ()
    assert b'def ' not in (tmp_path / 'net.safetensors').read_bytes()
    facts = json.loads((tmp_path / 'net.json').read_text())['networks']
    assert [(net['name'], net['code'], net['build_func_name']) for net in facts] == [
        ('G', 'StyleGAN2', 'G_main'), ('D', 'StyleGAN2', 'D_stylegan2'), ('Gs', 'StyleGAN2', 'G_main')]


@pytest.mark.parametrize('name', ['config-f', 'ada'])
def test_pytorch_tensors_are_those_that_its_readers_make_of_the_pickle(name, files, tmp_path):
    run('pytorch', files[name], tmp_path / 'net.safetensors')
    tensors = load_file(tmp_path / 'net.safetensors')
    for key, net in zip(('G', 'D', 'G_ema'), pytorch_readers.read(files[name]), strict=True):
        net.variables = [pair for pair in net.variables if pair[0] != 'lod']
        expected = pytorch_modules.filled(net, is_generator=key != 'D')
        found = {full_name.removeprefix(f'{key}.'): value for full_name, value in tensors.items()
                 if full_name.startswith(f'{key}.') and not full_name.endswith('resample_filter')}
        assert found.keys() == expected.keys()
        for parameter, value in found.items():
            assert value.dtype == np.float32
            np.testing.assert_array_equal(value, expected[parameter], strict=True)


def test_arguments_of_pytorch_classes_are_explicit(files, tmp_path):
    run('pytorch', files['ada'], tmp_path / 'ada.safetensors')
    classes = json.loads((tmp_path / 'ada.json').read_text())
    assert classes['G_ema'] == classes['G'] == dict(class_name='Generator', init_kwargs=dict(
        z_dim=6, c_dim=3, w_dim=5, img_resolution=16, img_channels=3,
        mapping_kwargs=dict(num_layers=3, embed_features=6, layer_features=5, activation='lrelu',
                            lr_multiplier=0.01, w_avg_beta=0.995),
        synthesis_kwargs=dict(channel_base=64, channel_max=8, num_fp16_res=0, conv_clamp=None,
                              architecture='resnet', resample_filter=[1, 2, 1], use_noise=True,
                              activation='lrelu')))
    assert classes['D'] == dict(class_name='Discriminator', init_kwargs=dict(
        c_dim=3, img_resolution=16, img_channels=3, architecture='skip', channel_base=64, channel_max=8,
        num_fp16_res=0, conv_clamp=None, cmap_dim=8,
        block_kwargs=dict(activation='lrelu', resample_filter=[1, 3, 3, 1], freeze_layers=2),
        mapping_kwargs=dict(num_layers=2, embed_features=8, layer_features=8, activation='lrelu',
                            lr_multiplier=0.1),
        epilogue_kwargs=dict(mbstd_group_size=2, mbstd_num_channels=4, activation='lrelu')))
    run('pytorch', files['config-f'], tmp_path / 'f.safetensors')
    classes = json.loads((tmp_path / 'f.json').read_text())
    assert classes['G']['init_kwargs']['mapping_kwargs']['layer_features'] == 7
    assert classes['D']['init_kwargs']['epilogue_kwargs']['mbstd_group_size'] == 4


@pytest.mark.parametrize(('half_dtype', 'number'), [('float16', 2), ('bfloat16', 0)])
def test_layers_in_bfloat16_compute_in_float32_in_pytorch(half_dtype, number, files, tmp_path):
    G = inspection.inspect(str(files['ada']), with_data=True).networks[0]
    G.stored['static_kwargs'].update(num_fp16_res=2, conv_clamp=256, half_dtype=half_dtype)
    with open(tmp_path / 'net.pkl', 'wb') as file:
        writing.dump(G, file)
    run('pytorch', tmp_path / 'net.pkl', tmp_path / 'net.safetensors')
    found = json.loads((tmp_path / 'net.json').read_text())['G_ema']['init_kwargs']['synthesis_kwargs']
    assert (found['num_fp16_res'], found['conv_clamp']) == (number, 256)


ADA_D = 'training.networks_stylegan2_ada.D_main'
SG2_G = 'training.networks_stylegan2.G_main'


@pytest.mark.parametrize('kwargs, reason', [
    (dict(func_name='training.networks_stylegan.D_basic'), 'a network of StyleGAN; stylegan2-ada-pyt'),
    (dict(func_name='training.networks_progan.D_paper'), 'a network of Progressive GAN; '),
    (dict(func_name='training.networks_stylegan2.D_stylegan'), 'D_stylegan is not a generator or discrim'),
    (dict(func_name='training.networks_stylegan2.G_mapping'), 'G_mapping is not a generator or discrim'),
    (dict(func_name=SG2_G, synthesis_func='G_synthesis_stylegan_revised', **LATENTS),
     'its synthesis network is G_synthesis_stylegan_revised, which stylegan2-ada-pytorch does not have'),
    (dict(func_name=SG2_G, label_size=2, **LATENTS), 'label_size=2; StyleGAN2 uses labels in another way'),
    (dict(func_name='training.networks_stylegan2.D_stylegan2', label_size=2), 'label_size=2; StyleGAN2 uses'),
    (dict(func_name=ADA_D, use_spectral_norm=True), 'use_spectral_norm=True, which stylegan2-ada-pyt'),
    (dict(func_name=ADA_D, score_max=2), 'score_max=2, which'),
    (dict(func_name=ADA_D, use_pagan=True), 'use_pagan=True, which'),
    (dict(func_name=ADA_D, base_shape=[4, 6]), 'base_shape=[4, 6], which'),
    (dict(func_name=ADA_D, fmap_min=6),
     "the variable '16x16/FromRGB/weight' is stored as float32 [1, 1, 3, 6]; stylegan2-ada-pytorch expects"),
    (dict(func_name=small_networks.double), 'its structure is unknown'),
])
def test_networks_that_pytorch_does_not_have_are_refused_with_the_reason(kwargs, reason, tmp_path, session):
    sizes = {} if kwargs['func_name'] is small_networks.double else SIZES
    misc.save_pkl(tflib.Network('n', **sizes, **kwargs), tmp_path / 'net.pkl')
    with pytest.raises(UserError) as caught:
        run('pytorch', tmp_path / 'net.pkl', tmp_path / 'out.safetensors')
    assert str(caught.value).startswith(f"{tmp_path}/net.pkl: network 'n': {reason}")
    assert '\n' not in str(caught.value)
    assert os.listdir(tmp_path) == ['net.pkl']


def parameters(module, prefix=''):
    """Return {name: array} of all parameters and buffers of a module in a file of PyTorch."""
    found = {f'{prefix}{name}': tensor.numpy for kind in ('_parameters', '_buffers')
             for name, tensor in module.state[kind].items() if tensor is not None}
    for name, child in module.state['_modules'].items():
        found |= {} if child is None else parameters(child, f'{prefix}{name}.')
    return found


@pytest.mark.parametrize(
    'name', ['ada_pytorch_labelled', 'ada_pytorch_orig_grey', 'stylegan3_repo_unlabelled'])
def test_networks_of_pytorch_return_with_all_their_tensors_and_arguments(name, tmp_path):
    path = ROOT / 'tests' / 'samples' / f'{name}.pkl'
    run('pytorch', path, tmp_path / 'net.safetensors')
    tensors = load_file(tmp_path / 'net.safetensors')
    classes = json.loads((tmp_path / 'net.json').read_text())
    with open(path, 'rb') as file:
        modules = streams.load(file)
    expected = {f'{key}.{name}': value for key in classes for name, value in parameters(modules[key]).items()}
    assert tensors.keys() == expected.keys()
    for full_name, value in tensors.items():
        np.testing.assert_allclose(value, expected[full_name], 0, atol=1e-6, err_msg=full_name, strict=True)
    state = modules['G'].state
    init = classes['G']['init_kwargs']
    assert [init[key] for key in ('z_dim', 'c_dim', 'w_dim', 'img_resolution', 'img_channels')] == list(
        state['_init_args'])
    own = dict(state['_init_kwargs'])
    assert own.pop('mapping_kwargs').items() <= init['mapping_kwargs'].items()
    own = own.get('synthesis_kwargs', own)
    assert {key: init['synthesis_kwargs'][key] for key in own} == own


def test_a_group_of_one_is_no_minibatch_layer_in_pytorch(tmp_path, session):
    D = tflib.Network('D', func_name='training.networks_stylegan2.D_stylegan2', mbstd_group_size=1, **SIZES)
    misc.save_pkl(D, tmp_path / 'net.pkl')
    run('pytorch', tmp_path / 'net.pkl', tmp_path / 'out.safetensors')
    classes = json.loads((tmp_path / 'out.json').read_text())
    assert classes['D']['init_kwargs']['epilogue_kwargs']['mbstd_num_channels'] == 0
    assert load_file(tmp_path / 'out.safetensors')['D.b4.conv.weight'].shape == (8, 8, 3, 3)


@pytest.mark.parametrize('form', ['safetensors', 'pkl'])
def test_networks_of_unknown_functions_are_refused(form, tmp_path, session):
    misc.save_pkl(tflib.Network('n', func_name=small_networks.double), tmp_path / 'net.pkl')
    with pytest.raises(UserError, match="net.pkl: network 'n' is built by 'double', which is not among"):
        run(form, tmp_path / 'net.pkl', tmp_path / f'out.{form}')
    assert os.listdir(tmp_path) == ['net.pkl']


@pytest.mark.parametrize('form, out, message', [
    ('safetensors', 'out.pkl', '--out={dir}/out.pkl: expected a name that ends in .safetensors'),
    ('pytorch', 'out.pt', '--out={dir}/out.pt: expected a name that ends in .safetensors'),
    ('pkl', 'out.safetensors', '--out={dir}/out.safetensors: expected a name that ends in .pkl'),
    ('pytorch', 'there.safetensors', '--out={dir}/there.safetensors: {dir}/there.json exists already')])
def test_names_of_files_are_checked_first(form, out, message, files, tmp_path):
    (tmp_path / 'there.json').write_text('{}')
    with pytest.raises(UserError) as caught:
        run(form, files['ada'], tmp_path / out)
    assert str(caught.value).startswith(message.format(dir=tmp_path))
    assert os.listdir(tmp_path) == ['there.json']


@pytest.mark.parametrize('form', ['safetensors', 'pytorch'])
def test_an_export_that_is_interrupted_leaves_no_file(form, files, tmp_path, monkeypatch):
    def interrupted(_descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'fsync', interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(form, files['ada'], tmp_path / 'net.safetensors')
    assert os.listdir(tmp_path) == []


def test_without_the_package_the_message_says_what_to_install(files, tmp_path, monkeypatch):
    run('safetensors', files['ada'], tmp_path / 'net.safetensors')
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    with pytest.raises(UserError, match="net.safetensors: .*pip install 'safetensors>=0.5'"):
        pretrained_networks.check_generator(str(tmp_path / 'net.safetensors'))


def change_text(path, change):
    """Write a tensor file again with another JSON text about its networks."""
    text = inspection_text(path)
    save_file(load_file(path), path, {tensor_files.KEY: change(text)})


def inspection_text(path):
    data = path.read_bytes()
    header = json.loads(data[8:8 + struct.unpack('<Q', data[:8])[0]])
    return header['__metadata__'][tensor_files.KEY]


DAMAGED = {
    'cut off': (lambda path: path.write_bytes(path.read_bytes()[:-100]), 'not a readable safetensors file'),
    'long header': (lambda path: path.write_bytes(struct.pack('<Q', 1 << 26) + path.read_bytes()[8:]),
                    'refused: a safetensors file with a header of 67108864 bytes'),
    'overlap': (lambda path: path.write_bytes(path.read_bytes().replace(b'offsets":[0,', b'offsets":[1,', 1)),
                'not a readable safetensors file'),
    'of PyTorch': (lambda path: save_file(load_file(path), path, {'format': 'pt'}),
                   'a safetensors file without networks of TensorFlow; expected one that `export.py'),
    'not JSON': (lambda path: change_text(path, lambda text: text[:-10]), 'not a readable network'),
    'nested': (lambda path: change_text(path, lambda text: '[' * 100_000), 'not a readable network'),
    'other type': (lambda path: change_text(path, lambda text: '{"networks": 7}'), 'not a readable network'),
    'no networks': (lambda path: change_text(path, lambda text: '{"networks": []}'),
                    'a safetensors file without networks'),
    'no such variable': (lambda path: change_text(path, lambda text: text.replace('"noise1"', '"noise"', 1)),
                         'not a readable network'),
    'twice': (lambda path: change_text(path, lambda text: text.replace('"prefix": "Gs"', '"prefix": "G"')),
              'not a readable network'),
    'unknown function': (lambda path: change_text(path, lambda text: text.replace('"G_main"', '"os.system"')),
                         "network 'G': there is no 'os.system' of 'StyleGAN2-ADA'"),
    'version': (lambda path: change_text(path, lambda text: text.replace('"version": 5', '"version": 9')),
                'network of version 9'),
}


@pytest.mark.parametrize('kind', DAMAGED)
def test_damaged_tensor_files_are_refused_by_one_line(kind, files, tmp_path):
    path = tmp_path / 'net.safetensors'
    run('safetensors', files['ada'], path)
    damage, message = DAMAGED[kind]
    damage(path)
    for read in (pretrained_networks.check_generator, misc.load_pkl):
        with pytest.raises(UserError) as caught:
            read(str(path))
        assert str(caught.value).startswith(f'{path}: {message}')
        assert '\n' not in str(caught.value)


ODD = {'architecture': np.zeros(2), 'nonlinearity': ['lrelu'], 'resolution': np.arange(3), 'conv_clamp': 'x',
       'mapping_layers': [[1]], 'resample_kernel': [1, [2, 3]], 'fmap_base': float('-inf'),
       'use_noise': np.ones(3), 'half_dtype': ['float16'],
       'mapping_lrmul': None, 'dtype': np.zeros(2)}


@pytest.mark.parametrize('keyword', ODD)
def test_arguments_of_any_type_are_refused_by_one_line(keyword, files, tmp_path):
    report = inspection.inspect(str(files['ada']), with_data=True)
    G = report.networks[0]
    G.stored['static_kwargs'][keyword] = ODD[keyword]
    with open(tmp_path / 'net.pkl', 'wb') as file:
        writing.dump(G, file)
    with pytest.raises(UserError, match=f'net.pkl: .*{keyword}|does not accept the stored arguments'):
        run('pytorch', tmp_path / 'net.pkl', tmp_path / 'out.safetensors')
    assert os.listdir(tmp_path) == ['net.pkl']


def test_values_that_a_pickle_uses_many_times_are_not_written_as_often(files, tmp_path):
    report = inspection.inspect(str(files['progan']), with_data=True)
    state = report.networks[1].stored
    state['variables'] += [(f'v{idx}', np.zeros(1 << 14, np.float32)) for idx in range(2)]
    state['variables'] += [(f'w{idx}', state['variables'][-1][1]) for idx in range(100)]
    with open(tmp_path / 'net.pkl', 'wb') as file:
        writing.dump(report.networks[1], file)
    with pytest.raises(UserError, match='refused: the values are larger than the file'):
        run('safetensors', tmp_path / 'net.pkl', tmp_path / 'out.safetensors')


def test_tensorflow_is_not_loaded(files, tmp_path):
    code = ('import sys, export; [export.main(args.split()) for args in sys.argv[1:]]; '
            'assert "tensorflow" not in sys.modules')
    flags = [f'--to=safetensors --network={files["ada"]} --out={tmp_path}/net.safetensors',
             f'--to=pytorch --network={tmp_path}/net.safetensors --out={tmp_path}/torch.safetensors']
    subprocess.run([sys.executable, '-c', code, *flags], cwd=ROOT, check=True)
    assert len(load_file(tmp_path / 'torch.safetensors')) > 100
