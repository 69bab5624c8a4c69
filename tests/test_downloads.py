"""Test downloads from a server on this machine that fails in every way: files are complete, or an error is
raised."""

import base64
import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading

import pytest
import requests

from dnnlib import util
from dnnlib.downloading import downloads
from dnnlib.downloading.partial_file import PartialFile
from dnnlib.util import DownloadError, UserError
from tests import download_server
from tests.download_server import answer, file
from tests.test_house import ROOT

DATA = bytes(range(256)) * 1000
OTHER = DATA[::-1]
SHA256 = hashlib.sha256(DATA).hexdigest()
QUOTA = b'<title>Google Drive - Quota exceeded</title>'
NAG = (b'<title>Google Drive - Virus scan warning</title><a href="/help">'
       b'<a id="uc-download-link" href="/uc?export=download&amp;confirm=t&amp;id=x">Download anyway</a>')
NAG_FORM = (b'<title>Google Drive - Virus scan warning</title>'
            b'<form id="download-form" action="/download" method="get">'
            b'<input type="submit" value="Download anyway"/><input type="hidden" name="id" value="x y">'
            b'<input type="hidden" name="export" value="download"></form>')


@pytest.fixture
def waits(monkeypatch):
    """Record the seconds of each wait instead of waiting."""
    seconds = []
    monkeypatch.setattr(downloads.time, 'sleep', seconds.append)
    return seconds


@pytest.fixture
def server(monkeypatch, waits):
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    with download_server.running() as server:
        yield server


@pytest.fixture
def fetch(server, tmp_path):
    """Return a function that downloads `/x.pkl` into `cache` from a server with these answers. ->
    contents."""
    def call(*answers, fragment='', **kwargs):
        server.answers['/x.pkl'] = list(answers)
        path = downloads.fetch(f'{server.url}/x.pkl{fragment}', str(tmp_path / 'cache'), **kwargs)
        with open(path, 'rb') as opened:
            return opened.read()
    return call


@pytest.fixture
def cache(tmp_path):
    return tmp_path / 'cache'


def partial_size(cache):
    """Return the number of bytes of the only partial file in the folder."""
    [path] = [path for path in cache.glob('.tmp-*') if path.suffix != '.json']
    return path.stat().st_size


# Resuming

@pytest.mark.parametrize('etag', [True, False])
def test_a_download_that_breaks_off_continues_there(server, fetch, cache, etag, capsys):
    broken = file(DATA, etag=etag, cut=100_000)
    assert fetch(broken, file(DATA, etag=etag, cut=50_000), file(DATA, etag=etag)) == DATA
    assert server.ranges[0] is None
    starts = [int(text.removeprefix('bytes=').removesuffix('-')) for text in server.ranges[1:]]
    assert 100_000 - (1 << 15) <= starts[0] <= 100_000 < starts[1]
    assert len(os.listdir(cache)) == 1
    output = capsys.readouterr().out
    assert 'Failed: the connection broke off; 0.1 MB have arrived, next attempt in 0.5 s' in output


def test_the_next_call_continues_where_the_last_one_failed(server, fetch, cache):
    with pytest.raises(DownloadError, match='the connection broke off'):
        fetch(file(DATA, cut=100_000), num_attempts=1)
    size = partial_size(cache)
    assert fetch(file(DATA)) == DATA
    assert server.ranges[-1] == f'bytes={size}-'
    assert len(os.listdir(cache)) == 1


@pytest.mark.parametrize('changed', [
    file(OTHER),                        # another ETag: the whole file is sent
    file(OTHER[:-1], etag=False),       # no ETag, but another length
    file(OTHER[:50_000], etag=False),   # shorter than the partial file
    file(OTHER, ranges=False),          # the server no longer supports ranges
], ids=['etag', 'length', 'shorter', 'no ranges'])
def test_a_file_that_has_changed_is_downloaded_anew(fetch, changed):
    has_etag = 'ETag' in changed['headers']
    assert fetch(file(DATA, etag=has_etag, cut=100_000), changed) == changed['body']


def test_a_server_that_sends_the_wrong_range_is_asked_for_the_whole_file(fetch):
    wrong = answer(DATA[7:], status=206, Content_Range=f'bytes 7-{len(DATA) - 1}/{len(DATA)}')
    assert fetch(file(DATA, cut=100_000), wrong, file(DATA)) == DATA


def test_weak_etags_do_not_vouch_for_a_file(server, fetch):
    weak = dict(etag=False, ETag='W/"1"', Last_Modified='Wed, 21 Oct 2015 07:28:00 GMT')
    later = {**weak, 'Last_Modified': 'Wed, 21 Oct 2025 07:28:00 GMT'}
    assert fetch(file(DATA, cut=100_000, **weak), file(OTHER, **later)) == OTHER


def test_what_had_arrived_completely_is_only_renamed(server, fetch, cache):
    url = f'{server.url}/x.pkl'
    cache.mkdir()
    partial = cache / ('.tmp-' + hashlib.md5(url.encode()).hexdigest())
    partial.write_bytes(DATA)
    facts = {'total': len(DATA), 'validator': file(DATA)['headers']['ETag']}
    (cache / f'{partial.name}.json').write_text(json.dumps(facts))
    assert fetch(file(DATA)) == DATA
    assert len(server.asked) == 1


@pytest.mark.parametrize('facts', [None, 'no JSON', '[1]', '{}'])
def test_a_part_of_which_nothing_is_known_is_not_continued(server, fetch, cache, facts):
    cache.mkdir()
    partial = cache / ('.tmp-' + hashlib.md5(f'{server.url}/x.pkl'.encode()).hexdigest())
    partial.write_bytes(b'something')
    if facts is not None:
        (cache / f'{partial.name}.json').write_text(facts)
    assert fetch(file(DATA)) == DATA
    assert server.ranges == [None]


DOWNLOAD = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # as from a terminal
from dnnlib.downloading import downloads
print('at', downloads.fetch(sys.argv[1], sys.argv[2]))
"""


def start_download(url, cache):
    return subprocess.Popen([sys.executable, '-c', DOWNLOAD, url, str(cache)], cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_data(process, cache):
    """Wait until the process has written some data."""
    while process.poll() is None:
        if any(path.stat().st_size > 0 for path in cache.glob('.tmp-*') if path.suffix != '.json'):
            return
        threading.Event().wait(0.02)
    raise AssertionError(process.stderr.read())


@pytest.mark.parametrize('kind', [signal.SIGINT, signal.SIGKILL])
def test_another_process_continues_what_an_interrupted_one_has_left(server, fetch, cache, kind):
    url = f'{server.url}/x.pkl'
    server.answers['/x.pkl'] = [file(DATA, pause=0.3)]
    process = start_download(url, cache)
    wait_for_data(process, cache)
    process.send_signal(kind)
    output, errors = process.communicate(timeout=60)
    size = partial_size(cache)
    assert 0 < size < len(DATA)
    if kind == signal.SIGINT:
        assert 'KeyboardInterrupt' in errors
        assert 'MB have arrived; the next call resumes there' in output
    assert fetch(file(DATA)) == DATA
    assert server.ranges == [None, f'bytes={size}-']


def test_what_is_written_stays_though_the_interruption_comes_before_it_is_counted(tmp_path):
    path = str(tmp_path / 'part')
    with pytest.raises(KeyboardInterrupt), PartialFile(path, None) as partial:
        partial.begin({'total': 2 * len(DATA)})
        partial._file.write(DATA)
        raise KeyboardInterrupt
    with PartialFile(path, None) as partial:
        assert partial.size == len(DATA)


def test_processes_that_want_the_same_file_wait_for_the_first_of_them(server, fetch, cache):
    server.answers['/x.pkl'] = [file(DATA, pause=0.03)]
    processes = [start_download(f'{server.url}/x.pkl', cache) for _ in range(3)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert len({output.splitlines()[-1] for output, _ in outputs}) == 1
    assert server.asked == ['/x.pkl']
    assert fetch(file(OTHER)) == DATA


def test_who_waited_in_vain_downloads_the_file_itself(server, fetch, cache):
    """The first process dies during the download."""
    server.answers['/x.pkl'] = [file(DATA, pause=0.3), file(DATA)]
    first = start_download(f'{server.url}/x.pkl', cache)
    wait_for_data(first, cache)
    second = start_download(f'{server.url}/x.pkl', cache)
    assert 'Another process is downloading this file; waiting for it.' in second.stdout.readline()
    first.kill()
    first.communicate()
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert server.ranges[1] is not None
    assert fetch(file(OTHER)) == DATA


# Failures

def test_the_wait_grows_with_each_failure_up_to_a_limit(fetch, waits):
    assert fetch(*[answer(status=503)] * 8, file(DATA)) == DATA
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize('status', [401, 403, 404, 410])
def test_a_file_that_is_not_there_is_not_asked_for_again(server, fetch, status):
    with pytest.raises(DownloadError, match=f'the server answered {status} '):
        fetch(answer(status=status))
    assert len(server.asked) == 1


def test_without_a_connection_the_error_comes_soon_and_says_where_a_copy_would_be_found(tmp_path, waits):
    url = 'http://127.0.0.1:9/networks/cats.pkl'
    with pytest.raises(DownloadError) as caught:
        downloads.fetch(url, str(tmp_path))
    path = tmp_path / f'{hashlib.md5(url.encode()).hexdigest()}_cats.pkl'
    assert str(caught.value) == (f'cats.pkl: cannot be downloaded from {url} (no connection); to use a copy '
                                 f'from elsewhere, store it as {path}')
    assert len(waits) == 2
    assert os.listdir(tmp_path) == []
    path.write_bytes(DATA)
    assert downloads.fetch(url, str(tmp_path)) == str(path)


def test_a_server_that_vanishes_in_the_middle_and_comes_back_is_asked_again(monkeypatch, fetch, server):
    get, calls = requests.Session.get, []

    def gone(session, *args, **kwargs):
        calls.append(args)
        if 2 <= len(calls) <= 5:
            return get(session, 'http://127.0.0.1:9/', **{**kwargs, 'timeout': 5})
        return get(session, *args, **kwargs)

    monkeypatch.setattr(requests.Session, 'get', gone)
    assert fetch(file(DATA, cut=100_000), file(DATA)) == DATA
    assert len(calls) == 6


def test_a_slow_server_is_waited_for(fetch, monkeypatch, capsys):
    monkeypatch.setattr('dnnlib.progress.SECONDS_OF_SILENCE', 0)
    monkeypatch.setattr('dnnlib.progress.SECONDS_BETWEEN_LINES', 0)
    assert fetch(file(DATA, pause=0.02)) == DATA
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('Downloading http://')
    pattern = r'0\.[0-3] / 0\.3 MB, [0-9.]+ MB/s, about \d+s left'
    assert all(re.fullmatch(pattern, line) for line in lines[1:-1])
    assert len(lines) > 3
    assert lines[-1].startswith('Downloaded 0.3 MB in ')


def test_a_silent_server_is_given_up(fetch, monkeypatch):
    monkeypatch.setattr(downloads, 'SILENCE_SECONDS', 0.1)
    assert fetch(file(DATA, pause=0.5), file(DATA)) == DATA


@pytest.mark.parametrize('ranges', [True, False])
@pytest.mark.parametrize('told', [len(DATA) + 1, 10 * len(DATA)])
def test_fewer_bytes_than_the_server_has_told_are_an_error(fetch, cache, told, ranges):
    with pytest.raises(DownloadError, match='x.pkl: cannot be downloaded from .*/x.pkl'):
        fetch(file(DATA, etag=False, ranges=ranges, Content_Length=str(told)), num_attempts=4)
    assert not list(cache.glob('[!.]*'))


def test_more_bytes_than_the_server_has_told_are_noticed_where_the_checksum_is_known(fetch):
    with pytest.raises(DownloadError, match='its SHA-256 is'):
        fetch(file(DATA, Content_Length='1000'), fragment=f'#sha256={SHA256}')


def test_without_a_length_all_that_comes_is_the_file(fetch):
    assert fetch(file(DATA, Content_Length=None)) == DATA


def test_an_empty_answer_is_an_error(fetch):
    with pytest.raises(DownloadError, match='No data received'):
        fetch(file(b''), num_attempts=2)


# Checksums

@pytest.mark.parametrize('header', ['Repr_Digest', 'Digest'])
def test_the_checksum_that_the_server_gives_is_checked(fetch, cache, header):
    def digest(data):
        text = base64.b64encode(hashlib.sha256(data).digest()).decode()
        return {header: f'sha-512=AA==,sha-256=:{text}:' if header == 'Repr_Digest' else f'SHA-256={text}'}

    with pytest.raises(DownloadError, match=f'its SHA-256 is {SHA256}, not '):
        fetch(file(DATA, **digest(OTHER)))
    assert os.listdir(cache) == []
    assert fetch(file(DATA, **digest(DATA))) == DATA


def test_a_url_may_name_the_checksum(server, fetch, cache):
    with pytest.raises(DownloadError, match='its SHA-256 is'):
        fetch(file(OTHER), fragment=f'#sha256={SHA256}')
    assert len(server.asked) == 1, 'it would be the same once more'
    assert fetch(file(DATA), fragment=f'#sha256={SHA256.upper()}') == DATA
    assert fetch(file(OTHER)) == DATA, 'the checksum is no part of the key'
    with pytest.raises(DownloadError, match='delete the file to download it again'):
        fetch(file(OTHER), fragment=f'#sha256={"0" * 64}')


def test_parts_of_two_files_are_noticed_and_the_file_is_downloaded_anew(fetch):
    mixed = [file(OTHER, etag=False, cut=100_000), file(DATA, etag=False), file(DATA, etag=False)]
    assert fetch(*mixed, fragment=f'#sha256={SHA256}') == DATA


# Google Drive

@pytest.mark.parametrize('page, address', [
    (NAG, '/uc?export=download&confirm=t&id=x'), (NAG_FORM, '/download?id=x+y&export=download')])
def test_the_file_behind_the_page_about_viruses_is_downloaded(server, fetch, waits, page, address):
    server.answers[address] = [file(DATA)]
    cookie = {'Set_Cookie': 'download_warning_1=t'} if page is NAG else {}
    assert fetch(answer(page, Content_Type='text/html; charset=utf-8', **cookie)) == DATA
    assert server.asked == ['/x.pkl', address]
    assert waits == []


def test_the_file_behind_that_page_continues_too(server, fetch):
    page = answer(NAG_FORM)
    server.answers['/download?id=x+y&export=download'] = [file(DATA, cut=100_000), file(DATA)]
    with pytest.raises(DownloadError, match='broke off'):
        fetch(page, num_attempts=2)
    assert fetch(page) == DATA
    assert server.ranges[-1] is not None and server.ranges[-1] == server.ranges[-2]


@pytest.mark.parametrize('before', [[], [file(DATA, cut=100_000)]], ids=['at once', 'later'])
def test_the_page_about_quotas_is_an_error_and_takes_nothing_away(server, fetch, cache, before):
    with pytest.raises(DownloadError, match='Google Drive download quota exceeded -- please try again later'):
        fetch(*before, answer(QUOTA))
    assert len(server.asked) == 1 + len(before)
    if before:
        assert partial_size(cache) > 0
        assert fetch(file(DATA)) == DATA
        assert server.ranges[-1] is not None


def test_a_page_is_no_network(fetch, cache):
    """The Wi-Fi of a hotel, for example, may answer any request with a login page."""
    page = b'<html>Please log in</html>' + b' ' * 9000
    with pytest.raises(DownloadError, match='answered with a page instead of the file'):
        fetch(answer(page, Content_Type='text/html'))
    assert os.listdir(cache) == []


# Folders

def test_a_full_disk_ends_the_download_at_once(fetch, server, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, 'x')

    monkeypatch.setattr(PartialFile, 'append', full)
    with pytest.raises(OSError) as caught:
        fetch(file(DATA))
    assert caught.value.errno == errno.ENOSPC and caught.value.filename.endswith('_x.pkl')
    assert len(server.asked) == 1


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(UserError, match='file/cache: cannot be created .*--cache-dir or DNNLIB_CACHE_DIR'):
        downloads.fetch(server.url + '/x.pkl', str(tmp_path / 'file' / 'cache'))


def test_a_download_without_cache_leaves_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    server.answers['/x.pkl'] = [file(DATA)]
    with util.open_url(server.url + '/x.pkl', verbose=False) as opened:
        assert opened.read() == DATA
    assert os.listdir(tmp_path) == []
    server.answers['/y.pkl'] = [answer(status=404)]
    with pytest.raises(DownloadError, match=r'/y.pkl: cannot be downloaded \(the server answered 404 Not'):
        util.open_url(server.url + '/y.pkl')
