"""`fdwire tap` over the golden NIC: the command, its ends, and what it says where something is missing."""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tap_run import BAD, assert_clean, found, needs, run, words

from tb import toolchain

GOLDEN = ("--nic", "golden")

CLIENT = """
import sys, time, urllib.request
for attempt in range(100):
    try:
        answer = urllib.request.urlopen("http://10.0.0.2:8000/page.txt")
        break
    except OSError:
        time.sleep(0.1)
print(answer.read().decode())
sys.exit(9)
"""


def test_pings_are_answered_and_the_status_is_the_commands(tmp_path: Path) -> None:
    needs("ping")
    done = run(tmp_path, *GOLDEN, "--exec", "ping -c 3 -i 0.1 10.0.0.1; exit 7")
    assert done.status == 7
    assert "3 packets transmitted, 3 received" in done.out
    assert re.search(r"frames +host→linux \d+ +linux→host \d+", done.err)


@pytest.mark.slow
def test_program_on_the_host_is_a_client_of_the_kernels_server(tmp_path: Path) -> None:
    needs("tshark")
    (tmp_path / "page.txt").write_text("served by the kernel's own sockets")
    server = f"{sys.executable} -m http.server -d {tmp_path} 8000 >/dev/null 2>&1"
    done = run(tmp_path, *GOLDEN, "--peer", server, "--python", "-c", CLIENT)
    assert "served by the kernel's own sockets" in done.out
    assert done.status == 9, "the program's own status"
    assert_clean(done.capture)


@pytest.mark.slow
def test_bytes_come_back_from_the_echo_service(tmp_path: Path) -> None:
    needs("nc", "tshark")
    (tmp_path / "sent").write_bytes(os.urandom(1_000_000))
    done = run(tmp_path, *GOLDEN, "--exec", f"nc -N 10.0.0.1 7 < {tmp_path}/sent > {tmp_path}/came")
    assert done.status == 0
    assert (tmp_path / "came").read_bytes() == (tmp_path / "sent").read_bytes()
    assert_clean(done.capture)


@pytest.mark.slow
def test_source_and_sink_serve(tmp_path: Path) -> None:
    needs("nc")
    sink = "head -c 300000 /dev/zero | nc -N 10.0.0.1 9"
    done = run(tmp_path, *GOLDEN, "--exec", f"nc -d 10.0.0.1 19 | head -c 300000 | wc -c; {sink}")
    assert done.status == 0 and done.out.strip() == "300000"


@pytest.mark.slow
def test_iperf3_of_the_namespace_measures_the_host_both_ways(tmp_path: Path) -> None:
    needs("iperf3", "tshark")
    commands = "iperf3 -J -c 10.0.0.1 -n 1M && iperf3 -J -c 10.0.0.1 -n 1M -R -P 2"
    done = run(tmp_path, *GOLDEN, "--exec", commands)
    assert done.status == 0
    up, down = (json.loads(text)["end"] for text in re.split(r"(?<=\n})\n", done.out.strip()))
    assert up["sum_sent"]["bytes"] == up["sum_received"]["bytes"] == 1 << 20
    assert down["sum_received"]["bytes"] >= 1 << 20
    # Not that nothing was sent twice: the kernel delays its ACK of a stream's tail by up to 40 ms, and a tail
    # loss probe (RFC 8985 §7.3) asks sooner when more than one segment is in flight.
    assert found(done.capture, BAD) == []


@pytest.mark.slow
def test_every_byte_arrives_over_a_bad_wire(tmp_path: Path) -> None:
    needs("curl", "tshark")
    blob = os.urandom(2_000_000)
    (tmp_path / "blob").write_bytes(blob)
    commands = (
        f"curl -sS -o {tmp_path}/down http://10.0.0.1/blob && curl -sS -T {tmp_path}/blob http://10.0.0.1/up"
    )
    impaired = ("--loss", "0.01", "--reorder", "0.01", "--corrupt", "0.002", "--duplicate", "0.005")
    done = run(tmp_path, *GOLDEN, *impaired, "--serve", str(tmp_path), "--exec", commands)
    assert done.status == 0
    assert (tmp_path / "down").read_bytes() == (tmp_path / "up").read_bytes() == blob
    assert found(done.capture, "tcp.analysis.retransmission"), "without any the wire was not bad"


@contextmanager
def _running(tmp_path: Path, *arguments: str) -> Generator["subprocess.Popen[str]", None, None]:
    """A run that goes on, until the end of the context at the latest."""
    with subprocess.Popen(
        words(tmp_path, *GOLDEN, *arguments),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=toolchain.ROOT,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_run_with_its_capture_whole(tmp_path: Path, number: signal.Signals) -> None:
    needs("ping", "tshark", "nsenter")
    with _running(tmp_path) as process:
        assert process.stderr is not None
        way_in = [process.stderr.readline() for _ in range(3)][1].strip()
        ping = subprocess.run(
            f"{way_in} ping -c 2 -i 0.1 10.0.0.1", shell=True, capture_output=True, text=True, check=False
        )
        process.send_signal(number)
        assert process.wait(30) == 0
    assert "2 received" in ping.stdout, ping.stderr
    assert len(found(tmp_path / "wire.pcapng", "icmp")) == 4


@pytest.mark.slow
def test_interrupted_command_is_ended_too(tmp_path: Path) -> None:
    needs()
    command = f"echo $$ > {tmp_path}/pid; sleep 1000; true"
    with _running(tmp_path, "--exec", command) as process:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_name_that_is_taken_is_said_in_one_sentence(tmp_path: Path) -> None:
    needs()
    done = run(tmp_path, *GOLDEN, "--name", "lo", "--exec", "true")
    assert done.status == 1
    assert done.err == (
        "fdwire: there can be no interface lo, the name is taken or none: choose another with --name\n"
    )


def _as_nobody(mode: str) -> "subprocess.CompletedProcess[str]":
    """Run it as an ordinary user, for whom /dev/net/tun has `mode`, in a mount namespace of its own.

    There the project and its Python are where everybody may read: their own place may be a private home.
    """
    if os.geteuid() != 0:
        pytest.skip("not run as root: the other tests here are an ordinary user's already")
    needs("setpriv", "ping")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o777)
        sources = (toolchain.ROOT, Path(sysconfig.get_path("purelib")), Path(sys.base_prefix))
        mounts = []
        for source, name in zip(sources, ("project", "packages", "python"), strict=True):
            (place / name).mkdir()
            mounts.append(f"mount --bind '{source}' {place}/{name} && ")
        script = "".join(mounts) + (
            f"mknod {place}/tun c 10 200 && chmod {mode} {place}/tun && "
            f"mount --bind {place}/tun /dev/net/tun && cd {place}/project && "
            'exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
        )
        python = f"{place}/python/bin/python3.{sys.version_info.minor}"
        command = [python, "-m", "tb.cli", "tap", *GOLDEN, "--out", f"{place}/out"]
        environment = {
            **os.environ,
            "HOME": directory,
            "PYTHONPATH": f"{place}/project:{place}/packages",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", *command, "--exec", "ping -c 2 -i 0.1 10.0.0.1"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )


@pytest.mark.slow
def test_ordinary_user_needs_no_more_than_the_device() -> None:
    done = _as_nobody("666")
    assert done.returncode == 0, done.stderr
    assert "2 received" in done.stdout


@pytest.mark.slow
def test_ordinary_user_without_the_device_is_told() -> None:
    done = _as_nobody("600")
    assert done.returncode == 1
    assert done.stderr.startswith("fdwire: /dev/net/tun may not be opened by this user: run as root")
    assert len(done.stderr.splitlines()) == 1
