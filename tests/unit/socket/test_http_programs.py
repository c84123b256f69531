"""The standard library's HTTP client and servers, unmodified, on two simulated hosts with the real TCP."""

import hashlib
import io
import os
import random

import pytest
from ip_pipe import two_kernels

from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC
from pymodel.socket import run_module, run_script, spawn

SEED = int(os.environ.get("FDWIRE_SEED", "20260101"))


class World:
    """Alpha and beta. `finish` runs the world until the given programs have ended."""

    def __init__(self):
        self.scheduler = Scheduler()
        self.alpha, self.beta, self.trace = two_kernels(self.scheduler)
        self.log = io.StringIO()

    def serve(self, program, *args):
        return spawn(self.beta, program, *args, stderr=self.log, stdout=self.log)

    def finish(self, *programs):
        while not all(program.done for program in programs):
            assert self.scheduler.step(), "nothing is pending and the programs still wait"
            assert self.scheduler.now < 3600 * SEC, "an hour of simulated time has passed"
        return [program.result() for program in programs]

    def end(self):
        self.alpha.power_off()
        self.beta.power_off()


@pytest.fixture
def world():
    world = World()
    yield world
    world.end()


def serve_folder(folder, threading):
    import functools
    import http.server

    kind = http.server.ThreadingHTTPServer if threading else http.server.HTTPServer
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with kind(("", 80), handler) as server:
        server.serve_forever()


def fetch(*paths):
    import urllib.error
    import urllib.request

    answers = []
    for path in paths:
        try:
            with urllib.request.urlopen(f"http://beta{path}") as response:
                answers.append((response.status, dict(response.headers), response.read()))
        except urllib.error.HTTPError as error:
            answers.append((error.code, dict(error.headers), error.read()))
    return answers


@pytest.mark.parametrize("threading", [False, True])
def test_folder_served_and_files_fetched_arrive_whole(world, tmp_path, threading):
    print(f"FDWIRE_SEED={SEED}")
    large = random.Random(SEED).randbytes(1 << 20)
    (tmp_path / "large.bin").write_bytes(large)
    (tmp_path / "page.html").write_text("<h1>hello</h1>")
    os.utime(tmp_path / "page.html", (1_700_000_000, 1_700_000_000))
    world.serve(serve_folder, str(tmp_path), threading)
    [answers] = world.finish(spawn(world.alpha, fetch, "/page.html", "/large.bin", "/missing", "/"))
    page, binary, missing, listing = answers
    assert page[::2] == (200, b"<h1>hello</h1>")
    assert page[1]["Date"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert page[1]["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert page[1]["Content-type"] == "text/html"
    assert hashlib.sha256(binary[2]).digest() == hashlib.sha256(large).digest()
    assert missing[0] == 404
    assert b'<a href="large.bin">' in listing[2]
    assert '10.0.0.1 - - [01/Jan/2026 00:00:00] "GET /page.html HTTP/1.1" 200 -' in world.log.getvalue()


def serve_posts():
    import http.server

    class Upper(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(201, "Made")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.upper())

    http.server.HTTPServer(("10.0.0.2", 8080), Upper).serve_forever()


def post_twice_on_one_connection(body):
    import http.client

    connection = http.client.HTTPConnection("beta", 8080, timeout=30)
    answers = []
    for _ in range(2):
        connection.request("POST", "/form", body=body)
        response = connection.getresponse()
        answers.append((response.status, response.reason, response.read()))
        answers.append(connection.sock.getsockname())
    connection.close()
    return answers


def test_posts_on_a_persistent_connection_are_answered(world):
    world.serve(serve_posts)
    body = b"abc" * 40_000
    [answers] = world.finish(spawn(world.alpha, post_twice_on_one_connection, body))
    assert answers[0] == answers[2] == (201, "Made", b"ABC" * 40_000)
    assert answers[1] == answers[3]


def serve_slowly():
    import http.server
    import time

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(1)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("", 80), Slow).serve_forever()


def fetch_in_parallel(count):
    import concurrent.futures
    import time
    import urllib.request

    def get(number):
        return urllib.request.urlopen(f"http://beta/{number}").read().decode()

    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(get, range(count)))
    return answers, time.monotonic() - started


def test_parallel_requests_to_a_threading_server_take_the_time_of_one(world):
    world.serve(serve_slowly)
    # Five at once: http.server listens with a backlog of 5.
    [(answers, duration)] = world.finish(spawn(world.alpha, fetch_in_parallel, 5))
    assert answers == [f"/{number}" for number in range(5)]
    assert 1 < duration < 1.1


def fetch_what_is_not_there():
    import socket
    import urllib.error
    import urllib.request

    reasons = []
    for url in ("http://beta:81/", "http://gamma/", "http://10.9.9.9/"):
        try:
            urllib.request.urlopen(url)
        except urllib.error.URLError as error:
            reasons.append((type(error.reason).__name__, error.reason.errno))
    sock = socket.create_server(("", 5000))
    try:
        urllib.request.urlopen("http://beta/", timeout=2)
    except TimeoutError as error:
        reasons.append(str(error))
    sock.close()
    return reasons


def serve_nothing():
    import socket
    import time

    listener = socket.create_server(("", 80))
    time.sleep(1000)
    listener.close()


def test_unreachable_servers_give_the_errors_of_the_system_calls(world):
    world.serve(serve_nothing)
    [reasons] = world.finish(spawn(world.alpha, fetch_what_is_not_there))
    assert reasons[:3] == [("ConnectionRefusedError", 111), ("gaierror", -2), ("OSError", 101)]
    assert reasons[3] == "timed out"


def test_module_and_script_run_as_from_the_command_line(world, tmp_path):
    (tmp_path / "helper.py").write_text("import socket\nNAME = socket.gethostname()\n")
    script = tmp_path / "client.py"
    script.write_text(
        "import sys, urllib.request, helper\n"
        "print(helper.NAME, sys.argv[1:], urllib.request.urlopen(sys.argv[1]).read())\n"
        "sys.exit(3)\n"
    )
    world.serve(run_module, "http.server", "8000", "--directory", str(tmp_path))
    output = io.StringIO()
    program = spawn(world.alpha, run_script, str(script), "http://beta:8000/helper.py", stdout=output)
    with pytest.raises(SystemExit, match="3"):
        world.finish(program)
    text = (tmp_path / "helper.py").read_bytes()
    assert output.getvalue() == f"alpha ['http://beta:8000/helper.py'] {text!r}\n"
    assert "Serving HTTP on 0.0.0.0 port 8000" in world.log.getvalue()


def test_same_seed_gives_the_same_segments_at_the_same_times(tmp_path):
    (tmp_path / "file").write_bytes(bytes(50_000))
    os.utime(tmp_path / "file", (0, 0))
    traces = []
    for _ in range(2):
        world = World()
        world.serve(serve_folder, str(tmp_path), True)
        world.finish(spawn(world.alpha, fetch, "/file", "/"), spawn(world.alpha, fetch, "/file"))
        world.end()
        traces.append(world.trace)
    assert len(traces[0]) > 80
    assert traces[0] == traces[1]
