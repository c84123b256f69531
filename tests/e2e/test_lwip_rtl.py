"""lwIP on the RTL NIC, in lockstep with the golden model: HTTP both ways with the project's stack."""

import hashlib
import io
import random
from typing import Any

import cocotb
import pytest

from pymodel.link import Impairments
from pymodel.lwip import Connection, LwipHost
from pymodel.simtime import SEC
from pymodel.task import Task
from tb import lwip, toolchain
from tb.block import run_nic
from tb.testbench import Testbench

A = bytes((10, 0, 0, 1))
B = bytes((10, 0, 0, 2))
BODY = random.Random(20261126).randbytes(40_000)


async def start(dut: Any) -> tuple[Testbench, LwipHost]:
    """A bench whose host A is lwIP: the project's own host A is made, but never started."""
    bench = Testbench(dut)
    host = LwipHost(lwip.load(), bench.scheduler, bench.rtl, address="10.0.0.1/24")
    await bench.run(Task(bench.scheduler, bench.b.bring_up(), "bring up b"), timeout=SEC)
    await bench.run(Task(bench.scheduler, host.bring_up(), "bring up lwip"), timeout=SEC)
    return bench, host


async def head_of(connection: Connection) -> tuple[bytes, bytes]:
    """The header of an HTTP message (RFC 9112 §2.1), and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = await connection.recv(4096)
        assert more, f"the peer closed after {data!r}"
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


async def finish(bench: Testbench, host: LwipHost) -> None:
    assert host.netif.stats.tx_copied == 0
    assert host.netif.stats.held == 0
    host.stack.close()
    await bench.finish()


@cocotb.test()
async def urllib_fetches_a_page_from_lwip(dut: Any) -> None:
    bench, host = await start(dut)
    listener = host.listen(80)

    async def server() -> bytes:
        connection = await listener.accept()
        head, _ = await head_of(connection)
        length = str(len(BODY)).encode()
        await connection.send(b"HTTP/1.0 200 OK\r\nContent-Length: " + length + b"\r\n\r\n")
        await connection.send(BODY)
        await connection.close()
        return head

    def client() -> str:
        import urllib.request

        with urllib.request.urlopen("http://a/page.bin") as answer:
            return hashlib.sha256(answer.read()).hexdigest()

    task = Task(bench.scheduler, server(), "server")
    assert await bench.run(bench.b.spawn(client)) == hashlib.sha256(BODY).hexdigest()
    assert (await bench.run(task)).startswith(b"GET /page.bin HTTP/1.1\r\n")
    assert host.stack.figures().copied >= len(BODY)
    await finish(bench, host)


@cocotb.test()
async def lwip_fetches_a_page_from_http_server(dut: Any) -> None:
    bench, host = await start(dut)
    log = io.StringIO()

    def server() -> None:
        import http.server

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(BODY)))
                self.end_headers()
                self.wfile.write(BODY)

            def log_message(self, format: str, *args: object) -> None:
                log.write(format % args)

        with http.server.HTTPServer(("", 80), Page) as serving:
            serving.handle_request()

    async def client() -> tuple[bytes, str, int]:
        connection = await host.connect(B, 80)
        await connection.send(b"GET / HTTP/1.0\r\nHost: b\r\n\r\n")
        head, rest = await head_of(connection)
        digest = hashlib.sha256(rest)
        size = len(rest)
        while (received := await connection.receive()) is not None:
            for view in received.views:
                digest.update(view)
            size += received.length
            received.release()
        await connection.close()
        return head, digest.hexdigest(), size

    bench.b.spawn(server)
    head, digest, size = await bench.run(Task(bench.scheduler, client(), "client"))
    assert head.split(b"\r\n")[0] == b"HTTP/1.0 200 OK"
    assert (digest, size) == (hashlib.sha256(BODY).hexdigest(), len(BODY))
    assert "GET / HTTP/1.0" in log.getvalue()
    await finish(bench, host)


@cocotb.test()
async def udp_pieces_go_out_as_one_chain_and_ping_works_on_a_lossy_wire(dut: Any) -> None:
    bench, host = await start(dut)
    pinger = host.pinger()
    assert await bench.run(Task(bench.scheduler, pinger.ping(B, 1, 200, SEC), "ping")) is not None
    before = host.stack.figures().copied
    pieces = []
    for part in (b"a" * 333, b"b", b"c" * 700):
        pieces.append((bench.rtl.memory.alloc(len(part)), len(part)))
        bench.rtl.memory.write(pieces[-1][0], part)

    def server() -> bytes:
        import socket

        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("", 9))
        return sock.recv(2000)

    program = bench.b.spawn(server)
    bench.scheduler.after(1_000_000, lambda: host.udp().send(pieces, (B, 9)))
    assert await bench.run(program) == b"a" * 333 + b"b" + b"c" * 700
    assert host.stack.figures().copied == before
    bench.link.impairments = Impairments(loss=0.2)

    async def pings() -> int:
        times = [await pinger.ping(B, n, 56, SEC // 100) for n in range(2, 22)]
        return sum(time is not None for time in times)

    assert 5 < await bench.run(Task(bench.scheduler, pings(), "pings")) < 20
    bench.link.impairments = None
    await finish(bench, host)


def test_lwip_rtl() -> None:
    try:
        lwip.load()
    except toolchain.ToolMissing as missing:
        pytest.skip(str(missing))
    run_nic(__name__)
