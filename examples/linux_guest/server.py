"""The far host's web server when that is the kernel (`run.py --tap`): GET reads files, PUT writes them.

python server.py DIRECTORY
"""

import http.server
import sys


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves the directory in which it runs."""

    def do_PUT(self) -> None:
        with open(self.translate_path(self.path), "wb") as file:
            file.write(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """No access log."""


if __name__ == "__main__":
    directory = sys.argv[1]
    http.server.ThreadingHTTPServer(
        ("", 80), lambda *given: Files(*given, directory=directory)
    ).serve_forever()
