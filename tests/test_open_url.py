"""Test is_url and open_url as published. test_downloads.py covers failing servers."""

import hashlib
import os
import re

import pytest

from dnnlib import util
from dnnlib.downloading import downloads
from dnnlib.util import DownloadError
from tests import download_server
from tests.download_server import answer


@pytest.fixture
def server(monkeypatch):
    """Run a server with `answers` {path: [answer, ...]} and the list `asked` of requested paths."""
    monkeypatch.setattr(downloads, 'FIRST_WAIT_SECONDS', 0)
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    with download_server.running() as running:
        yield running


def md5(text):
    return hashlib.md5(text.encode('utf-8')).hexdigest()


def test_is_url():
    for url in ('http://127.0.0.1:8000/x', 'https://a.b/c', 'ftp://a.b'):
        assert util.is_url(url)
    for other in ('http://localhost:8000/x', 'gdrive:networks/x.pkl', 'a.b/c', '://', 'http://[a.b', 3, None):
        assert not util.is_url(other)
    assert util.is_url('file:///a', allow_file_urls=True) and not util.is_url('file:///a')


def test_download_without_cache(server, capsys):
    server.answers['/x'] = [answer(b'data')]
    with util.open_url(server.url + '/x') as file:
        assert file.read() == b'data'
    first, last = capsys.readouterr().out.splitlines()
    assert first == f'Downloading {server.url}/x ...'
    assert re.fullmatch(r'Downloaded 0.0 MB in 0s \([0-9.]+ MB/s\)', last)


def test_quiet_download_prints_nothing(server, capsys):
    server.answers['/x'] = [answer(b'data')]
    util.open_url(server.url + '/x', verbose=False)
    assert capsys.readouterr().out == ''


def test_second_call_comes_from_the_cache(server, tmp_path):
    url, cache_dir = server.url + '/a%20b?c=d', tmp_path / 'new' / 'cache[1]'
    server.answers['/a%20b?c=d'] = [answer(b'data')]
    for _ in range(2):
        with util.open_url(url, cache_dir=str(cache_dir)) as file:
            assert file.read() == b'data'
    assert server.asked == ['/a%20b?c=d']
    safe_url = f'http___127.0.0.1_{server.server_port}_a_20b_c_d'
    assert os.listdir(cache_dir) == [f'{md5(url)}_{safe_url}']


def test_cached_file_has_the_name_that_the_server_gives(server, tmp_path):
    server.answers['/x'] = [answer(b'data', Content_Disposition='attachment; filename="../my net.pkl"')]
    util.open_url(server.url + '/x', cache_dir=str(tmp_path))
    assert os.listdir(tmp_path) == [f'{md5(server.url + "/x")}_.._my_net.pkl']


def test_cached_file_of_a_very_long_url_has_a_valid_name(server, tmp_path):
    path = '/x?token=' + 'a' * 500
    server.answers[path] = [answer(b'data')]
    for _ in range(2):
        util.open_url(server.url + path, cache_dir=str(tmp_path)).close()
    assert len(server.asked) == 1


def test_two_cached_files_are_ambiguous_so_that_the_server_is_asked(server, tmp_path):
    server.answers['/x'] = [answer(b'data')]
    for name in ('a', 'b'):
        (tmp_path / f'{md5(server.url + "/x")}_{name}').write_bytes(b'old')
    assert util.open_url(server.url + '/x', cache_dir=str(tmp_path)).read() == b'data'


def test_failed_attempts_are_repeated(server, capsys):
    cut_short = answer(b'dat', Content_Length='9')
    server.answers['/x'] = [answer(b'sorry', status=500), answer(b''), cut_short, answer(b'data')]
    assert util.open_url(server.url + '/x').read() == b'data'
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(';')[0] for line in lines[1:-1]] == [
        'Failed: the server answered 500 Internal Server Error', 'Failed: No data received',
        'Failed: the connection broke off']


def test_error_of_the_last_attempt_is_raised(server, tmp_path):
    server.answers['/x'] = [answer(status=500), answer(status=503)]
    with pytest.raises(DownloadError, match='the server answered 503') as caught:
        util.open_url(server.url + '/x', cache_dir=str(tmp_path), num_attempts=3)
    assert isinstance(caught.value, OSError)
    assert len(server.asked) == 3
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('body', [b'\x80\x02\xff binary', bytes(range(256)) * 64])
def test_binary_bodies_are_data(server, body):
    server.answers['/x'] = [answer(body)]
    assert util.open_url(server.url + '/x', num_attempts=1).read() == body


def test_file_urls_name_local_files(tmp_path, monkeypatch):
    (tmp_path / 'net.pkl').write_bytes(b'data')
    with util.open_url(f'file://{tmp_path}/net.pkl') as file:  # the path starts with the third slash
        assert file.read() == b'data'
    monkeypatch.chdir(tmp_path)
    with util.open_url('file:///net.pkl') as file:
        assert file.read() == b'data'
    with pytest.raises(FileNotFoundError):
        util.open_url('file:///missing.pkl')


def test_what_is_no_url_is_refused():
    with pytest.raises(AssertionError):
        util.open_url('net.pkl')
    with pytest.raises(AssertionError):
        util.open_url('http://a.b/c', num_attempts=0)
