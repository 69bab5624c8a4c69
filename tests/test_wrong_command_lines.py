"""Test invalid command lines of all scripts: one line of error, status 2, and nothing on disk."""

import configparser
import gzip
import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

import dataset_tool
import dnnlib.tflib as tflib
import pretrained_networks
from dnnlib import cli
from dnnlib.downloading import downloads
from dnnlib.util import UserError
from tests.dataset_files import contents, random_pixels, write_images
from tests.golden_figures import QUICK, fresh_session
from tests.parsers import SCRIPTS, commands_of
from tests.small_networks import SMALL_G
from tests.test_house import ROOT
from tests.wrong_command_lines import OTHERS, WITHOUT_TENSORFLOW
from training import misc
from training.data.export import TFRecordExporter

pytestmark = pytest.mark.usefixtures('module_session')  # replaces the session that scripts leave open

SMALL_D = dict(func_name='training.networks_stylegan2.D_stylegan2', resolution=8, fmap_max=4)
SILENT_G = dict(SMALL_G, func_name='training.networks_stylegan.G_style', use_noise=False)
SMALL_PROGAN = dict(func_name='training.networks_progan.G_paper', resolution=8, fmap_max=4, latent_size=4)
HELP = [(script, command) for script in SCRIPTS for command in ['', *commands_of(script)]]


def write_data_set(folder, name, shape, num_classes=0):
    with TFRecordExporter(str(folder / name), 8, print_progress=False) as exporter:
        for _ in range(8):
            exporter.add_image(random_pixels(*shape))
        if num_classes:
            exporter.add_labels(np.eye(num_classes, dtype=np.float32)[np.arange(8) % num_classes])


def write_networks(folder):
    """Write network files. -> {name: path}."""
    with fresh_session(QUICK):
        G, D = tflib.Network('G', **SMALL_G), tflib.Network('D', **SMALL_D)
        labelled = tflib.Network('G', label_size=3, **SMALL_G)
        networks = {'net': (G, D, G.clone('Gs')), 'D': D, 'pair': (G, D), 'labels': labelled,
                    'progan': tflib.Network('G', **SMALL_PROGAN), 'silent': tflib.Network('G', **SILENT_G)}
        paths = {name: str(folder / f'{name}.pkl') for name in networks}
        for name, network in networks.items():
            misc.save_pkl(network, paths[name])
    return paths


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Write small networks and data sets, good and bad. -> {name: path}."""
    folder = tmp_path_factory.mktemp('files')
    paths = {'new': str(folder / 'new'), 'data': str(folder / 'data'), **write_networks(folder)}
    content = pathlib.Path(paths['net']).read_bytes()
    bad = {'cut': content[:len(content) // 2], 'empty': b'', 'packed': gzip.compress(content),
           'text': b'hello\n', 'nested': b'\x80\x02' + 200_000 * b'(' + 200_000 * b't' + b'.'}
    for name, data in bad.items():
        paths[name] = str(folder / f'{name}.pkl')
        pathlib.Path(paths[name]).write_bytes(data)
    for name, shape in (('tiny', [3, 8, 8]), ('grey', [1, 8, 8]), ('torn', [3, 8, 8])):
        write_data_set(folder / 'data', name, shape)
    write_data_set(folder / 'data', 'classes', [3, 8, 8], num_classes=10)
    torn = folder / 'data' / 'torn' / 'torn-r03.tfrecords'
    torn.write_bytes(torn.read_bytes()[:-9])
    write_images(folder / 'data' / 'wide', [random_pixels(12, 20, 3)] * 2)
    write_images(folder / 'data' / 'photos', [random_pixels(8, 8, 3)] * 2)
    many = write_images(folder / 'data' / 'many', [random_pixels(8, 8, 3), random_pixels(8, 4, 3)])
    shutil.make_archive(str(many), 'zip', many)
    (folder / 'data' / 'broken.zip').write_bytes(many.with_suffix('.zip').read_bytes()[:-30])
    (folder / 'data' / 'nothing').mkdir()
    paths['run'] = str(folder / 'run')
    pathlib.Path(paths['run']).mkdir()
    (folder / 'run' / 'log.txt').write_text('tick 0     kimg 0.1      lod 0.00\n')
    return paths


@pytest.fixture
def place(tmp_path, monkeypatch, files):
    """Work in an empty folder, with the cache elsewhere and without downloads."""
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))
    monkeypatch.setenv('STYLEGAN_METRIC_NETWORKS', files['new'])
    monkeypatch.setattr(downloads, 'fetch', refuse)
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    return tmp_path / 'here'


def refuse(url, cache_dir, *_args):
    """Fail in place of a download, as if there were no connection."""
    raise downloads.failure(url, cache_dir, 'no connection', os.path.basename(url))


@pytest.mark.parametrize('script, line, message', WITHOUT_TENSORFLOW + OTHERS,
                         ids=[f'{script} {line}' for script, line, _ in WITHOUT_TENSORFLOW + OTHERS])
def test_a_wrong_command_line_ends_in_one_line_and_changes_nothing(
        script, line, message, files, place, capfd):
    folder = pathlib.Path(files['data']).parent
    before = contents(folder)
    with pytest.raises(SystemExit) as caught:
        cli.run_script(lambda: importlib.import_module(script).main(arguments(line, files)))
    assert caught.value.code == 2
    errors = capfd.readouterr().err.splitlines()
    assert message.format(**files) in errors[-1]
    assert errors[-1].startswith('Error: ') and not any('Traceback' in error for error in errors)
    assert len(errors) == 1 or (script, line, message) in OTHERS
    assert list(place.iterdir()) == []
    assert contents(folder) == before


def arguments(line, files):
    """Return the arguments on a command line."""
    return [word.format(**files) for word in line.split()]


RUNNER = """
import contextlib, importlib, io, json, sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'tensorflow':
            raise AssertionError('TensorFlow is loaded')

sys.meta_path.insert(0, Refusal())
from dnnlib import cli
for script, argv in json.load(sys.stdin):
    main = importlib.import_module(script).main
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            cli.run_script(lambda: main(argv))
            status = 0
        except SystemExit as error:
            status = error.code
        except BaseException as error:
            status = repr(error)
    print(json.dumps(status))
"""


def statuses(lines, place):
    """Run [(script, arguments)] in a process that refuses to import TensorFlow. -> statuses."""
    process = subprocess.run([sys.executable, '-c', RUNNER], input=json.dumps(lines), cwd=place, text=True,
                             capture_output=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert process.returncode == 0, process.stderr
    return [json.loads(status) for status in process.stdout.splitlines()]


def test_help_does_not_wait_for_tensorflow(place):
    lines = [(script, [*command.split(), '--help']) for script, command in HELP]
    assert dict(zip(HELP, statuses(lines, place), strict=True)) == dict.fromkeys(HELP, 0)


def test_what_the_parser_or_the_files_tell_does_not_wait_for_tensorflow(files, place):
    lines = [(script, arguments(line, files)) for script, line, _ in WITHOUT_TENSORFLOW]
    found = dict(zip(map(str, lines), statuses(lines, place), strict=True))
    assert found == dict.fromkeys(found, 2)
    assert list(place.iterdir()) == []


def test_every_script_and_command_is_asked_for_help_and_has_wrong_lines():
    assert {'', 'generate-images', 'style-mixing-example'} <= {
        command for script, command in HELP if script == 'run_generator'}
    assert {command for script, command in HELP if script == 'dataset_tool'} == {
        '', *(function.__name__ for function, *_ in dataset_tool.COMMANDS)}
    assert {script for script, *_ in WITHOUT_TENSORFLOW} == set(SCRIPTS)


@pytest.mark.parametrize('script', SCRIPTS)
def test_every_script_is_installed(script):
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    assert script in config['options']['py_modules'].split()


@pytest.mark.parametrize('result_dir', ['results', 'a/b/results'])
def test_a_run_that_fails_removes_the_folders_that_were_made_for_it(result_dir, files, place, monkeypatch):
    monkeypatch.setattr(pretrained_networks, 'load_generator', refuse_network)
    with pytest.raises(SystemExit):
        cli.run_script(lambda: importlib.import_module('run_generator').main(
            ['generate-images', f'--network={files["net"]}', '--seeds=1', f'--result-dir={result_dir}']))
    assert list(place.iterdir()) == []


def refuse_network(network_pkl, _trust_source):
    """Fail in place of loading, with an error that is found only when building the network."""
    raise UserError(f'{network_pkl}: variables are missing')
