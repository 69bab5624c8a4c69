"""Run a web server on this machine that fails in the ways in which servers on the Internet do."""

import contextlib
import hashlib
import http.server
import re
import socket
import threading


def answer(body=b'', status=200, cut=None, pause=0.0, **headers):
    """Describe the answer to a request.

    `cut`: number of bytes after which the connection breaks; `pause`: seconds between blocks of 16 KB;
    `headers`: names with '_' in place of '-', where None omits a header.
    """
    headers = {name.replace('_', '-'): value for name, value in headers.items()}
    return dict(body=body, status=status, cut=cut, pause=pause, headers=headers)


def file(body, ranges=True, etag=True, **more):
    """Describe an answer with a file, or with the requested part of it if `ranges` is true."""
    headers = {'ETag': f'"{hashlib.md5(body).hexdigest()}"'} if etag else {}
    return {**answer(body, **{**headers, **more}), 'ranges': ranges}


class _Handler(http.server.BaseHTTPRequestHandler):
    """Sends the next of `server.answers` for the path and repeats the last one."""

    def do_GET(self):
        """Send the answer."""
        self.server.asked.append(self.path)
        self.server.ranges.append(self.headers.get('Range'))
        answers = self.server.answers[self.path]
        with self.server.lock:
            reply = dict(answers.pop(0) if len(answers) > 1 else answers[0])
        body, status, headers = reply['body'], reply['status'], {}
        start = self._start(reply)
        if start is not None and start >= len(body):
            body, status, headers = b'', 416, {'Content-Range': f'bytes */{len(body)}'}
        elif start is not None:
            headers = {'Content-Range': f'bytes {start}-{len(body) - 1}/{len(body)}'}
            body, status = body[start:], 206
        self._send(body, status, {'Content-Length': str(len(body)), **headers, **reply['headers']}, reply)

    def _start(self, reply):
        """Return the start of the requested range, or None for the whole file."""
        match = re.fullmatch(r'bytes=(\d+)-', self.headers.get('Range', ''))
        condition = self.headers.get('If-Range')
        known = [reply['headers'].get(name) for name in ('ETag', 'Last-Modified')]
        if condition is not None and condition not in known:
            return None
        return int(match[1]) if match and reply.get('ranges') else None

    def _send(self, body, status, headers, reply):
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            for position in range(0, len(body), 1 << 14):
                block = body[position:position + (1 << 14)]
                if reply['cut'] is not None and position + len(block) > reply['cut']:
                    self.wfile.write(block[:reply['cut'] - position])
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.wfile.write(block)
                threading.Event().wait(reply['pause'])

    def log_message(self, *args):
        """Log nothing."""


@contextlib.contextmanager
def running():
    """Run a server with `answers` {path: [answer, ...]}, `url`, and lists of requested paths and ranges."""
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), _Handler) as server:
        server.answers, server.asked, server.ranges, server.lock = {}, [], [], threading.Lock()
        server.url = f'http://127.0.0.1:{server.server_port}'
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
