"""The two programs of the main job. They know only the standard library, and are run unmodified."""

import os
from collections.abc import Callable
from pathlib import Path

CHUNK = 16384
MODIFIED = 1767225600
"""Modification time of the served files, 2026-01-01 UTC: it goes over the wire as Last-Modified."""


def serve(directory: str, port: int, uploads: dict[str, bytes]) -> None:
    """An HTTP server on `port`: GET gives files of `directory`, POST keeps the body in `uploads`."""
    import http.server

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=directory)  # type: ignore[arg-type]

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            uploads[self.path] = self.rfile.read(length)
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """No access log: the table at the end says it all."""

    with http.server.ThreadingHTTPServer(("", port), Handler) as server:
        server.serve_forever()


def fetch(url: str, received: Callable[[int], None]) -> bytes:
    """The body at `url`. `received(n)` hears of each piece."""
    import urllib.request

    parts = []
    with urllib.request.urlopen(url, timeout=30) as response:
        while part := response.read(CHUNK):
            received(len(part))
            parts.append(part)
    return b"".join(parts)


def post(url: str, body: bytes) -> int:
    """Send `body` to `url`; the HTTP status."""
    import urllib.request

    request = urllib.request.Request(url, data=body, method="POST")
    with urllib.request.urlopen(request, timeout=30) as response:
        return int(response.status)


def write_files(directory: Path, licence: bytes, blob: bytes) -> None:
    """What the server offers."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in (("LICENSE", licence), ("random.bin", blob)):
        (directory / name).write_bytes(data)
        os.utime(directory / name, (MODIFIED, MODIFIED))
