"""Downloads files: streamed to disk, resumed after interruptions, verified, renamed when they are complete.

An incomplete file is `.tmp-<key>` in its folder, and what the server said about it is `.tmp-<key>.json`. Both
stay when a download is interrupted or fails, and the next one resumes there.
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

FIRST_WAIT_SECONDS = 0.5   # after the first failure, doubled after every further one...
LONGEST_WAIT_SECONDS = 30  # ...up to this
CONNECT_SECONDS = 20
SILENCE_SECONDS = 60       # without any data from the server
OFFLINE_ATTEMPTS = 3       # if no connection was ever made

_BLOCK_BYTES = 1 << 15  # the most that is lost if a connection breaks
_TRANSIENT = (408, 416, 425, 429)  # client errors that may pass
_REASONS = [  # the first match counts
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
    """The answer is a page with the address of the file."""

    def __init__(self, url):
        super().__init__('Google Drive virus checker nag')
        self.url = url


def cached(url: str, cache_dir: str) -> str | None:
    """Return the path of the file of a URL in the folder; None if it is missing or ambiguous."""
    found = glob.glob(os.path.join(glob.escape(cache_dir), f'{_key(url)}_*'))
    return found[0] if len(found) == 1 else None


def place(url: str, cache_dir: str, name: str | None = None) -> str:
    """Return the path under which the file of a URL is kept. `name`: the name of the file, if known."""
    name = re.sub(r'[^0-9a-zA-Z-._]', '_', name or _name_in(url))
    return os.path.join(cache_dir, f'{_key(url)}_{name[:200]}')  # file systems allow 255


def failure(url: str, cache_dir: str, reason: str, name: str | None = None) -> DownloadError:
    """Return the error of a failed download, which names the file, the URL, the reason and the `place`."""
    error = DownloadError(f'{name or _name_in(url)}: cannot be downloaded from {url} ({reason}); to use a '
                          f'copy from elsewhere, store it as {place(url, cache_dir, name)}')
    error.reason = reason
    return error


def fetch(url: str, cache_dir: str, num_attempts: int = 10, verbose: bool = True) -> str:
    """Return the path of the file of a URL in the folder, after downloading it if necessary.

    The file must match a `#sha256=<64 digits>` at the end of the URL. Processes that want the same file wait
    for the first of them. Raises DownloadError if the download fails, and UserError if the folder cannot be
    created.
    """
    try:
        os.makedirs(cache_dir, exist_ok=True)
    except OSError as error:
        raise UserError(f'{cache_dir}: cannot be created for downloads ({error.strerror}); choose another '
                        'folder with --cache-dir or DNNLIB_CACHE_DIR') from error
    while True:
        path = cached(url, cache_dir)
        if path is not None:
            return _checked(path, url)
        with PartialFile(os.path.join(cache_dir, TEMPORARY + _key(url)), verbose) as partial:
            if partial is not None:  # otherwise another process has finished it
                return _complete(partial, url, cache_dir, num_attempts, verbose)


def _complete(partial, url, cache_dir, num_attempts, verbose):
    """Download what is missing of a partial file, and return its path afterwards."""
    try:
        _Download(url, partial, verbose).run(num_attempts)
    except (requests.RequestException, DownloadError) as error:
        raise failure(_address(url), cache_dir, _reason(error), partial.facts.get('name')) from error
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise OSError(error.errno, os.strerror(error.errno), place(url, cache_dir)) from error
    return partial.rename(place(url, cache_dir, partial.facts.get('name') or _address(url)))


def open_uncached(url: str, num_attempts: int = 10, verbose: bool = True):
    """Open the contents of a URL as a binary file without keeping them. Raises DownloadError."""
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


def _address(url):
    """Return a URL without the SHA-256 at its end."""
    return url.partition('#')[0] if _wanted_digest(url) else url


def _wanted_digest(url):
    match = re.search('#sha256=([0-9a-fA-F]{64})$', url)
    return match and match[1].lower()


def _key(url):
    return hashlib.md5(_address(url).encode('utf-8')).hexdigest()


def _name_in(url):
    """Return the name of the file of a URL, as far as the URL contains it."""
    parsed = urllib.parse.urlparse(_address(url))
    drive_id = urllib.parse.parse_qs(parsed.query).get('id', [''])[0]
    return drive_id or os.path.basename(parsed.path) or parsed.netloc


def _checked(path, url):
    """Return the path of an existing file. Raises DownloadError if its SHA-256 is not that of the URL."""
    wanted = _wanted_digest(url)
    if wanted is not None:
        with open(path, 'rb') as file:
            digest = hashlib.file_digest(file, 'sha256').hexdigest()
        if digest != wanted:
            raise DownloadError(f'{path}: its SHA-256 is {digest}, not {wanted}; delete the file to download '
                                'it again')
    return path


def _reason(error):
    """Describe an error in a few words."""
    if isinstance(error, requests.HTTPError):
        return f'the server answered {error.response.status_code} {error.response.reason}'
    if isinstance(error, requests.RequestException) and not isinstance(error, ValueError):
        if isinstance(error, requests.ConnectionError) and _was_connected(error):
            return _BROKEN_OFF
        return next((text for kind, text in _REASONS if isinstance(error, kind)), type(error).__name__)
    return str(error)


def _was_connected(error):
    """Return whether there was a connection before the error."""
    return not (isinstance(error, requests.ConnectionError)
                and isinstance(error.args[0], urllib3.exceptions.MaxRetryError))


def _is_final(error):
    """Return whether another attempt would fail in the same way."""
    if isinstance(error, requests.HTTPError):
        status = error.response.status_code
        return 400 <= status < 500 and status not in _TRANSIENT
    return isinstance(error, (_FinalError, ValueError))  # ValueError: malformed address


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
        """Download what is missing. Raises the error of the last attempt."""
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
        """Make one attempt, and wait after a failure. Raises errors that make further attempts useless."""
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
            seconds = min(FIRST_WAIT_SECONDS * 2 ** (attempt - 1), LONGEST_WAIT_SECONDS)
            self._say(f'Failed: {_reason(error)}; {_megabytes(self._partial.size)} have arrived, next '
                      f'attempt in {seconds:.1f} s')
            time.sleep(seconds)
        except KeyboardInterrupt:
            self._say(f'{_megabytes(self._partial.size)} have arrived; the next call resumes there')
            raise
        return False

    def _attempt(self, session):
        """Request what is missing. Raises DownloadError or RequestException unless all of it arrives."""
        partial = self._partial
        continues = False
        with session.get(self._url, headers=self._headers(), stream=True,
                         timeout=(CONNECT_SECONDS, SILENCE_SECONDS)) as response:
            if response.status_code == 416 and partial.size != partial.facts.get('total'):
                partial.begin({})
            if response.status_code != 416 or partial.size == 0:  # else everything had arrived
                response.raise_for_status()
                continues = response.status_code == 206
                try:
                    self._receive(response)
                except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                    raise DownloadError(_BROKEN_OFF) from error
        self._check(continues)

    def _headers(self):
        """Return the headers of a request. Without compression, lengths and ranges apply to the file."""
        headers = {'Accept-Encoding': 'identity'}
        if self._partial.size > 0:
            headers['Range'] = f'bytes={self._partial.size}-'
            if self._partial.facts.get('validator'):
                headers['If-Range'] = self._partial.facts['validator']
        return headers

    def _receive(self, response):
        """Append the data of an answer."""
        partial = self._partial
        pieces = response.iter_content(_BLOCK_BYTES)
        if _is_as_stored(response):
            pieces = iter(lambda: response.raw.read(_BLOCK_BYTES, decode_content=False), b'')
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
        """Return the first bytes, enough to tell a page from a file, before earlier data is dropped."""
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
        """Raise DownloadError unless an answer is the rest of the same file."""
        match = re.fullmatch(r'bytes (\d+)-\d+/(\d+|\*)', response.headers.get('Content-Range', ''))
        total = self._partial.facts.get('total')
        is_rest = match is not None and int(match[1]) == self._partial.size
        if not is_rest or (total is not None and match[2] not in ('*', str(total))):
            self._partial.begin({})
            raise DownloadError('the file on the server has changed')

    def _check(self, continues):
        """Raise DownloadError unless the file is complete and has the expected SHA-256."""
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
            # Parts of two files are worth another attempt.
            raise (DownloadError if continues else _FinalError)(f'its SHA-256 is {digest}, not {wanted}')


def _is_as_stored(response):
    return response.headers.get('Content-Encoding', 'identity') == 'identity'


def _facts(response):
    """Return what to remember about the file that an answer starts."""
    headers = response.headers
    etag, length = headers.get('ETag', ''), headers.get('Content-Length', '')
    name = re.search(r'filename="([^"]+)"', headers.get('Content-Disposition', ''))
    digests = f'{headers.get("Repr-Digest", "")},{headers.get("Digest", "")}'  # RFC 9530, RFC 3230
    sha256 = re.search(r'\bsha-256=:?([A-Za-z0-9+/]{43}=)', digests, re.IGNORECASE)
    return {
        # A weak ETag does not guarantee the same bytes.
        'validator': etag if etag and not etag.startswith('W/') else headers.get('Last-Modified'),
        'total': int(length) if length.isdigit() and _is_as_stored(response) else None,
        'name': name and name[1],
        'sha256': sha256 and base64.b64decode(sha256[1]).hex(),
    }
