"""Who may talk to the server: a page that was opened with the token, from this machine."""

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse

HOSTS = ('127.0.0.1', 'localhost')
_HEADERS = (
    (b'content-security-policy',
     b"default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; "
     b"frame-ancestors 'none'"),
    (b'cross-origin-resource-policy', b'same-origin'),
    (b'referrer-policy', b'no-referrer'),
    (b'x-content-type-options', b'nosniff'),
    (b'cache-control', b'no-store'),
)


class Guard:
    """ASGI middleware that answers 403 to requests without the token, or from pages of other origins.

    The first request has the token in its address and gets it as a cookie; all others bring the cookie. Names
    of hosts other than our own are refused, as those of attacks by DNS rebinding.
    """

    def __init__(self, app, token, port):
        """Guard an application that listens on a port."""
        self._app, self._token = app, token
        self._hosts = {f'{host}:{port}' for host in HOSTS} | (set(HOSTS) if port == 80 else set())
        self._cookie = f'explorer-{port}'  # Cookies do not distinguish ports.

    async def __call__(self, scope, receive, send):
        """Answer a request, or pass it on."""
        if scope['type'] != 'http':
            await self._app(scope, receive, send)
            return
        headers = {name.decode('latin-1'): value.decode('latin-1') for name, value in scope['headers']}
        problem = self._problem(scope, headers)
        answer = PlainTextResponse(problem, 403) if problem else self._app
        await answer(scope, receive, self._sending(send, sets_cookie=problem is None))

    def _problem(self, scope, headers):
        """Return why a request is refused; None if it is not."""
        if headers.get('host') not in self._hosts:
            return 'Unknown host.'
        origin = headers.get('origin')
        if origin is not None and origin.removeprefix('http://') not in self._hosts:
            return 'Requests of other pages are refused.'
        in_address = parse_qs(scope['query_string'].decode('latin-1')).get('token', [''])[-1]
        if not self._is_token(in_address) and not self._is_token(self._in_cookie(headers)):
            return 'Open the address that explorer.py printed, with its token.'
        return None

    def _in_cookie(self, headers):
        try:
            cookie = SimpleCookie(headers.get('cookie', '')).get(self._cookie)
        except CookieError:
            return ''
        return '' if cookie is None else cookie.value

    def _is_token(self, text):
        return hmac.compare_digest(text.encode('latin-1', 'replace'), self._token.encode())

    def _sending(self, send, sets_cookie):
        """Return `send` with headers that keep the page to itself, and the cookie."""
        cookie = f'{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/'
        extra = [*_HEADERS, *([(b'set-cookie', cookie.encode())] if sets_cookie else [])]

        async def send_more(message):
            if message['type'] == 'http.response.start':
                message = {**message, 'headers': [*message.get('headers', []), *extra]}
            await send(message)
        return send_more
