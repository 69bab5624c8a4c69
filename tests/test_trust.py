"""Test trust in the source text of files: given per file, remembered, needed only for unknown functions."""

import hashlib
import io
import os
import pickle

import pytest

import dnnlib
import dnnlib.tflib as tflib
import pretrained_networks
import run_generator
import run_training
from dnnlib.pickles import trust
from dnnlib.tflib import network_pickle
from dnnlib.tflib.legacy import execution
from dnnlib.util import UserError
from tests import small_networks
from tests.crafted_pickles import dumps, stored
from tests.golden_figures import fresh_session
from training import misc
from training.settings import submission


@pytest.fixture(autouse=True)
def cache_dir(tmp_path, monkeypatch):
    """Use a separate cache directory for each test."""
    path = tmp_path / 'cache'
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(path))
    return path


@pytest.fixture
def executed(monkeypatch):
    """Record executions as [(source text, function name), ...]; functions come from `small_networks`."""
    calls = []

    def build_function(source_text, func_name):
        calls.append((source_text, func_name))
        return getattr(small_networks, func_name)

    monkeypatch.setattr(execution, 'build_function', build_function)
    return calls


@pytest.fixture(scope='module')
def unknown(module_session):
    """Write a network whose functions, and those of its sub-network, are unknown."""
    return dumps(stored(tflib.Network('net', func_name=small_networks.double)))


@pytest.fixture
def path(tmp_path, unknown):
    path = tmp_path / 'network.pkl'
    path.write_bytes(unknown)
    return str(path)


def trusted_lines(cache_dir):
    return (cache_dir / 'trusted-sources.txt').read_text().splitlines()


# The list of trusted files

def test_files_are_known_by_their_contents(cache_dir, tmp_path):
    first, copy, other = (tmp_path / name for name in ('first.pkl', 'copy.pkl', 'other.pkl'))
    for file, text in ((first, b'same'), (copy, b'same'), (other, b'other')):
        file.write_bytes(text)
    digest = hashlib.sha256(b'same').hexdigest()
    assert not trust.is_trusted(digest)
    trust.remember_file(str(first))
    trust.remember_file(str(copy))
    assert trusted_lines(cache_dir) == [f'{digest}  first.pkl']
    trust.remember_file(str(other))
    assert trust.is_trusted(digest)
    assert trust.is_trusted(hashlib.sha256(b'other').hexdigest())
    assert not trust.is_trusted(digest[:-1])
    assert not trust.is_trusted('')
    assert os.listdir(cache_dir) == ['trusted-sources.txt'], 'no temporary files'


def test_a_name_cannot_add_a_line(cache_dir):
    trust.remember('0' * 64, f'dir/some\n{"1" * 64}\x1b\xe9')
    assert trusted_lines(cache_dir) == ['0' * 64 + r'  some\n' + '1' * 64 + r'\x1b\xe9']
    assert not trust.is_trusted('1' * 64)


def test_lines_of_others_are_kept(cache_dir):
    cache_dir.mkdir()
    (cache_dir / 'trusted-sources.txt').write_bytes(b'# my list \xff\n\n' + b'2' * 64)
    trust.remember('3' * 64, 'x')
    assert [line.split()[:1] for line in trusted_lines(cache_dir)] == [['#'], [], ['2' * 64], ['3' * 64]]
    assert trust.is_trusted('2' * 64)


def test_a_file_that_is_not_there_cannot_be_trusted(tmp_path):
    with pytest.raises(UserError, match='gone.pkl: cannot be trusted: No such file'):
        trust.remember_file(str(tmp_path / 'gone.pkl'))


def test_a_list_that_cannot_be_written_is_named(cache_dir):
    cache_dir.write_text('not a directory')
    assert not trust.is_trusted('0' * 64)
    with pytest.raises(UserError, match='trusted-sources.txt: the list .* DNNLIB_CACHE_DIR'):
        trust.remember('0' * 64, 'x')


def test_the_digest_is_that_of_all_that_is_read():
    stream = trust.HashingStream(io.BytesIO(b'line\nrest of it'))
    assert (stream.readline(), stream.read(4)) == (b'line\n', b'rest')
    assert stream.digest() == hashlib.sha256(b'line\nrest of it').hexdigest()


# Networks

def test_unknown_functions_need_trust(path, executed, session, cache_dir):
    for read in (misc.load_pkl, pretrained_networks.load_networks):
        with pytest.raises(UserError, match=f"^{path}: network '(net|double_inner)' is built by") as caught:
            read(path)
        for text in ('not among', 'version 4', 'trust_source=True', '--trust-source', 'import_handler'):
            assert text in str(caught.value)
        assert '\n' not in str(caught.value)
    assert not executed
    assert not session.graph.get_operations(), 'nothing is built before all functions are known'
    assert not cache_dir.exists()


def test_with_trust_the_source_text_is_executed(path, executed, session, capsys):
    net = misc.load_pkl(path, trust_source=True)
    with open(small_networks.__file__, encoding='utf-8') as file:
        text = file.read()
    assert executed == [(text, 'twice'), (text, 'double')]
    assert capsys.readouterr().out.splitlines() == [
        f"network '{name}': running the source text inside the file, which is trusted"
        for name in ('double_inner', 'net')]
    assert net.run(small_networks.X).tolist() == (2 * small_networks.X).tolist()
    assert net._build_module_src == text


def test_trust_is_asked_for_once(path, unknown, executed, session, cache_dir):
    misc.load_pkl(path, trust_source=True)
    assert trusted_lines(cache_dir) == [f'{hashlib.sha256(unknown).hexdigest()}  network.pkl']
    misc.load_pkl(path)
    network_pickle.load(io.BytesIO(unknown))
    assert len(executed) == 6
    with pytest.raises(UserError, match='which is not among'):
        network_pickle.load(io.BytesIO(unknown + b'\n'))
    with pytest.raises(UserError, match='which is not among'):
        pickle.loads(unknown)


def test_a_file_that_cannot_be_loaded_is_not_remembered(unknown, executed, session, cache_dir):
    net = tflib.Network('net', func_name=small_networks.affine)
    for data in (unknown[:-9], dumps(stored(net, lambda state: {'variables': []}))):
        with pytest.raises(UserError):
            network_pickle.load(io.BytesIO(data), trust_source=True)
    assert not cache_dir.exists()


def test_known_functions_are_ours_even_with_trust(generator, executed):
    data = dumps(stored(generator))
    with fresh_session():
        G = network_pickle.load(io.BytesIO(data), trust_source=True)
        assert G._build_func is generator._build_func
    assert not executed


def test_trust_does_not_open_the_unpickler(executed, session):
    with pytest.raises(UserError, match='refused: the file asks for os.system'):
        network_pickle.load(io.BytesIO(b'cos\nsystem\n.'), trust_source=True)


# Scripts

@pytest.fixture
def generator_pkl(tmp_path, generator):
    """Write a generator with an unknown function to a file."""
    path = tmp_path / 'generator.pkl'
    path.write_bytes(dumps(stored(generator, lambda state: {
        'build_func_name': 'paint' if state['name'] == 'G' else state['build_func_name']})))
    return str(path)


def test_images_are_generated_with_trust(generator_pkl, generator, executed, tmp_path, monkeypatch):
    monkeypatch.setattr(small_networks, 'paint', generator._build_func, raising=False)
    flags = ['generate-images', f'--network={generator_pkl}', '--seeds=1', f'--result-dir={tmp_path}/runs']
    with fresh_session(), pytest.raises(UserError, match="built by 'paint'"):
        run_generator.main(flags)
    with fresh_session():
        run_generator.main([*flags, '--trust-source'])
    with fresh_session():
        run_generator.main(flags)
    assert [name for _, name in executed] == ['paint', 'paint']
    assert len(list(tmp_path.glob('runs/*/seed0001.png'))) == 2


def test_training_trusts_the_file_that_it_starts_from(path, unknown, tmp_path, monkeypatch, cache_dir):
    submitted = []
    monkeypatch.setattr(dnnlib, 'submit_run', lambda *args, **settings: submitted.append(settings))
    monkeypatch.setattr(run_training, 'check_files', lambda args, settings: None)
    (tmp_path / 'cats').mkdir()
    (tmp_path / 'cats' / 'cats-r02.tfrecords').touch()
    flags = [f'--data-dir={tmp_path}', '--dataset=cats', '--config=config-f', '--metrics=none']
    monkeypatch.setattr(submission, 'show_memory', lambda *args: None)
    run_training.main([*flags, f'--resume={path}', '--trust-source', '--dry-run'])
    run_training.main([*flags, f'--resume={path}'])
    assert not trust.is_trusted(hashlib.sha256(unknown).hexdigest())
    run_training.main([*flags, f'--resume={path}', '--trust-source'])
    assert trust.is_trusted(hashlib.sha256(unknown).hexdigest())
    assert submitted[0] == submitted[1]
    for resume in ([], ['--resume=https://example.com/network.pkl']):
        with pytest.raises(UserError, match='^--trust-source: expected the file or run directory'):
            run_training.main([*flags, *resume, '--trust-source'])
