"""A small web server on this machine whose connections break off when a test says so."""

import http.server
import threading
from contextlib import contextmanager


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``server.files`` {path: bytes}; knows Range; notes each request; stops early where told."""

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        if server.status or self.path not in server.files:
            self.send_error(server.status or 404)
            return
        content, start = server.files[self.path], 0
        asked = self.headers.get("Range")
        if asked and server.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = server.breaks.pop(0) if server.breaks else None
        self.wfile.write(content[start:][:stop])

    def log_message(self, *_):
        """Nothing: the tests look at ``server.requests``."""


@contextmanager
def serving(files):
    """The server, and its address as ``server.url``: {path: bytes} can be fetched from there.

    ``server.breaks``: after how many bytes the next connections end; ``server.ranges``: whether Range is known;
    ``server.status``: an error for every request.
    """
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.requests, server.breaks, server.ranges, server.status = files, [], [], True, None
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
