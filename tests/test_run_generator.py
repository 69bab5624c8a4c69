"""Test run_generator.py and pretrained_networks.py: files, seeds, style mixing, errors, golden images."""

import collections
import re
import runpy
import shutil
import sys

import numpy as np
import PIL.Image
import pytest

import dnnlib
import dnnlib.tflib as tflib
import pretrained_networks
import run_generator
from dnnlib.util import UserError
from latents import dlatent_files, torch_file
from tests.golden_figures import arrays, assert_close, figures, fresh_session, set_golden_values
from tests.small_networks import SMALL_G
from training import generation, misc
from training.data import class_names
from training.data.official_files import OFFICIAL_URLS
from training.settings import picture_requests

G_MAIN = 'training.networks_stylegan2.G_main'
D_STYLEGAN2 = 'training.networks_stylegan2.D_stylegan2'
CDN = 'https://nvlabs-fi-cdn.nvidia.com/'
DRIVE = 'https://drive.google.com/uc?id='
NUM_LAYERS = 6  # of a network with resolution 16
UINT8 = dict(func=tflib.convert_images_to_uint8, nchw_to_nhwc=True)


@pytest.fixture(scope='module', params=[3, 1], ids=['rgb', 'grey'])
def network_pkl(request, module_session, tmp_path_factory):
    """Write (G, D, Gs) that generate small images to a file."""
    shape = dict(num_channels=request.param, resolution=16, fmap_base=64, fmap_max=8)
    G = tflib.Network('G', func_name=G_MAIN, latent_size=8, dlatent_size=8, mapping_fmaps=8, **shape)
    D = tflib.Network('D', func_name=D_STYLEGAN2, **shape)
    Gs = G.clone('Gs')
    set_golden_values(Gs)
    path = str(tmp_path_factory.mktemp('networks') / 'network-final.pkl')
    misc.save_pkl((G, D, Gs), path)
    return path


def run(command, network_pkl, result_dir, *flags):
    """Run the script. -> the run directory, Gs with its final variables."""
    flags = [command, f'--network={network_pkl}', f'--result-dir={result_dir}', *flags]
    run_generator.main(flags)
    run_dir = sorted(result_dir.iterdir())[-1]
    assert run_dir.name.endswith(f'-{command}')
    assert not list(run_dir.glob('.tmp*'))
    return run_dir, pretrained_networks.load_networks(network_pkl)[2]


def read_png(path, Gs):
    """Read an image [H,W,C] and check that its mode fits the network."""
    with PIL.Image.open(path) as image:
        assert (image.format, image.mode) == ('PNG', {1: 'L', 3: 'RGB'}[Gs.output_shape[1]])
        return np.asarray(image).reshape(image.height, image.width, -1)


def assert_same_picture(actual, expected):
    """Check that images are equal up to 1, as a different order of summation may change the rounding."""
    assert actual.shape == expected.shape
    assert np.abs(actual.astype(int) - expected).max() <= 1


def picture_of_seed(Gs, seed, psi):
    """Compute the image of `generate-images` step by step."""
    rnd = np.random.RandomState(seed)
    z = rnd.randn(1, 8)
    for layer_idx, size in enumerate([4, 8, 8, 16, 16]):
        Gs.set_var(f'G_synthesis/noise{layer_idx}', rnd.randn(1, 1, size, size))
    return Gs.run(z, None, truncation_psi=psi, randomize_noise=False, output_transform=UINT8)[0]


# generate-images

def test_every_seed_has_its_picture(network_pkl, tmp_path, capsys):
    run_dir, Gs = run('generate-images', network_pkl, tmp_path, '--seeds=5,12345,7', '--truncation-psi=0.7')
    assert {path.name for path in run_dir.glob('*.png')} == {'seed0005.png', 'seed12345.png', 'seed0007.png'}
    pictures = [read_png(run_dir / f'seed{seed:04d}.png', Gs) for seed in (5, 12345, 7)]
    for seed, picture in zip((5, 12345, 7), pictures, strict=True):
        assert_same_picture(picture, picture_of_seed(Gs, seed, 0.7))
    assert np.abs(pictures[0].astype(int) - pictures[2]).max() > 20
    printed = capsys.readouterr().out.splitlines()
    lines = [f'Loading networks from "{network_pkl}"...', 'Generating image for seed 5 (0/3) ...',
             'Generating image for seed 12345 (1/3) ...', 'Generating image for seed 7 (2/3) ...']
    assert [line for line in printed if line in lines] == lines
    assert not (run_dir / 'src').exists()


def test_truncation_is_half_unless_given(network_pkl, tmp_path):
    run_dir, Gs = run('generate-images', network_pkl, tmp_path, '--seeds=1')
    picture = read_png(run_dir / 'seed0001.png', Gs)
    assert_same_picture(picture, picture_of_seed(Gs, 1, 0.5))
    assert np.abs(picture.astype(int) - picture_of_seed(Gs, 1, 1.0)).max() > 5


@pytest.mark.parametrize('suffix', ['.npy', '.pt'])
def test_latents_in_files_become_pictures(suffix, network_pkl, tmp_path, capsys):
    z = np.random.RandomState(2).randn(2, 8).astype(np.float32)
    convert(z, tmp_path / f'z{suffix}')
    flags = f'--latents={tmp_path}/z{suffix}', '--truncation-psi=0.7', '--grid=2x1'
    run_dir, Gs = run('generate-images', network_pkl, tmp_path / 'results', *flags)
    assert sorted(path.name for path in run_dir.glob('*.png')) == ['grid.png', 'latent00.png', 'latent01.png']
    expected = Gs.run(z, None, truncation_psi=0.7, randomize_noise=False, output_transform=UINT8)
    for idx in range(2):
        assert_same_picture(read_png(run_dir / f'latent{idx:02d}.png', Gs), expected[idx])
    assert f'Generating image for {tmp_path}/z{suffix} (1/2) ...' in capsys.readouterr().out
    convert(z[:, :7], tmp_path / 'short.npy')
    with pytest.raises(UserError, match='short.npy: has latents of 7 numbers, the network has 8'):
        run('generate-images', network_pkl, tmp_path / 'none', f'--latents={tmp_path}/short.npy')
    assert not (tmp_path / 'none').exists()


def convert(array, path):
    with open(path, 'wb') as file:
        (torch_file.write if path.suffix == '.pt' else np.save)(file, array)


def test_w_of_others_is_drawn_for_all_layers(network_pkl, tmp_path):
    w = np.random.RandomState(2).randn(2, 8).astype(np.float32)
    convert(w, tmp_path / 'w.npy')
    convert(np.repeat(w[1:], NUM_LAYERS, axis=0), tmp_path / 'w.pt')
    flag = f'--projected-w={tmp_path}/w.npy,{tmp_path}/w.pt'
    run_dir, Gs = run('generate-images', network_pkl, tmp_path / 'results', flag)
    dlatents = np.repeat(w[:, np.newaxis], NUM_LAYERS, axis=1)
    expected = Gs.components.synthesis.run(dlatents, randomize_noise=False, output_transform=UINT8)
    for idx, row in enumerate((0, 1, 1)):
        assert_same_picture(read_png(run_dir / f'proj{idx:02d}.png', Gs), expected[row])


def test_latents_are_converted(tmp_path, capsys):
    w = np.random.RandomState(2).randn(2, 8).astype(np.float32)
    np.save(tmp_path / 'w.npy', w)
    run_generator.main(['convert-latents', f'--dlatents={tmp_path}/w.npy', '--layers=6', '--output=w.pt',
                        f'--result-dir={tmp_path}/results'])
    found = dlatent_files.read(tmp_path / 'results' / '00000-convert-latents' / 'w.pt')
    np.testing.assert_array_equal(found, np.repeat(w[:, np.newaxis], 6, axis=1))
    assert '00000-convert-latents/w.pt: [2, 6, 8]' in capsys.readouterr().out
    with pytest.raises(UserError, match='--layers=4: .*w.pt has dlatents of 6 layers already'):
        run_generator.main(['convert-latents', '--layers=4', '--output=w.npy', '--dlatents='
                            f'{tmp_path}/results/00000-convert-latents/w.pt'])


def test_a_grid_holds_all_pictures_row_by_row(network_pkl, tmp_path):
    run_dir, Gs = run('generate-images', network_pkl, tmp_path, '--seeds=0-4', '--grid=3x2')
    grid = read_png(run_dir / 'grid.png', Gs)
    assert grid.shape[:2] == (32, 48)
    for seed in range(5):
        y, x = seed // 3 * 16, seed % 3 * 16
        np.testing.assert_array_equal(grid[y:y + 16, x:x + 16], read_png(run_dir / f'seed000{seed}.png', Gs))
    assert not grid[16:, 32:].any()


def test_no_grid_unless_asked_for(network_pkl, tmp_path):
    run_dir, _ = run('generate-images', network_pkl, tmp_path, '--seeds=0')
    assert [path.name for path in run_dir.glob('*.png')] == ['seed0000.png']


# style-mixing-example

def mixed_picture(Gs, row, col, layers, psi):
    """Compute the image of `style-mixing-example` step by step."""
    w = [Gs.components.mapping.run(np.random.RandomState(seed).randn(1, 8), None)[0] for seed in (row, col)]
    w = [Gs.get_var('dlatent_avg') * (1 - psi) + x * psi for x in w]
    w[0][layers] = w[1][layers]
    return Gs.components.synthesis.run(w[0][np.newaxis], randomize_noise=False, output_transform=UINT8)[0]


def test_columns_lend_their_styles_to_rows(network_pkl, tmp_path, capsys):
    run_dir, Gs = run('style-mixing-example', network_pkl, tmp_path, '--row-seeds=1,2', '--col-seeds=3,4,1',
                      '--col-styles=0,2', '--truncation-psi=0.8')
    names = ['1-1', '2-2', '3-3', '4-4', '1-3', '1-4', '2-3', '2-4', '2-1']
    assert {path.stem for path in run_dir.glob('*.png')} == {*names, 'grid'}
    pictures = {name: read_png(run_dir / f'{name}.png', Gs) for name in names}
    for name, picture in pictures.items():
        row, col = map(int, name.split('-'))
        assert_same_picture(picture, mixed_picture(Gs, row, col, [0, 2], 0.8))
    assert np.abs(pictures['2-3'].astype(int) - pictures['2-4']).max() > 5

    grid = read_png(run_dir / 'grid.png', Gs)
    rows = [[None, '3-3', '4-4', '1-1'], ['1-1', '1-3', '1-4', '1-1'], ['2-2', '2-3', '2-4', '2-1']]
    pictures[None] = np.zeros_like(picture)
    rows = [np.concatenate([pictures[name] for name in row], axis=1) for row in rows]
    np.testing.assert_array_equal(grid, np.concatenate(rows))

    lines = ['Generating W vectors...', 'Generating images...', 'Generating style-mixed images...',
             'Saving images...', 'Saving image grid...']
    assert [line for line in capsys.readouterr().out.splitlines() if line in lines] == lines


def test_default_styles_stop_at_the_last_layer(network_pkl, tmp_path):
    run_dir, Gs = run('style-mixing-example', network_pkl, tmp_path, '--row-seeds=1', '--col-seeds=2')
    assert_same_picture(read_png(run_dir / '1-2.png', Gs), mixed_picture(Gs, 1, 2, range(NUM_LAYERS), 0.5))


@pytest.mark.parametrize('styles, absent', [('0-6', 6), ('-1,2', -1), ('0,17', 17)])
def test_absent_layers_are_refused_when_asked_for(styles, absent, network_pkl, tmp_path):
    with pytest.raises(UserError, match=f'^--col-styles: there is no layer {absent}; this network has 0-5'):
        run('style-mixing-example', network_pkl, tmp_path, '--row-seeds=1', '--col-seeds=2',
            f'--col-styles={styles}')


# Errors

def test_a_missing_subcommand_is_named():
    with pytest.raises(UserError, match='^missing subcommand.  Re-run with --help for usage.$'):
        run_generator.main([])


@pytest.mark.parametrize('flags, message', [
    (['--seeds=-1,2'], 'seeds must be from 0 to 4294967295, not -1 to 2'),
    (['--seeds=4294967296'], 'seeds must be from 0 to 4294967295'),
    (['--seeds=1', '--truncation-psi=nan'], '--truncation-psi must be a number, not nan'),
    (['--seeds=1-5', '--grid=2x2'], '--grid=2x2: too small for 5 images'),
    (['--seeds=1', '--network=gone.pkl'], 'gone.pkl: no such file; expected a network pickle'),
    (['--seeds=1', '--network=gdrive:networks/stylegan2-x.pkl'], 'not a published file; the closest keys')])
def test_mistakes_are_found_before_a_folder_is_made(flags, message, tmp_path):
    network, results = tmp_path / 'network.pkl', tmp_path / 'results'
    network.touch()
    with pytest.raises(UserError, match=message):
        run('generate-images', network, results, *flags)
    assert not results.exists()


@pytest.mark.parametrize('flag', [
    '--seeds=', '--seeds=5-1', '--seeds=x', '--grid=4', '--grid=0x4', '--grid=4x-1', '--truncation-psi=x'])
def test_malformed_values_are_explained_by_the_parser(flag, capsys):
    with pytest.raises(SystemExit) as caught:
        run_generator.main(['generate-images', '--network=x', '--seeds=1', flag])
    assert caught.value.code == 2
    assert f'argument {flag.split("=")[0]}: ' in capsys.readouterr().err


def test_a_file_that_holds_no_networks_is_named(tmp_path, module_session):
    path = tmp_path / 'network.pkl'
    for data, message in ((b'x', 'this is not a pickle'), (b'N.', 'expected three networks'),
                          (b'(K\x01K\x02K\x03t.', 'expected three networks')):
        path.write_bytes(data)
        with pytest.raises(UserError, match=f'^{path}: .*{message}'):
            run('generate-images', path, tmp_path / 'results', '--seeds=1')
        assert dnnlib.submit_config is None


def test_only_networks_that_draw_grey_or_colour_images_are_used(tmp_path):
    with fresh_session():
        G = tflib.Network('G', num_channels=2, **SMALL_G)
        path = str(tmp_path / 'network.pkl')
        misc.save_pkl((G, G, G), path)
        with pytest.raises(UserError, match=r'Gs returns \[None, 2, 8, 8\], expected images of 1 or 3'):
            pretrained_networks.load_generator(path)


def test_the_script_reports_a_mistake_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['run_generator.py'])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(run_generator.__file__, run_name='__main__')
    assert caught.value.code == 2
    assert capsys.readouterr() == ('', 'Error: missing subcommand.  Re-run with --help for usage.\n')


# pretrained_networks

def test_published_networks_have_keys():
    urls = pretrained_networks.gdrive_urls
    assert len(urls) == 36
    assert len(set(urls.values())) == 36
    base = 'https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks/'
    for file in ('stylegan2-ffhq-config-f.pkl', 'stylegan2-car-config-b.pkl', 'stylegan2-church-config-a.pkl',
                 'table2/stylegan2-ffhq-config-e-Gresnet-Dorig.pkl'):
        assert pretrained_networks.get_path_or_url(f'gdrive:networks/{file}') == base + file
        pretrained_networks.check_path(f'gdrive:networks/{file}')
    assert 'gdrive:networks/stylegan2-cat-config-b.pkl' not in urls
    assert pretrained_networks.get_path_or_url('some/file.pkl') == 'some/file.pkl'


@pytest.mark.parametrize(('key', 'url'), [
    ('stylegan:karras2019stylegan-cats-256x256.pkl', DRIVE + '1MQywl0FNt6lHu8E_EUqnRbviagS7fbiJ'),
    ('stylegan:celebahq-classifier-39-wearing-necktie.pkl', DRIVE + '1SF_mJIdyGINXoV-I6IAxHB_k5dxiF6M-'),
    ('stylegan2:metrics/vgg16.pkl', CDN + 'stylegan/networks/metrics/vgg16.pkl'),
    ('stylegan2-ada:metrics/celebahq-classifier-00-male.pkl',
     CDN + 'stylegan2-ada/pretrained/metrics/celebahq-classifier-00-male.pkl'),
    ('stylegan2-ada:cifar10.pkl', CDN + 'stylegan2-ada/pretrained/cifar10.pkl'),
    ('stylegan2-ada:lsundog256', CDN + 'stylegan2-ada/pretrained/transfer-learning-source-nets/'
                                       'lsundog-res256-paper256-kimg100000-noaug.pkl'),
    ('stylegan2-ada-pytorch:metfaces.pkl', CDN + 'stylegan2-ada-pytorch/pretrained/metfaces.pkl'),
    ('stylegan3:stylegan2-afhqv2-512x512.pkl',
     'https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files/'
     'stylegan2-afhqv2-512x512.pkl'),
])
def test_files_of_all_code_bases_have_keys(key, url):
    assert pretrained_networks.get_path_or_url(key) == url
    pretrained_networks.check_path(key)


def test_every_published_file_has_one_key_and_one_url():
    counts = collections.Counter(key.split(':')[0] for key in OFFICIAL_URLS)
    assert counts == {'gdrive': 36, 'stylegan': 7 + 40, 'stylegan2': 4 + 40, 'stylegan2-ada': 21 + 4 + 40,
                      'stylegan2-ada-pytorch': 17, 'stylegan3': 15}
    named_twice = 2 * 5  # sources for transfer learning, by short name and by file
    assert len(set(OFFICIAL_URLS.values())) == len(OFFICIAL_URLS) - named_twice


def test_networks_are_loaded_once_per_session(network_pkl, module_session):
    networks = pretrained_networks.load_networks(network_pkl)
    assert pretrained_networks.load_networks(network_pkl) is networks
    with fresh_session() as session:
        others = pretrained_networks.load_networks(network_pkl)
        assert not set(others) & set(networks)
        assert others[2].input_templates[0].graph is session.graph
    assert pretrained_networks.load_networks(network_pkl) is networks


def test_a_published_key_is_loaded_from_its_url(network_pkl, monkeypatch):
    asked = []

    def open_url(url, cache_dir):
        asked.append((url, cache_dir))
        return open(network_pkl, 'rb')

    monkeypatch.setattr(dnnlib.util, 'open_url', open_url)
    with fresh_session():
        _, _, Gs = pretrained_networks.load_networks('gdrive:networks/stylegan2-cat-config-f.pkl')
        assert Gs.name == 'Gs'
    url = 'https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks/stylegan2-cat-config-f.pkl'
    assert asked == [(url, '.stylegan2-cache')]


# Networks with labels, networks without styles

@pytest.fixture(scope='module')
def labelled_pkl(module_session, tmp_path_factory):
    """Write networks that generate three classes to a file."""
    shape = dict(num_channels=1, resolution=8, label_size=3, fmap_base=32, fmap_max=4)
    G = tflib.Network('G', func_name=G_MAIN, latent_size=4, dlatent_size=4, mapping_fmaps=4, **shape)
    D = tflib.Network('D', func_name=D_STYLEGAN2, **shape)
    set_golden_values(G)
    path = str(tmp_path_factory.mktemp('networks') / 'labelled.pkl')
    misc.save_pkl((G, D, G.clone('Gs')), path)
    return path


def test_a_class_is_drawn_from_its_label(labelled_pkl, tmp_path):
    flags = ('--seeds=1', '--class=2', '--truncation-psi=1')
    run_dir, Gs = run('generate-images', labelled_pkl, tmp_path, *flags)
    latents = generation.inputs_from_seed(Gs, 1)
    by_label = [Gs.run(latents, np.float32([label]), truncation_psi=1, randomize_noise=False,
                       output_transform=UINT8)[0] for label in ([0, 0, 1], [0, 1, 0], [0, 0, 0])]
    picture = read_png(run_dir / 'seed0001.png', Gs)
    assert_same_picture(picture, by_label[0])
    assert all(np.abs(picture.astype(int) - other).max() > 5 for other in by_label[1:])


def test_styles_are_mixed_within_a_class(labelled_pkl, tmp_path):
    flags = ('--row-seeds=1', '--col-seeds=2', '--col-styles=0', '--truncation-psi=1')
    plain, Gs = run('style-mixing-example', labelled_pkl, tmp_path, *flags)
    of_class, _ = run('style-mixing-example', labelled_pkl, tmp_path, *flags, '--class=1')
    difference = read_png(of_class / '1-2.png', Gs).astype(int) - read_png(plain / '1-2.png', Gs)
    assert np.abs(difference).max() > 5


def test_a_class_that_the_network_does_not_have_is_refused(labelled_pkl, network_pkl, tmp_path):
    with pytest.raises(UserError, match='--class=3: this network has the classes 0 to 2'):
        run('generate-images', labelled_pkl, tmp_path, '--seeds=1', '--class=3')
    with pytest.raises(UserError, match='--class=0: this network has no classes'):
        run('generate-images', network_pkl, tmp_path, '--seeds=1', '--class=0')


@pytest.fixture
def named_pkl(labelled_pkl, tmp_path):
    """Copy the labelled network to a folder that names its classes. -> path."""
    (tmp_path / 'run').mkdir()
    class_names.write(tmp_path / 'run' / 'classes.json', ['cat', '0', 'wild cat'])
    return shutil.copy(labelled_pkl, tmp_path / 'run')


@pytest.mark.parametrize('text, number', [('cat', 0), ('wild cat', 2), ('2', 2), ('0', 1)])
def test_a_class_can_be_given_by_its_name_which_comes_before_a_number(text, number, named_pkl, capsys):
    assert picture_requests.number_of_class(text, named_pkl, 3) == number
    assert capsys.readouterr().out == f'Class {number}: {["cat", "0", "wild cat"][number]}.\n'


def test_a_named_class_is_drawn_from_its_label(named_pkl, tmp_path):
    by_name, by_number = [
        run('generate-images', named_pkl, tmp_path / 'results', '--seeds=1', f'--class={text}')[0]
        for text in ('wild cat', '2')]
    assert (by_name / 'seed0001.png').read_bytes() == (by_number / 'seed0001.png').read_bytes()


def test_an_unknown_class_is_answered_with_the_known_ones(named_pkl, tmp_path):
    for text, question in (('Wildcat', '; did you mean wild cat?'), ('dog', '.'), ('-1', '.')):
        message = f'--class={text}: this network has no such class{question} Its classes: cat, 0, wild cat'
        with pytest.raises(UserError, match=f'^{re.escape(message)}$'):
            run('generate-images', named_pkl, tmp_path / 'results', '--seeds=1', f'--class={text}')
    assert not (tmp_path / 'results').exists()


def test_classes_of_a_url_have_numbers_only():
    with pytest.raises(UserError, match='^--class=cat: expected a number from 0 to 2; URLs and keys'):
        picture_requests.number_of_class('cat', 'stylegan2-ada:cifar10.pkl', 3)
    assert picture_requests.number_of_class('1', 'https://example.com/x.pkl', 3) == 1


def test_without_a_class_a_line_says_which_there_are(labelled_pkl, named_pkl, network_pkl, capsys):
    for path, label_size, classes in ((named_pkl, 3, ' Its classes: cat, 0, wild cat.\n'),
                                      (labelled_pkl, 3, ' Its classes: 0 to 2.\n'), (network_pkl, 0, '')):
        assert picture_requests.number_of_class(None, path, label_size) is None
        printed = capsys.readouterr().out
        assert printed.endswith(classes) and bool(printed) == bool(label_size)


def test_names_of_another_number_of_classes_are_not_used(named_pkl):
    with pytest.raises(UserError, match='classes.json: names 3 classes, but .* has 2; correct the file or'):
        picture_requests.number_of_class('cat', named_pkl, 2)


def test_a_generator_without_styles_draws_images_and_cannot_mix(module_session, tmp_path):
    shape = dict(num_channels=1, resolution=8, fmap_base=32, fmap_max=4)
    G = tflib.Network('G', func_name='training.networks_progan.G_paper', latent_size=4, **shape)
    D = tflib.Network('D', func_name='training.networks_progan.D_paper', **shape)
    path = str(tmp_path / 'progan.pkl')
    misc.save_pkl((G, D, G.clone('Gs')), path)
    run_dir, Gs = run('generate-images', path, tmp_path / 'results', '--seeds=3')
    expected = Gs.run(np.random.RandomState(3).randn(1, 4), None, output_transform=UINT8)[0]
    assert_same_picture(read_png(run_dir / 'seed0003.png', Gs), expected)
    with pytest.raises(UserError, match='this network has no styles to mix'):
        run('style-mixing-example', path, tmp_path / 'results', '--row-seeds=1', '--col-seeds=2')


# Golden images

@pytest.mark.parametrize(('name', 'tag', 'seed', 'psi'), [
    ('generate_stylegan2', 'config-f-256', 6600, 0.5), ('generate_stylegan', 'stylegan-256', 5, 0.7)])
@pytest.mark.parametrize('is_compiled', [False, pytest.param(True, marks=pytest.mark.long)])
def test_full_width_images_from_seeds_are_the_published_ones(name, tag, seed, psi, is_compiled):
    wanted = dict(tag=tag, seed=seed, psi=psi)
    case = next(case for case in figures(name) if {**case, **wanted} == case)
    with tflib.xla.enabled(is_compiled), fresh_session():
        Gs = tflib.Network('Gs', func_name=case['func'], **case['static'])
        set_golden_values(Gs)
        latents = generation.inputs_from_seed(Gs, seed)
        floats = Gs.run(latents, None, truncation_psi=psi, randomize_noise=False)[0]
        no_label = generation.label_of_class(Gs, None)
        picture = generation.images_from_latents(Gs, latents, no_label, psi)[0].transpose(1, 2, 0)
    small = floats.reshape(3, 32, 8, 32, 8).mean(axis=(2, 4))
    key = f'{tag}:seed{seed}:psi{psi}'
    assert_close(small, arrays(name)[f'{key}:float32x32'], 'averaged image')
    statistics = [floats.mean(), floats.std(), np.abs(floats).max()]
    expected = [case[f'float_{figure}'] for figure in ('mean', 'std', 'absmax')]
    np.testing.assert_allclose(statistics, expected, rtol=1e-4)
    assert picture.shape == tuple(case['shape'][1:])
    assert_same_picture(picture[:64, :64], arrays(name)[f'{key}:uint8corner64'])
    assert abs(int(picture.sum()) - case['uint8_sum']) < 1e-5 * case['uint8_sum']
