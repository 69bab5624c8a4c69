"""Test network_info.py, which describes files without TensorFlow and without executing them."""

import hashlib
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import dnnlib
import dnnlib.tflib as tflib
import network_info
from dnnlib import cli
from dnnlib.downloading import downloads
from dnnlib.pickles import inspection, trust
from dnnlib.util import UserError
from metrics import real_cache
from metrics.features import feature_networks, inception_graph
from tests import download_server, small_networks
from tests.crafted_pickles import dumps, stored
from tests.golden_figures import figures
from tests.hostile_files import SYSTEM, fired, text, watched
from tests.test_house import ROOT
from training import misc
from training.data import class_names

SIZES = dict(resolution=16, num_channels=1, fmap_base=32, fmap_max=4)
STYLES = dict(latent_size=4, dlatent_size=4, mapping_fmaps=4, mapping_layers=2)
ADA_STYLES = dict(latent_size=4, dlatent_size=4, mapping_layers=2)

# {code base: (module, function of G, function of D, further arguments of G, whether styles exist)}
CODES = {
    'StyleGAN2': ('networks_stylegan2', 'G_main', 'D_stylegan2', STYLES, True),
    'StyleGAN': ('networks_stylegan', 'G_style', 'D_basic', STYLES, True),
    'Progressive GAN': ('networks_progan', 'G_paper', 'D_paper', dict(latent_size=4), False),
    'StyleGAN2-ADA': ('networks_stylegan2_ada', 'G_main', 'D_main', ADA_STYLES, True),
}


@pytest.fixture(autouse=True)
def cache_dir(tmp_path, monkeypatch):
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.fixture(scope='module')
def triple(module_session):
    """Return a function that builds (G, D, Gs) of a code base once."""
    made = {}

    def networks(code):
        if code not in made:
            module, G_func, D_func, more, _ = CODES[code]
            G = tflib.Network('G', func_name=f'training.{module}.{G_func}', label_size=3, **SIZES, **more)
            D = tflib.Network('D', func_name=f'training.{module}.{D_func}', label_size=3, **SIZES)
            made[code] = G, D, G.clone('Gs')
        return made[code]
    return networks


@pytest.fixture
def info(capsys):
    """Return a function that runs the script on a file. -> lines of output, with single spaces."""
    def run(path, *flags):
        capsys.readouterr()
        network_info.main([str(path), *flags])
        return [' '.join(line.split()) for line in capsys.readouterr().out.splitlines()]
    return run


@pytest.fixture
def network_pkl(triple, tmp_path):
    path = tmp_path / 'network-final.pkl'
    misc.save_pkl(triple('StyleGAN2'), str(path))
    return path


def trained(net):
    return sum(int(np.prod(var.shape.as_list())) for var in net.trainables.values())


# Networks

@pytest.mark.parametrize('code', CODES)
def test_networks_of_all_code_bases_are_described(code, triple, tmp_path, info):
    path = tmp_path / 'net.pkl'
    G, D, Gs = triple(code)
    misc.save_pkl((G, D, Gs), str(path))
    lines = info(path)
    module, G_func, D_func, more, has_styles = CODES[code]
    assert lines[0] == f'{path}: three networks (G, D, Gs), as training writes them'
    assert f'SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}' in lines
    assert [line for line in lines if line.startswith('code base')] == [
        f'code base {code}, written by this project'] * 3
    assert [line for line in lines if line.startswith('function')] == [
        f'function {func} (built by training.{module}.{func})' for func in (G_func, D_func, G_func)]
    assert [line for line in lines if line.startswith('parameters')] == [
        f'parameters {trained(net):,}' for net in (G, D, Gs)]
    assert lines.count('images 16 x 16, 1 channel') == lines.count('labels 3 classes') == 3
    assert lines.count(f'state version {5 if code == "StyleGAN2-ADA" else 4}') == 3
    arguments = ' '.join(lines)
    assert all(f'{key}={value}' in arguments for key, value in {**SIZES, **more}.items())
    known = 'source text identical to what this version stores'
    assert sum(line.startswith(known) for line in lines) == 1
    assert lines.count('source text the same as of G') == 2
    assert not any('problem' in line or 'trust' in line for line in lines)
    commands = ' '.join(lines[lines.index('Can be used by'):])
    assert ('style-mixing-example' in commands) == has_styles
    for command in ('generate-images', 'run_metrics.py', f'run_training.py --resume={path}'):
        assert command in commands


def test_names_of_classes_beside_the_file_are_shown(network_pkl, info):
    names = network_pkl.parent / 'classes.json'
    class_names.write(names, ['cat', 'dog', 'wild\n'])
    assert info(network_pkl).count('labels 3 classes: cat, dog, wild\\n') == 3
    class_names.write(names, ['cat', 'dog'])
    assert 'names 2 classes, but' in ' '.join(info(network_pkl))


@pytest.mark.parametrize('name', ['variables_stylegan2', 'variables_stylegan'])
def test_parameters_are_those_that_the_published_code_counts(name):
    for case in figures(name):
        variables = [(key, np.broadcast_to(np.float32(0), shape))
                     for key, (shape, _) in case['variables'].items()]
        network = inspection.Blueprint({}, {'static_kwargs': {}, 'components': {}, 'variables': variables})
        assert network.num_parameters == case['parameters']
        assert network.resolution == case['static_kwargs']['resolution']
        assert network.num_channels == case['static_kwargs']['num_channels']


@pytest.mark.parametrize('source, expected', [
    ('', 'source text none'),
    ('def G_main(x):\ndef G_synthesis_stylegan2(x):\n',
     'source text has functions of StyleGAN2, but was not compared'),
    ('def anything(x):\n', 'source text unknown; SHA-256'),
    ('# training.networks_stylegan2 of stylegan-tf 0.0.1; ...\n',
     'source text written by another version of this project, according to its heading'),
    ('"""Networks.\n\nx and the layers that it uses, as they were when the network was stored.\n"""\n',
     'source text written by this project, according to its heading, for TensorFlow 1.14'),
])
def test_a_source_text_that_is_not_stored_here_is_not_called_known(source, expected, triple, tmp_path, info):
    data = dumps(stored(triple('StyleGAN2')[0], lambda state: {'build_module_src': source}))
    (tmp_path / 'net.pkl').write_bytes(data)
    lines = info(tmp_path / 'net.pkl')
    assert any(line.startswith(expected) for line in lines)
    assert ('code base StyleGAN2, written by this project' in lines) == ('this project' in expected)


def test_a_change_of_one_letter_is_seen(triple, tmp_path, info):
    def change(state):
        return {'build_module_src': state['build_module_src'].replace('512', '513', 1)}

    (tmp_path / 'net.pkl').write_bytes(dumps(stored(triple('StyleGAN2')[0], change)))
    assert not any('source text identical' in line for line in info(tmp_path / 'net.pkl'))


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
@pytest.mark.parametrize('version', [2, 3, 4, 5])
def test_all_versions_and_protocols_are_read(protocol, version, triple, tmp_path, info):
    data = dumps(stored(triple('StyleGAN')[0], lambda state: {'version': version}), protocol)
    (tmp_path / 'net.pkl').write_bytes(data)
    lines = info(tmp_path / 'net.pkl')
    assert f'state version {version}' in lines
    assert lines[0].endswith(': one network')
    assert any(line.startswith('code base StyleGAN, ') for line in lines)


def test_a_lone_generator_draws_and_does_not_train(triple, tmp_path, info):
    misc.save_pkl(triple('StyleGAN2')[2], str(tmp_path / 'G.pkl'))
    commands = ' '.join(info(tmp_path / 'G.pkl'))
    assert 'run_generator.py' in commands and 'run_metrics.py' in commands and 'run_training' not in commands
    misc.save_pkl(triple('StyleGAN2')[1], str(tmp_path / 'D.pkl'))
    assert info(tmp_path / 'D.pkl')[-1] == 'no command; it is not a generator'


def test_unknown_functions_ask_for_trust_and_nothing_is_run(module_session, tmp_path, info):
    path = tmp_path / 'mine.pkl'
    misc.save_pkl(tflib.Network('mine', func_name=small_networks.double), str(path))
    lines = info(path)
    assert 'code base unknown' in lines
    assert 'function double (unknown here)' in lines
    assert any(line.startswith("problem network 'mine' is built by 'double'") for line in lines)
    warning = '(--trust-source runs the source text in the file: use it only if you trust its origin)'
    assert warning in lines and 'run_generator.py --trust-source if it draws images' in lines[-1]
    trust.remember_file(str(path))
    assert warning not in info(path)


@pytest.mark.parametrize('name', [
    'inception_v3_features.pkl', 'vgg16.pkl', 'celebahq-classifier-19-eyeglasses.pkl',
    'c2d79e25b9c69bd44d2c1ad97a1ba5f4_vgg16_zhang_perceptual.pkl'])
def test_feature_networks_are_told_by_their_names(name, module_session, tmp_path, info):
    misc.save_pkl(tflib.Network('net', func_name=small_networks.twice), str(tmp_path / name))
    assert info(tmp_path / name)[-1].startswith('run_metrics.py, as a feature network')


def test_those_names_are_the_published_ones():
    files = [os.path.basename(source.url) for sources in feature_networks.SOURCES.values()
             for source in sources if isinstance(source, feature_networks.PublishedPickle)]
    assert all(name.startswith(network_info.FEATURE_NETWORKS) for name in files)
    assert network_info.GRAPHS == (inception_graph.ARCHIVE, inception_graph.GRAPH)


def test_what_does_not_fit_together_is_shown(triple, tmp_path, info):
    def without_components(state):
        return {'components': {}} if state['name'] == 'G' else {}

    (tmp_path / 'net.pkl').write_bytes(dumps(stored(triple('StyleGAN2')[0], without_components)))
    lines = info(tmp_path / 'net.pkl')
    problem = "problem network 'G': the stored components do not fit G_main"
    assert any(line.startswith(problem) for line in lines)
    assert lines[-1] == 'no command; see the problem above'


# Files without networks

def test_settings_and_statistics_are_named(tmp_path, info):
    config = dnnlib.SubmitConfig()
    config.run_func_name = 'training.training_loop.training_loop'
    misc.save_pkl(config, str(tmp_path / 'submit_config.pkl'))
    lines = info(tmp_path / 'submit_config.pkl')
    assert lines[0].endswith('no networks; the settings of a run of training.training_loop.training_loop')
    real_cache.write(str(tmp_path / 'reals.pkl'), (np.zeros(3), np.zeros([3, 3])), data='x')
    lines = info(tmp_path / 'reals.pkl')
    assert lines[0].endswith('no networks; statistics of real images')
    assert lines[-1] == 'python run_metrics.py, from the cache directory'
    (tmp_path / 'sigma.pkl').write_bytes(pickle.dumps((np.zeros(3), np.zeros([3, 3]))))
    [first, *_] = info(tmp_path / 'sigma.pkl')
    assert first.endswith('no networks; a tuple of an array [3] and an array [3, 3]')


@pytest.mark.parametrize('data, expected', [
    (b'PK\x03\x04' + bytes(26) + b'arr_0.npy' + bytes(99), 'NumPy arrays'),
    (b'PK\x03\x04' + bytes(26) + b'readme.txt' + bytes(99), 'a zip archive'),
    (b'\n<!DOCTYPE html><html>', 'an HTML page that a web site sent'),
    (b'<html><head>', 'an HTML page'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'),
    (b'\x89HDF\r\n\x1a\n', 'an HDF5 file'), (b'\x89PNG\r\n', 'a picture'),
    (b'\x1f\x8b\x08', 'a compressed file'),
    (b'', 'an empty file'), (b'just a text', 'not a pickle'), (bytes(range(1, 200)), 'not a pickle'),
])
def test_a_file_of_another_kind_is_called_by_its_name(data, expected, tmp_path):
    path = tmp_path / 'file.bin'
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        network_info.main([str(path)])
    message = str(caught.value)
    assert message.startswith(f'{path}: this is ') and expected in message and message.isprintable()


def test_a_file_that_was_cut_off_is_an_error(network_pkl):
    data = network_pkl.read_bytes()
    for size in (len(data) - 1, len(data) // 2, 100, 3):
        network_pkl.write_bytes(data[:size])
        with pytest.raises(UserError, match='cut off'):
            network_info.main([str(network_pkl)])


def test_nothing_inside_is_executed(tmp_path):
    path = tmp_path / 'bad.pkl'
    path.write_bytes(b'\x80\x02' + SYSTEM + text('id') + b'\x85R.')
    with watched(), pytest.raises(UserError, match='refused: the file asks for os.system'):
        network_info.main([str(path)])
    assert not fired


def test_hostile_text_is_shown_as_one_line(triple, tmp_path, info):
    data = dumps(stored(triple('StyleGAN2')[1], lambda state: {
        'build_func_name': 'D\n\x1b[2J', 'static_kwargs': {'key': 'a\nb\x1b[2J'}}))
    (tmp_path / 'net.pkl').write_bytes(data)
    assert all(line.isprintable() for line in info(tmp_path / 'net.pkl'))


# Paths, URLs and keys

@pytest.mark.parametrize('name, message', [
    ('gone.pkl', '^gone.pkl: no such file; expected a network pickle'),
    ('gdrive:networks/stylegan2-cat-config-b.pkl', 'not a published file')])
def test_a_file_that_is_not_there_is_one_line(name, message):
    with pytest.raises(UserError, match=message):
        network_info.main([name])


def test_urls_and_keys_are_downloaded_once(network_pkl, info, cache_dir, monkeypatch, tmp_path):
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    with download_server.running() as server:
        server.answers['/net.pkl'] = [download_server.file(network_pkl.read_bytes())]
        url = f'{server.url}/net.pkl'
        first = f'{url}: three networks (G, D, Gs), as training writes them'
        assert first in info(url)
        assert info(url, f'--cache-dir={cache_dir}')[0] == first
        assert server.asked == ['/net.pkl']
    key = 'gdrive:networks/stylegan2-cat-config-f.pkl'
    place = downloads.place(network_info.pretrained_networks.get_path_or_url(key), str(cache_dir))
    network_pkl.rename(place)
    assert f'python run_generator.py generate-images --network={key} --seeds=0-15 --class=0' in info(key)


# Speed, without TensorFlow

WATCH = """
import resource, sys
import network_info
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
network_info.main([sys.argv[1]])
print(sorted({name.split('.')[0] for name in sys.modules} & {'tensorflow', 'keras', 'scipy', 'PIL'}))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3)
"""


def test_neither_tensorflow_nor_the_data_of_the_arrays_are_loaded(triple, tmp_path):
    """The script is fast because it skips both."""
    path = tmp_path / 'large.pkl'
    large = ('large', np.ones([100_000_000 // 4], np.float32))
    path.write_bytes(dumps(stored(triple('StyleGAN2')[1], lambda state: {
        'variables': [*state['variables'], large]})))
    done = subprocess.run([sys.executable, '-c', WATCH, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *lines, loaded, megabytes = done.stdout.splitlines()
    assert loaded == '[]'
    assert float(megabytes) < 50
    [parameters] = [line for line in lines if re.match(' *parameters', line)]
    assert int(parameters.split()[1].replace(',', '')) == 25_000_000 + trained(triple('StyleGAN2')[1])


def test_the_script_ends_like_the_others(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['network_info.py', str(tmp_path / 'gone.pkl')])
    with pytest.raises(SystemExit) as caught:
        cli.run_script(network_info.main)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith('Error: ')
