"""Where feature networks come from, and that their files are trusted before anything inside is run."""

import hashlib

import pytest

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.util import UserError
from metrics import feature_networks
from tests import small_networks
from training import misc

NAME = 'inception_v3_features'
URL = 'https://nvlabs-fi-cdn.nvidia.com/stylegan/networks/metrics/inception_v3_features.pkl'


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path):
    """Empty caches, and a folder for networks that are there already."""
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'trust'))
    monkeypatch.setattr(misc, 'CACHE_DIR', str(tmp_path / 'cache'))
    monkeypatch.setenv(feature_networks.FOLDER_VARIABLE, str(tmp_path))


@pytest.fixture
def path(tmp_path, session):
    """A network file in the folder."""
    path = tmp_path / 'inception_v3_features.pkl'
    misc.save_pkl(tflib.Network('net', func_name=small_networks.twice), str(path))
    return path


def test_a_file_is_refused_until_it_is_trusted(path, monkeypatch):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert feature_networks.missing([NAME]) == f'{path} is not trusted (run_metrics.py --trust-source)'
    with pytest.raises(UserError, match=rf'^{path}: .*{URL}, SHA-256 {digest}.*--trust-source'):
        feature_networks.load(NAME)
    feature_networks.give_trust([NAME])
    assert feature_networks.missing([NAME]) is None
    assert feature_networks.checksum(NAME) == digest
    assert feature_networks.load(NAME).input_shape == [None, 2]
    misc.save_pkl(tflib.Network('other', func_name=small_networks.twice), str(path))
    assert feature_networks.missing([NAME]) is not None, 'another file under that name'


def test_a_download_of_before_is_found(path, tmp_path, monkeypatch):
    monkeypatch.delenv(feature_networks.FOLDER_VARIABLE)
    assert feature_networks.missing([NAME]).startswith('inception_v3_features.pkl is neither in ')
    (tmp_path / 'cache').mkdir()
    cached = tmp_path / 'cache' / f'{hashlib.md5(URL.encode()).hexdigest()}_inception_v3_features.pkl'
    path.rename(cached)
    feature_networks.give_trust([NAME])
    assert feature_networks.missing([NAME]) is None
    with open(cached, 'rb') as file:
        assert dnnlib.util.open_url(URL, cache_dir=misc.CACHE_DIR).read() == file.read()


def test_without_a_connection_the_error_names_the_folder(monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError('no route')

    monkeypatch.setattr(dnnlib.util, 'open_url', fail)
    folder = feature_networks.FOLDER_VARIABLE
    with pytest.raises(UserError, match=f'^{URL}: cannot be downloaded .* {folder}$'):
        feature_networks.require([NAME])


def test_there_is_a_classifier_for_every_attribute():
    assert len(feature_networks.CLASSIFIERS) == 40
    assert feature_networks.CLASSIFIERS[19] == 'celebahq-classifier-19-eyeglasses'
