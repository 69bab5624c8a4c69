"""Test the cache folder: all kinds of files share it, and a flag or a variable sets it."""

import argparse
import os

import pytest

import dnnlib
import run_generator
import run_metrics
import run_training
from dnnlib import cli, util
from dnnlib.downloading import downloads
from dnnlib.pickles import trust
from dnnlib.util import DownloadError, UserError
from metrics import real_cache
from metrics.features import feature_networks
from training import misc
from training.data.official_files import OFFICIAL_URLS

KEY = 'stylegan:karras2019stylegan-cats-256x256.pkl'
NAME = 'vgg16'


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    """Start without a set folder or variables, with an empty home and current directory."""
    monkeypatch.setattr(util, '_cache_dir_override', None)
    monkeypatch.setenv('DNNLIB_CACHE_DIR', '')  # restores the variable after a flag has set it
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    monkeypatch.delenv(feature_networks.FOLDER_VARIABLE, raising=False)
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')


def use_flag(path):
    parser = argparse.ArgumentParser()
    cli.add_cache_dir(parser)
    args = parser.parse_args([f'--cache-dir={path}'])
    cli.use_cache_dir(args)
    assert vars(args) == {}


@pytest.fixture
def folders(monkeypatch):
    """Return a function that looks up or writes each kind of file. -> {kind: its folder}."""
    def ask():
        asked = []
        with monkeypatch.context() as patch:
            patch.setattr(dnnlib.util, 'open_url', lambda url, cache_dir: asked.append(cache_dir))
            misc.open_file_or_url('https://example.com/net.pkl')
        reals = real_cache.file_path('fid50k', False, dict(tfrecord_dir='cats'))
        real_cache.write(reals, [1.0], data='x')
        trust.remember('0' * 64, 'net.pkl')
        [listed] = [os.path.abspath(os.path.join(root, name)) for root, _, names in os.walk('..')
                    for name in names if name == 'trusted-sources.txt']
        source = feature_networks.SOURCES[NAME][0]
        path = downloads.place(source.url, util.cache_dir())
        with open(path, 'w') as file:
            file.write('a feature network')
        return {'networks': os.path.abspath(asked[0]), 'statistics': os.path.dirname(os.path.abspath(reals)),
                'trust': os.path.dirname(listed),
                'feature networks': os.path.dirname(os.path.abspath(source.find()))}
    return ask


@pytest.mark.parametrize('how', ['flag', 'relative flag', 'variable', 'function'])
def test_all_kinds_of_files_are_kept_in_the_folder_that_is_named(how, folders, tmp_path, monkeypatch):
    folder = str(tmp_path / 'kept')
    if how in ('flag', 'relative flag'):
        use_flag(folder if how == 'flag' else '../kept')
    elif how == 'variable':
        monkeypatch.setenv('DNNLIB_CACHE_DIR', folder)
    else:
        util.set_cache_dir(folder)
    assert folders() == dict.fromkeys(['networks', 'statistics', 'trust', 'feature networks'], folder)


def test_the_flag_wins_over_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv('DNNLIB_CACHE_DIR', '/elsewhere')
    use_flag(tmp_path)
    assert util.cache_dir() == str(tmp_path)


def test_without_a_name_files_are_where_published_code_has_them(folders, tmp_path):
    """The list of trusted sources is not in the current directory, where an archive could have put one."""
    kept = str(tmp_path / 'here' / '.stylegan2-cache')
    assert folders() == {'networks': kept, 'statistics': kept, 'feature networks': kept,
                         'trust': str(tmp_path / 'home' / '.cache' / 'dnnlib')}


class _Used(Exception):
    """Raised instead of running the rest of a script."""


@pytest.mark.parametrize('main, flags', [
    (run_generator.main, ['generate-images', '--network=net.pkl', '--seeds=1']),
    (run_generator.main, ['style-mixing-example', '--network=net.pkl', '--row-seeds=1', '--col-seeds=2']),
    (run_metrics.main, ['--network=net.pkl', '--data-dir=data', '--dataset=cats']),
    (run_training.main, ['--config=config-f', '--data-dir=data', '--dataset=cats']),
])
def test_every_script_heeds_the_flag_before_it_looks_for_files(main, flags, monkeypatch):
    def use(args):
        raise _Used(args.cache_dir)

    monkeypatch.setattr(cli, 'use_cache_dir', use)
    with pytest.raises(_Used, match='^kept$'):
        main([*flags, '--cache-dir=kept'])


@pytest.mark.parametrize('value', ['', 'file'])
def test_what_can_be_no_folder_is_refused(value, capsys):
    with open('file', 'w'):
        pass
    with pytest.raises(SystemExit):
        use_flag(value)
    assert f"--cache-dir: expected a folder, not '{value}'" in capsys.readouterr().err


@pytest.fixture
def offline(monkeypatch):
    """Make every download fail for lack of a connection."""
    def open_url(url, cache_dir):
        raise downloads.failure(url, cache_dir, 'no connection')

    monkeypatch.setattr(dnnlib.util, 'open_url', open_url)


def test_offline_the_error_names_file_url_and_path(offline):
    url = OFFICIAL_URLS[KEY]
    with pytest.raises(DownloadError) as caught:
        misc.open_file_or_url(url)
    path = downloads.place(url, '.stylegan2-cache', 'karras2019stylegan-cats-256x256.pkl')
    assert str(caught.value) == (f'karras2019stylegan-cats-256x256.pkl: cannot be downloaded from {url} '
                                 f'(no connection); to use a copy from elsewhere, store it as {path}')
    os.mkdir('.stylegan2-cache')
    with open(path, 'w') as file:
        file.write('there')
    assert downloads.cached(url, util.cache_dir()) == path


def test_offline_the_error_about_a_feature_network_names_both_places(offline):
    source = feature_networks.SOURCES[NAME][0]
    with pytest.raises(UserError) as caught:
        source.fetch()
    for text in (source.url, downloads.place(source.url, util.cache_dir()), 'vgg16.pkl',
                 feature_networks.FOLDER_VARIABLE, 'no connection'):
        assert text in str(caught.value)
