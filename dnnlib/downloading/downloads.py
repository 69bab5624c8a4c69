"""Downloads: streamed to disk, continued where they broke off, checked, and renamed when they are complete.

While a file arrives it is `.tmp-<key>` in its folder, with what the server said of it in `.tmp-<key>.json`.
Both stay when a download is interrupted or fails: the next one continues there.
"""

import base64
import glob
import hashlib
import os
import re
import shutil
import tempfile
import time
import urllib.parse

import requests
import urllib3

from dnnlib.downloading import answer_pages
from dnnlib.downloading.partial_file import PartialFile
from dnnlib.files import NO_SPACE, TEMPORARY
from dnnlib.progress import Progress
from dnnlib.util import DownloadError, UserError, format_time

FIRST_WAIT_SECONDS = 0.5   # after the first failure; twice as long after each further one...
LONGEST_WAIT_SECONDS = 30  # ...up to this
CONNECT_SECONDS = 20
SILENCE_SECONDS = 60       # without any data from the server
OFFLINE_ATTEMPTS = 3       # where no connection was ever made, more of them would not help

_BLOCK_BYTES = 1 << 15  # what is lost at most where a connection breaks off
_PASSING = (408, 416, 425, 429)  # client errors that may be none the next time
_REASONS = [  # the first that fits counts
    (requests.exceptions.SSLError, 'the certificate of the server is not trusted'),
    (requests.exceptions.ProxyError, 'the proxy cannot be reached'),
    (requests.exceptions.ConnectTimeout, 'no connection'),
    (requests.exceptions.Timeout, f'no answer for {SILENCE_SECONDS} seconds'),
    (requests.ConnectionError, 'no connection'),
]
_BROKEN_OFF = 'the connection broke off'


class _FinalError(DownloadError):
    """A failure that another attempt would repeat."""


class _OtherAddress(DownloadError):
    """The answer is a page that says where the file is."""

    def __init__(self, url):
        super().__init__('Google Drive virus checker nag')
        self.url = url


def cached(url: str, cache_dir: str) -> str | None:
    """Path of the file of this URL in the folder. None where it is not there, or twice."""
    found = glob.glob(os.path.join(glob.escape(cache_dir), f'{_key(url)}_*'))
    return found[0] if len(found) == 1 else None


def place(url: str, cache_dir: str, name: str | None = None) -> str:
    """Path at which the file of a URL is found if it is put there by hand. `name`: of the file, if known."""
    name = re.sub(r'[^0-9a-zA-Z-._]', '_', name or _name_in(url))
    return os.path.join(cache_dir, f'{_key(url)}_{name[:200]}')  # file systems allow 255


def failure(url: str, cache_dir: str, reason: str, name: str | None = None) -> DownloadError:
    """The error of a download that failed for this reason; names the file, the URL and its `place`."""
    error = DownloadError(f'{name or _name_in(url)}: cannot be downloaded from {url} ({reason}); a copy from '
                          f'elsewhere is found as {place(url, cache_dir, name)}')
    error.reason = reason
    return error


def fetch(url: str, cache_dir: str, num_attempts: int = 10, verbose: bool = True) -> str:
    """Path of the file of a URL in the folder; it is downloaded unless it is there.

    A URL may end in `#sha256=<64 digits>`, which the file then has to have. Processes that want the same file
    wait for the first of them. Raises DownloadError if the file cannot be had, and UserError if the folder
    cannot be made.
    """
    try:
        os.makedirs(cache_dir, exist_ok=True)
    except OSError as error:
        raise UserError(f'{cache_dir}: cannot be created ({error.strerror}), but downloads are kept there; '
                        'choose another folder with --cache-dir or DNNLIB_CACHE_DIR') from error
    while True:
        path = cached(url, cache_dir)
        if path is not None:
            return _checked(path, url)
        on_wait = _tell_wait if verbose else lambda: None
        with PartialFile(os.path.join(cache_dir, TEMPORARY + _key(url)), on_wait) as partial:
            if partial is not None:  # else another process has finished it
                _fill(partial, url, cache_dir, num_attempts, verbose)
                return partial.rename(place(url, cache_dir, partial.facts.get('name') or _address(url)))


def _fill(partial, url, cache_dir, num_attempts, verbose):
    """Download what is missing of a partial file."""
    try:
        _Download(url, partial, verbose).run(num_attempts)
    except (requests.RequestException, DownloadError) as error:
        raise failure(_address(url), cache_dir, _reason(error), partial.facts.get('name')) from error
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise OSError(error.errno, os.strerror(error.errno), place(url, cache_dir)) from error


def open_uncached(url: str, num_attempts: int = 10, verbose: bool = True):
    """Binary file object with the contents of a URL, kept nowhere. Raises DownloadError if they cannot be
    had."""
    result = tempfile.TemporaryFile()  # noqa: SIM115
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = fetch(url, folder, num_attempts, verbose)
        except DownloadError as error:
            raise DownloadError(f'{url}: cannot be downloaded ({error.reason})') from error
        with open(path, 'rb') as file:
            shutil.copyfileobj(file, result)
    result.seek(0)
    return result


def _tell_wait():
    print('Another process is downloading this file; waiting for it.', flush=True)


def _address(url):
    """A URL without the SHA-256 at its end."""
    return url.partition('#')[0] if _wanted_digest(url) else url


def _wanted_digest(url):
    match = re.search('#sha256=([0-9a-fA-F]{64})$', url)
    return match and match[1].lower()


def _key(url):
    return hashlib.md5(_address(url).encode('utf-8')).hexdigest()


def _name_in(url):
    """What the file of a URL is called, as far as the URL tells."""
    parsed = urllib.parse.urlparse(_address(url))
    drive_id = urllib.parse.parse_qs(parsed.query).get('id', [''])[0]
    return drive_id or os.path.basename(parsed.path) or parsed.netloc


def _checked(path, url):
    """The path of a file that is there already. Raises DownloadError if it is not the one that is wanted."""
    wanted = _wanted_digest(url)
    if wanted is not None:
        with open(path, 'rb') as file:
            digest = hashlib.file_digest(file, 'sha256').hexdigest()
        if digest != wanted:
            raise DownloadError(f'{path}: its SHA-256 is {digest}, not {wanted}; delete the file to download '
                                'it again')
    return path


def _reason(error):
    """An error in a few words."""
    if isinstance(error, requests.HTTPError):
        return f'the server answered {error.response.status_code} {error.response.reason}'
    if isinstance(error, requests.RequestException) and not isinstance(error, ValueError):
        if isinstance(error, requests.ConnectionError) and _was_connected(error):
            return _BROKEN_OFF
        return next((text for kind, text in _REASONS if isinstance(error, kind)), type(error).__name__)
    return str(error)


def _was_connected(error):
    """Was there a connection before the error?"""
    return not (isinstance(error, requests.ConnectionError)
                and isinstance(error.args[0], urllib3.exceptions.MaxRetryError))


def _is_final(error):
    """Would another attempt end in the same way?"""
    if isinstance(error, requests.HTTPError):
        status = error.response.status_code
        return 400 <= status < 500 and status not in _PASSING
    return isinstance(error, (_FinalError, ValueError))  # ValueError: the address is none


def _megabytes(num_bytes):
    return f'{num_bytes / 1e6:.1f} MB'


class _Download:
    """One download into a PartialFile."""

    def __init__(self, url, partial, verbose):
        self._url = _address(url)   # where to ask next
        self._wanted = _wanted_digest(url)
        self._partial = partial
        self._verbose = verbose
        self._was_connected = False

    def _say(self, text):
        if self._verbose:
            print(text, flush=True)

    def run(self, num_attempts):
        """Download what is missing. Raises what the last attempt did."""
        self._say(f'Downloading {self._url} ...')
        start_seconds, start_bytes = time.monotonic(), self._partial.size
        with requests.Session() as session:
            attempt = 1
            while not self._succeeds(session, attempt, num_attempts):
                attempt += 1
        seconds = max(time.monotonic() - start_seconds, 1e-3)
        rate = _megabytes((self._partial.size - start_bytes) / seconds)
        self._say(f'Downloaded {_megabytes(self._partial.size)} in {format_time(seconds)} ({rate}/s)')

    def _succeeds(self, session, attempt, num_attempts):
        """One attempt, and the wait after it. Raises what there is no use in trying again."""
        try:
            self._attempt(session)
            return True
        except _OtherAddress as error:
            if attempt == num_attempts:
                raise
            self._url, self._was_connected = error.url, True
        except (requests.RequestException, DownloadError) as error:
            self._was_connected |= _was_connected(error)
            limit = num_attempts if self._was_connected else min(num_attempts, OFFLINE_ATTEMPTS)
            if attempt >= limit or _is_final(error):
                raise
            self._wait(attempt, error)
        except KeyboardInterrupt:
            self._say(f'{_megabytes(self._partial.size)} have arrived; the next call continues there')
            raise
        return False

    def _wait(self, attempt, error):
        seconds = min(FIRST_WAIT_SECONDS * 2 ** (attempt - 1), LONGEST_WAIT_SECONDS)
        self._say(f'Failed: {_reason(error)}; {_megabytes(self._partial.size)} have arrived, next attempt in '
                  f'{seconds:.1f} s')
        time.sleep(seconds)

    def _attempt(self, session):
        """Ask for what is missing, once. Raises DownloadError or RequestException unless all has come."""
        partial = self._partial
        continues = False
        with session.get(self._url, headers=self._headers(), stream=True,
                         timeout=(CONNECT_SECONDS, SILENCE_SECONDS)) as response:
            if response.status_code == 416 and partial.size != partial.facts.get('total'):
                partial.begin({})
            if response.status_code != 416 or partial.size == 0:  # else: all had arrived
                response.raise_for_status()
                continues = response.status_code == 206
                try:
                    self._receive(response)
                except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                    raise DownloadError(_BROKEN_OFF) from error
        self._check(continues)

    def _headers(self):
        """Of a request. Without compression, lengths and ranges are those of the file."""
        headers = {'Accept-Encoding': 'identity'}
        if self._partial.size > 0:
            headers['Range'] = f'bytes={self._partial.size}-'
            if self._partial.facts.get('validator'):
                headers['If-Range'] = self._partial.facts['validator']
        return headers

    def _receive(self, response):
        """Take the data of an answer."""
        partial = self._partial
        pieces = _pieces(response)
        if response.status_code == 206:
            self._check_range(response)
        else:
            beginning = self._beginning(response, pieces)
            partial.begin(_facts(response))
            partial.append(beginning)
        total = partial.facts.get('total')
        progress = Progress(total and round(total / 1e6, 1), 'MB', start=partial.size / 1e6, digits=1,
                            shows_rate=True)
        for piece in pieces:
            partial.append(piece)
            if self._verbose:
                progress.show(partial.size / 1e6)
        progress.clear()

    def _beginning(self, response, pieces):
        """The first bytes, enough to tell a page from a file. What there is already stays until then."""
        beginning = b''
        for piece in pieces:
            beginning += piece
            if len(beginning) >= answer_pages.SMALL_BYTES:
                break
        if not beginning:
            raise DownloadError('No data received')
        confirmed = answer_pages.confirmed_url(self._url, beginning, response.headers)
        if confirmed is not None:
            raise _OtherAddress(confirmed)
        objection = answer_pages.objection(self._url, beginning, response.headers)
        if objection is not None:
            raise _FinalError(objection)
        return beginning

    def _check_range(self, response):
        """Raise DownloadError if an answer is not the rest of the same file."""
        match = re.fullmatch(r'bytes (\d+)-\d+/(\d+|\*)', response.headers.get('Content-Range', ''))
        total = self._partial.facts.get('total')
        is_rest = match is not None and int(match[1]) == self._partial.size
        if not is_rest or (total is not None and match[2] not in ('*', str(total))):
            self._partial.begin({})
            raise DownloadError('the server has another file by now')

    def _check(self, continues):
        """Raise DownloadError unless the file is complete and the right one."""
        partial = self._partial
        size, total = partial.size, partial.facts.get('total')
        if total is not None and size != total:
            if size > total:
                partial.begin({})
            raise DownloadError(f'{size} bytes have arrived of {total}')
        wanted = self._wanted or partial.facts.get('sha256')
        digest = wanted and partial.digest()
        if digest != wanted:
            partial.begin({})
            # Two parts may be those of two files: then it is worth another attempt.
            raise (DownloadError if continues else _FinalError)(f'its SHA-256 is {digest}, not {wanted}')


def _pieces(response):
    """The data of an answer as they come."""
    if not _is_as_stored(response):
        return response.iter_content(_BLOCK_BYTES)
    return iter(lambda: response.raw.read(_BLOCK_BYTES, decode_content=False), b'')


def _is_as_stored(response):
    return response.headers.get('Content-Encoding', 'identity') == 'identity'


def _facts(response):
    """What to remember of the file that begins with an answer."""
    headers = response.headers
    etag, length = headers.get('ETag', ''), headers.get('Content-Length', '')
    name = re.search(r'filename="([^"]+)"', headers.get('Content-Disposition', ''))
    return {
        # A weak ETag does not promise the same bytes.
        'validator': etag if etag and not etag.startswith('W/') else headers.get('Last-Modified'),
        'total': int(length) if length.isdigit() and _is_as_stored(response) else None,
        'name': name and name[1],
        'sha256': _digest_in(headers),
    }


def _digest_in(headers):
    """SHA-256 of the whole file, where the server gives one (RFC 9530, RFC 3230)."""
    text = f'{headers.get("Repr-Digest", "")},{headers.get("Digest", "")}'
    match = re.search(r'\bsha-256=:?([A-Za-z0-9+/]{43}=)', text, re.IGNORECASE)
    return match and base64.b64decode(match[1]).hex()
