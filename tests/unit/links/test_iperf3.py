"""iperf3's protocol against iperf3 itself, over the loopback interface of the machine."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tb import toolchain
from tb.links.iperf3.__main__ import main
from tb.links.iperf3.control import COOKIE, State, TestFailed, take_state
from tb.links.iperf3.streams import Stream

needs_iperf3 = pytest.mark.skipif(
    shutil.which("iperf3") is None, reason="iperf3 is not installed (apt install iperf3)"
)
OURS = (sys.executable, "-m", "tb.links.iperf3")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def listening(port: int) -> bool:
    """Asked of the kernel, since a connection to find out would be a client."""
    tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
    return any(re.search(rf":{port:04X} [0:]+ 0A ", table) for table in tables)


@contextlib.contextmanager
def server(*words: str) -> Iterator[int]:
    """`words` run as an iperf3 server; the port."""
    port = free_port()
    with subprocess.Popen(
        [*words, "-s", "-p", str(port)], cwd=toolchain.ROOT, stdout=subprocess.DEVNULL
    ) as process:
        try:
            for _ in range(200):
                if listening(port):
                    break
                time.sleep(0.05)
            yield port
        finally:
            process.kill()


def iperf3(port: int, *arguments: str) -> dict[str, Any]:
    """What iperf3 as a client of `port` says."""
    command = ["iperf3", "-c", "127.0.0.1", "-p", str(port), "-J", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@needs_iperf3
def test_iperf3_sends_to_receives_from_and_is_refused_by_the_server() -> None:
    with server(*OURS) as port:
        sent = iperf3(port, "-n", "5M")["end"]
        assert sent["sum_sent"]["bytes"] == sent["sum_received"]["bytes"] == 5 << 20
        taken = iperf3(port, "-n", "5M", "-R", "-P", "3")["end"]
        assert taken["sum_received"]["bytes"] >= 5 << 20
        assert len(taken["streams"]) == 3
        assert taken["sum_sent"]["bytes"] >= taken["sum_received"]["bytes"]
        assert taken["sum_sent"]["retransmits"] >= 0, "the sender says so"
        assert "not implemented" in iperf3(port, "-u")["error"]
        assert iperf3(port, "-n", "1K")["end"]["sum_received"]["bytes"] >= 1 << 10, "and goes on"


@needs_iperf3
@pytest.mark.parametrize("arguments", [(), ("-R",), ("-P", "2"), ("-R", "-P", "3")])
def test_client_agrees_with_iperf3_as_server_about_the_bytes(arguments: tuple[str, ...]) -> None:
    with server("iperf3") as port:
        command = [*OURS, "-c", "127.0.0.1", "-p", str(port), "-n", "4M", *arguments]
        done = subprocess.run(
            command, cwd=toolchain.ROOT, capture_output=True, text=True, timeout=30, check=False
        )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[1:]
    streams = int(arguments[-1]) if "-P" in arguments else 1
    total = {
        role: sum(float(line.split("sec")[1].split()[0]) for line in lines if line.endswith(role))
        for role in ("sender", "receiver")
    }
    assert len(lines) == 2 * streams
    assert 0 < total["receiver"] <= total["sender"], "what was under way at the end, iperf3 does not count"
    assert total["receiver" if "-R" in arguments else "sender"] >= 4.0
    if "-R" not in arguments:
        assert total["sender"] < 4.3, "each of the streams may have ended a block late"


def test_second_client_is_told_that_the_server_is_busy_and_a_dead_one_ends_the_test() -> None:
    with server(*OURS) as port:
        address = ("127.0.0.1", port)
        cookie = b"c" * (COOKIE - 1) + b"\0"
        with socket.create_connection(address) as control:
            control.sendall(cookie)
            assert take_state(control) is State.PARAM_EXCHANGE
            text = json.dumps({"tcp": True, "parallel": 1, "len": 1000, "time": 10}).encode()
            control.sendall(len(text).to_bytes(4, "big") + text)
            assert take_state(control) is State.CREATE_STREAMS
            with socket.create_connection(address) as data:
                data.sendall(cookie)
                assert take_state(control) is State.TEST_START
                with (
                    socket.create_connection(address) as second,
                    pytest.raises(TestFailed, match="busy running a test"),
                ):
                    second.sendall(b"d" * COOKIE)
                    take_state(second)
        with socket.create_connection(address) as third:
            third.sendall(cookie)
            assert take_state(third) is State.PARAM_EXCHANGE, "the first one is gone"


@pytest.mark.parametrize("said", [b"\xff\xff\xff\xff", b"\0\0\0\x02[]", b"\0\0\0\x04nope"])
def test_nonsense_ends_the_test_and_the_next_client_is_served(said: bytes) -> None:
    with server(*OURS) as port:
        for last in (said, b""):
            with socket.create_connection(("127.0.0.1", port)) as control:
                control.sendall(bytes(COOKIE))
                assert take_state(control) is State.PARAM_EXCHANGE
                control.sendall(last)
                if last:
                    assert control.recv(1) == b"", "closed"


def test_no_server_is_one_sentence() -> None:
    command = [*OURS, "-c", "127.0.0.1", "-p", str(free_port())]
    done = subprocess.run(
        command, cwd=toolchain.ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("iperf3: error - ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("wrong", [("-n", "10Q"), ("-n", "0"), ("-P", "0"), ("-p", "99999999"), ("-l", "x")])
def test_regression_wrong_option_is_a_usage_error(
    wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["-c", "127.0.0.1", *wrong])
    assert f"invalid {'port' if wrong[0] == '-p' else 'number of'}" in capsys.readouterr().err


def test_streams_are_numbered_as_iperf3_does() -> None:
    with socket.socket() as sock:
        assert [Stream(sock, place, sends=True).number for place in range(4)] == [1, 3, 4, 5]
