"""A NIC that is not fdwire's, as docs/own-nic.md says: our hosts, programs and rules over it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapNgReader

from tb import toolchain

FOREIGN = toolchain.ROOT / "tests" / "e2e" / "foreign"


def fdwire(scratch: Path, rtl: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"FDWIRE_RTL": str(rtl), "FDWIRE_FAILURES": str(scratch / "failures")}
    command = [str(Path(sys.executable).parent / "fdwire"), "sim", "--out", str(scratch / "out"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.slow
def test_programs_run_over_a_nic_of_another_make_with_captures_journeys_and_waves(tmp_path: Path) -> None:
    options = ("--no-lockstep", "--trace", "--waves", "50", "--bytes", "20000")
    done = fdwire(tmp_path, FOREIGN, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "leaves out" in done.stdout and done.stdout.count("leaves out") == 1
    out = tmp_path / "out"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["features"] == ["MAC", "VERSION_1", "RING_PACKED"]
    assert all(file["sent"] == file["received"] for file in summary["files"])
    with RawPcapNgReader(str(out / "wire.pcapng")) as reader:
        packets = [Ether(data[:-4]) for data, _ in reader]
    assert sum(packet.haslayer(TCP) for packet in packets) > 50
    for packet in packets:
        rebuilt = packet.copy()
        if packet.haslayer(TCP):
            del rebuilt[TCP].chksum
            assert Ether(bytes(rebuilt))[TCP].chksum == packet[TCP].chksum, "no offload: the stack summed up"
    traced = json.loads((out / "report.json").read_text())["traced"]
    lines = {hop[0][-1] for hop in traced["hops"]}
    assert {"1 doorbells", "2 descriptor reads", "3 frame reads (DMA)", "7 used descriptors"} <= lines


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        # The id of the used entry.
        ("ring == RX, 1'b0, ident,", "ring == RX, 1'b0, ident + 16'd1,", "TX: used entry unknown"),
        # The frame check sequence.
        ("32'hedb88320", "32'hedb88321", "No route to host"),
    ],
)
def test_bug_in_that_nic_is_told_without_a_golden_model(
    right: str, wrong: str, said: str, tmp_path: Path
) -> None:
    spoilt = tmp_path / "rtl"
    spoilt.mkdir()
    for source in FOREIGN.iterdir():
        text = source.read_text()
        (spoilt / source.name).write_text(text.replace(right, wrong))
    assert (spoilt / "plain_nic.v").read_text() != (FOREIGN / "plain_nic.v").read_text()
    done = fdwire(tmp_path, spoilt, "--no-lockstep", "--waves", "off", "--bytes", "2000")
    assert done.returncode == 1 and said in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_directory_without_verilog_is_refused_in_a_sentence(tmp_path: Path) -> None:
    done = fdwire(tmp_path, tmp_path / "nothing")
    assert done.returncode == 1
    assert done.stderr == (
        f"fdwire: there is no Verilog file below {tmp_path}/nothing, which FDWIRE_RTL names\n"
    )
