"""What the simulated host serves of itself: echo (RFC 862), discard (RFC 863), chargen (RFC 864), HTTP.

They know only the standard library, and run on the host's own sockets and threads.
"""

from typing import Final

ECHO: Final = 7
DISCARD: Final = 9
CHARGEN: Final = 19
HTTP: Final = 80

CHUNK: Final = 65536


def serve(directory: str) -> None:
    """Serve for ever. `directory`: what HTTP gives by GET and takes by PUT; empty: no HTTP."""
    import http.server
    import os
    import socketserver
    import threading

    class Echo(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while data := self.request.recv(CHUNK):
                self.request.sendall(data)

    class Discard(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(CHUNK):
                pass

    class Chargen(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            printable = bytes(range(0x20, 0x7F))
            lines = b"".join((printable * 2)[at : at + 72] + b"\r\n" for at in range(len(printable)))
            try:
                while True:
                    self.request.sendall(lines)
            except OSError:  # nobody wants more
                pass

    class Files(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=directory)  # type: ignore[arg-type]

        def do_PUT(self) -> None:
            left = int(self.headers.get("Content-Length", -1))
            path = self.translate_path(self.path)
            if left < 0 or os.path.isdir(path):
                self.send_error(411 if left < 0 else 409)
                return
            with open(path, "wb") as file:
                while left and (data := self.rfile.read(min(left, CHUNK))):
                    file.write(data)
                    left -= len(data)
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """No access log."""

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = 128
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that resets its connection is no error of the server's."""

    handlers: dict[int, type[socketserver.BaseRequestHandler]] = {
        ECHO: Echo,
        DISCARD: Discard,
        CHARGEN: Chargen,
    }
    if directory:
        handlers[HTTP] = Files
    for port, handler in handlers.items():
        threading.Thread(target=Server(("", port), handler).serve_forever).start()
