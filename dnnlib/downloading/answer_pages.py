"""Pages that a server, mostly Google Drive, sends instead of a file."""

import html.parser
import re
import urllib.parse

SMALL_BYTES = 8192  # Google Drive's pages are shorter
QUOTA = 'Google Drive download quota exceeded -- please try again later'

_DATA_NAME = re.compile(r'\.(pkl|pt|pth|pb|tgz|gz|zip|npz)$')


class _Confirmation(html.parser.HTMLParser):
    """Finds the `address` behind Google Drive's question about a file that it could not scan for viruses."""

    def __init__(self, page):
        super().__init__()
        self.address = None
        self._fields = None  # of the form, after its start
        self.feed(page)
        if self._fields:
            separator = '&' if '?' in self.address else '?'
            self.address += separator + urllib.parse.urlencode(self._fields)

    def handle_starttag(self, tag, attrs):
        """Look for the link, or the form and its fields."""
        attrs = {name: value or '' for name, value in attrs}
        if tag == 'a' and 'export=download' in attrs.get('href', ''):
            self.address = attrs['href']
        elif tag == 'form' and 'download' in attrs.get('action', ''):
            self.address, self._fields = attrs['action'], {}
        elif tag == 'input' and self._fields is not None and attrs.get('name'):
            self._fields[attrs['name']] = attrs.get('value', '')


def confirmed_url(url: str, body: bytes, headers) -> str | None:
    """Return the URL of the file if an answer is the virus page of Google Drive; otherwise None."""
    page = _text(body)
    if 'download_warning' not in headers.get('Set-Cookie', '') and 'id="download-form"' not in page:
        return None
    address = _Confirmation(page).address
    return address and urllib.parse.urljoin(url, address)


def objection(url: str, body: bytes, headers) -> str | None:
    """Return why an answer with this beginning is not the file; None if it may be the file."""
    if 'Google Drive - Quota exceeded' in _text(body):
        return QUOTA
    parsed = urllib.parse.urlparse(url)
    expects_data = _DATA_NAME.search(parsed.path) or (parsed.hostname or '').endswith('.google.com')
    if expects_data and headers.get('Content-Type', '').startswith('text/html'):
        return 'the server answered with a page instead of the file'
    return None


def _text(body):
    """Return a small body as text; '' for data."""
    if len(body) >= SMALL_BYTES:
        return ''
    try:
        return body.decode('utf-8')
    except UnicodeDecodeError:
        return ''
