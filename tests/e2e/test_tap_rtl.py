"""The Linux kernel's own TCP against the RTL NIC, in lockstep with the golden model: `fdwire tap`."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tap_run import Run, assert_clean, found, needs, run, words

from tb import toolchain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

BLOB = 10_000_000


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_agreed(done: Run) -> None:
    """RTL and golden model did the same."""
    compared = re.search(r"golden model +([\d,]+) comparisons, 0 mismatches", done.err)
    assert compared and int(compared[1].replace(",", "")) > 100


def test_hundred_pings_are_answered_a_hundred_times(tmp_path: Path) -> None:
    needs("ping", "tshark")
    done = run(tmp_path, "--nic", "rtl", "--exec", "ping -c 100 -i 0.05 10.0.0.1")
    assert done.status == 0
    assert "100 packets transmitted, 100 received, 0% packet loss" in done.out
    assert_clean(done.capture)
    assert_agreed(done)


def test_ten_megabytes_down_and_up_have_equal_hashes(tmp_path: Path) -> None:
    needs("curl", "tshark")
    (tmp_path / "blob").write_bytes(os.urandom(BLOB))
    commands = (
        f"curl -sS -o {tmp_path}/down http://10.0.0.1/blob && curl -sS -T {tmp_path}/blob http://10.0.0.1/up"
    )
    done = run(tmp_path, "--nic", "rtl", "--serve", str(tmp_path), "--exec", commands, timeout=380)
    assert done.status == 0
    assert _sha256(tmp_path / "down") == _sha256(tmp_path / "up") == _sha256(tmp_path / "blob")
    assert_clean(done.capture)
    assert_agreed(done)


def test_iperf3_measures_the_host_both_ways(tmp_path: Path) -> None:
    needs("iperf3", "tshark")
    commands = "iperf3 -c 10.0.0.1 -n 2M && iperf3 -c 10.0.0.1 -n 2M -R"
    done = run(tmp_path, "--nic", "rtl", "--exec", commands)
    assert done.status == 0
    assert done.out.count("iperf Done.") == 2
    assert_clean(done.capture)
    assert_agreed(done)


@pytest.mark.parametrize("way", [(), ("-R",)])
def test_host_measures_iperf3_of_the_namespace(tmp_path: Path, way: tuple[str, ...]) -> None:
    needs("iperf3", "tshark")
    client = ("-m", "tb.links.iperf3", "-c", "10.0.0.2", "--wait", "10", "-n", "2M", *way)
    server = "iperf3 -s -1 >/dev/null"
    done = run(tmp_path, "--nic", "rtl", "--peer", server, "--python", *client)
    assert done.status == 0
    sent = re.search(r"([\d.]+) MBytes .* sender", done.out)
    assert sent and float(sent[1]) >= 2
    assert_clean(done.capture)
    assert_agreed(done)


def test_fifty_curls_at_once_are_all_served(tmp_path: Path) -> None:
    needs("curl", "tshark")
    (tmp_path / "page").write_bytes(os.urandom(20_000))
    one = f"curl -sS -o {tmp_path}/got.$i http://10.0.0.1/page"
    commands = f"for i in $(seq 50); do {one} & done; wait"
    done = run(tmp_path, "--nic", "rtl", "--serve", str(tmp_path), "--exec", commands)
    assert done.status == 0
    got = [_sha256(path) for path in tmp_path.glob("got.*")]
    assert got == 50 * [_sha256(tmp_path / "page")]
    assert_clean(done.capture)
    assert_agreed(done)


def test_ten_megabytes_arrive_both_ways_with_loss_and_reordering(tmp_path: Path) -> None:
    needs("curl", "tshark")
    (tmp_path / "blob").write_bytes(os.urandom(BLOB))
    commands = (
        f"curl -sS -o {tmp_path}/down http://10.0.0.1/blob && curl -sS -T {tmp_path}/blob http://10.0.0.1/up"
    )
    bad = ("--loss", "0.01", "--reorder", "0.01")
    done = run(tmp_path, "--nic", "rtl", *bad, "--serve", str(tmp_path), "--exec", commands, timeout=380)
    assert done.status == 0
    assert _sha256(tmp_path / "down") == _sha256(tmp_path / "up") == _sha256(tmp_path / "blob")
    assert found(done.capture, "tcp.analysis.retransmission"), "without any nothing was lost"
    assert_agreed(done)


def test_program_on_the_host_talks_to_the_kernels_server(tmp_path: Path) -> None:
    needs("tshark")
    (tmp_path / "page.txt").write_bytes(b"x" * 100_000)
    client = (
        "import time, urllib.request\n"
        "for attempt in range(100):\n"
        "    try:\n"
        "        print(len(urllib.request.urlopen('http://10.0.0.2:8000/page.txt').read()))\n"
        "        break\n"
        "    except OSError:\n"
        "        time.sleep(0.1)\n"
    )
    server = f"{sys.executable} -m http.server -d {tmp_path} 8000 >/dev/null 2>&1"
    done = run(tmp_path, "--nic", "rtl", "--peer", server, "--python", "-c", client)
    assert done.status == 0 and done.out.strip() == "100000"
    assert_clean(done.capture)
    assert_agreed(done)


def test_ctrl_c_reaches_command_and_simulator_and_leaves_the_capture_whole(tmp_path: Path) -> None:
    needs("ping", "tshark", "nsenter")
    with subprocess.Popen(
        words(tmp_path, "--nic", "rtl"),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=toolchain.ROOT,
        process_group=0,
    ) as process:
        try:
            assert process.stderr is not None
            while "nsenter" not in (way_in := process.stderr.readline()):
                assert way_in, "it ended before it was up"
            ping = ["sh", "-c", f"{way_in.strip()} ping -c 2 -i 0.1 10.0.0.1"]
            answered = subprocess.run(ping, capture_output=True, text=True, check=False)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to both
            said = process.stderr.read()
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert "2 received" in answered.stdout
    assert re.search("golden model .* 0 mismatches", said)
    assert len(found(tmp_path / "wire.pcapng", "icmp")) == 4
