"""is_url and open_url, against a server on this machine."""

import hashlib
import http.server
import os
import threading

import pytest
import requests

from dnnlib import util


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the next of `server.answers` for the path, the last one again and again."""

    def do_GET(self):
        self.server.asked.append(self.path)
        answers = self.server.answers[self.path]
        status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in {'Content-Length': str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Quiet."""


@pytest.fixture
def server(monkeypatch):
    """Server with `answers` {path: [(status, headers, body), ...]} and `asked`, the paths so far."""
    monkeypatch.setattr(util, '_RETRY_DELAY_SECONDS', 0)
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as running:
        running.answers, running.asked = {}, []
        running.url = f'http://127.0.0.1:{running.server_port}'
        thread = threading.Thread(target=running.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def md5(text):
    return hashlib.md5(text.encode('utf-8')).hexdigest()


def test_is_url():
    assert util.is_url('http://127.0.0.1:8000/x') and util.is_url('https://a.b/c') and util.is_url('ftp://a.b')
    for other in ('http://localhost:8000/x', 'gdrive:networks/x.pkl', 'a.b/c', '://', 'http://[a.b', 3, None):
        assert not util.is_url(other)
    assert util.is_url('file:///a', allow_file_urls=True) and not util.is_url('file:///a')


def test_download_without_cache(server, capsys):
    server.answers['/x'] = [(200, {}, b'data')]
    with util.open_url(server.url + '/x') as file:
        assert file.read() == b'data'
    assert capsys.readouterr().out == f'Downloading {server.url}/x ... done\n'


def test_quiet_download_prints_nothing(server, capsys):
    server.answers['/x'] = [(200, {}, b'data')]
    util.open_url(server.url + '/x', verbose=False)
    assert capsys.readouterr().out == ''


def test_second_call_comes_from_the_cache(server, tmp_path):
    url, cache_dir = server.url + '/a%20b?c=d', tmp_path / 'new' / 'cache[1]'
    server.answers['/a%20b?c=d'] = [(200, {}, b'data')]
    for _ in range(2):
        with util.open_url(url, cache_dir=str(cache_dir)) as file:
            assert file.read() == b'data'
    assert server.asked == ['/a%20b?c=d']
    safe_url = f'http___127.0.0.1_{server.server_port}_a_20b_c_d'
    assert os.listdir(cache_dir) == [f'{md5(url)}_{safe_url}']


def test_cached_file_has_the_name_that_the_server_gives(server, tmp_path):
    server.answers['/x'] = [(200, {'Content-Disposition': 'attachment; filename="../my net.pkl"'}, b'data')]
    util.open_url(server.url + '/x', cache_dir=str(tmp_path))
    assert os.listdir(tmp_path) == [f'{md5(server.url + "/x")}_.._my_net.pkl']


def test_cached_file_of_a_very_long_url_has_a_valid_name(server, tmp_path):
    path = '/x?token=' + 'a' * 500
    server.answers[path] = [(200, {}, b'data')]
    for _ in range(2):
        util.open_url(server.url + path, cache_dir=str(tmp_path)).close()
    assert len(server.asked) == 1


def test_two_cached_files_are_ambiguous_so_that_the_server_is_asked(server, tmp_path):
    server.answers['/x'] = [(200, {}, b'data')]
    for name in ('a', 'b'):
        (tmp_path / f'{md5(server.url + "/x")}_{name}').write_bytes(b'old')
    assert util.open_url(server.url + '/x', cache_dir=str(tmp_path)).read() == b'data'


def test_failed_attempts_are_repeated(server, capsys):
    cut_short = (200, {'Content-Length': '9'}, b'dat')
    server.answers['/x'] = [(500, {}, b'sorry'), (200, {}, b''), cut_short, (200, {}, b'data')]
    assert util.open_url(server.url + '/x').read() == b'data'
    assert capsys.readouterr().out == f'Downloading {server.url}/x ...... done\n'


def test_error_of_the_last_attempt_is_raised(server, tmp_path, capsys):
    server.answers['/x'] = [(404, {}, b'no')]
    with pytest.raises(requests.HTTPError, match='404'):
        util.open_url(server.url + '/x', cache_dir=str(tmp_path / 'cache'), num_attempts=3)
    assert len(server.asked) == 3
    assert capsys.readouterr().out == f'Downloading {server.url}/x ..... failed\n'
    assert not os.path.exists(tmp_path / 'cache')


def test_empty_body_is_an_error(server):
    server.answers['/x'] = [(200, {}, b'')]
    with pytest.raises(OSError, match='No data received'):
        util.open_url(server.url + '/x', num_attempts=1)


def test_unreachable_server_is_an_error(server):
    with pytest.raises(requests.ConnectionError):
        util.open_url('http://127.0.0.1:9/x', num_attempts=2)


@pytest.mark.parametrize('body', [b'\x80\x02\xff binary', bytes(range(256)) * 64])
def test_binary_bodies_are_data(server, body):
    server.answers['/x'] = [(200, {}, body)]
    assert util.open_url(server.url + '/x', num_attempts=1).read() == body


def test_confirmation_link_of_google_drive_is_followed(server, tmp_path):
    nag = b'<a href="/help"><a id="download" href="/uc?export=download&amp;confirm=t">'
    server.answers['/x'] = [(200, {'Set-Cookie': 'download_warning_1=t'}, nag)]
    server.answers['/uc?export=download&confirm=t'] = [(200, {}, b'data')]
    assert util.open_url(server.url + '/x', cache_dir=str(tmp_path)).read() == b'data'
    assert server.asked == ['/x', '/uc?export=download&confirm=t']
    assert os.listdir(tmp_path)[0].startswith(md5(server.url + '/x') + '_')


def test_quota_page_of_google_drive_is_an_error(server):
    server.answers['/x'] = [(200, {}, b'<title>Google Drive - Quota exceeded</title>')]
    with pytest.raises(OSError, match='Google Drive download quota exceeded -- please try again later'):
        util.open_url(server.url + '/x', num_attempts=1)


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
