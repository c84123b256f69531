"""pcapng files, read back by scapy and, where installed, by tshark."""

import io
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapNgReader

from pymodel.capture import Capture
from pymodel.ports import Frame
from pymodel.simtime import SEC

TSHARK = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")


def sealed(n: int, payload: int) -> bytes:
    packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="10.0.0.1", dst="10.0.0.2")
    body = bytes(packet / UDP(sport=n, dport=9) / (b"x" * payload)).ljust(60, b"\0")
    return body + zlib.crc32(body).to_bytes(4, "little")


def frames() -> list[Frame]:
    # Odd lengths exercise the padding of blocks; a late one exercises the upper half of the stamp.
    return [
        Frame(sealed(n, payload), end - 1000, end)
        for n, (payload, end) in enumerate(
            [(0, 72_000), (45, 1_000_999), (46, 1_234_567_000), (47, 9 * SEC)], 1
        )
    ]


def write(file: io.BytesIO, comment: str = "") -> None:
    capture = Capture(file)
    a, b = capture.interface("hostA"), capture.interface("hostB")
    for n, frame in enumerate(frames()):
        capture.frame(b if n == 3 else a, frame, inbound=n % 2 == 1, comment=comment)
    capture.flush()


def test_written_frames_read_back_by_scapy_with_their_times(tmp_path: Path):
    file = io.BytesIO()
    write(file)
    path = tmp_path / "x.pcapng"
    path.write_bytes(file.getvalue())
    records = list(RawPcapNgReader(str(path)))
    assert [data for data, _ in records] == [f.data for f in frames()]
    for (_, meta), frame in zip(records, frames(), strict=True):
        assert meta.linktype == 1
        assert meta.tsresol == 1_000_000_000
        assert (meta.tshigh << 32) + meta.tslow == frame.end // 1000
        assert meta.wirelen == len(frame.data)
    assert [meta.ifname for _, meta in records] == [b"hostA"] * 3 + [b"hostB"]
    assert [meta.direction for _, meta in records] == [2, 1, 2, 1]


def test_same_frames_twice_same_bytes():
    first, second = io.BytesIO(), io.BytesIO()
    write(first)
    write(second)
    assert first.getvalue() == second.getvalue()


def test_undescribed_interface_is_refused():
    capture = Capture(io.BytesIO())
    with pytest.raises(ValueError, match="interface 0 of 0"):
        capture.frame(0, frames()[0], inbound=True)


def test_context_manager_left_file_is_closed(tmp_path: Path):
    with (tmp_path / "x.pcapng").open("wb") as file, Capture(file) as capture:
        assert capture.interface("a") == 0
    assert file.closed


def tshark(path: Path, *fields: str, extra: tuple[str, ...] = ()) -> list[list[str]]:
    command = [str(TSHARK), "-r", str(path), "-o", "eth.check_fcs:TRUE", "-T", "fields", *extra]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [line.split("\t") for line in done.stdout.splitlines()]


@needs_tshark
def test_good_frames_tshark_sees_good_fcs_times_and_comment(tmp_path: Path):
    file = io.BytesIO()
    write(file, "first use of ring A")
    path = tmp_path / "x.pcapng"
    path.write_bytes(file.getvalue())
    rows = tshark(
        path, "eth.fcs.status", "frame.time_epoch", "frame.interface_name", "frame.comment", "frame.len"
    )
    assert [row[0] for row in rows] == ["1"] * 4, "FCS status 1 is good"
    assert rows[0][1] == "0.000000072"
    assert rows[2][1] == "0.001234567"
    assert rows[3][1] == "9.000000000"
    assert [row[2] for row in rows] == ["hostA"] * 3 + ["hostB"]
    assert {row[3] for row in rows} == {"first use of ring A"}
    assert [int(row[4]) for row in rows] == [len(f.data) for f in frames()]


@needs_tshark
def test_one_flipped_bit_tshark_sees_a_bad_fcs(tmp_path: Path):
    file = io.BytesIO()
    capture = Capture(file)
    interface = capture.interface("a")
    bad = bytearray(frames()[1].data)
    bad[20] ^= 1
    capture.frame(interface, Frame(bytes(bad), 0, 1000), inbound=True)
    path = tmp_path / "x.pcapng"
    path.write_bytes(file.getvalue())
    assert tshark(path, "eth.fcs.status") == [["0"]]


@needs_tshark
def test_code_error_tshark_sees_the_symbol_error_flag(tmp_path: Path):
    file = io.BytesIO()
    capture = Capture(file)
    interface = capture.interface("a")
    capture.frame(interface, Frame(frames()[1].data, 0, 1000, error=True), inbound=True)
    path = tmp_path / "x.pcapng"
    path.write_bytes(file.getvalue())
    rows = tshark(
        path,
        "frame.packet_flags_symbol_error",
        "frame.packet_flags_direction",
        "frame.packet_flags_fcs_length",
    )
    assert rows[0][0] in ("1", "True")
    assert int(rows[0][1], 0) == 1
    assert int(rows[0][2], 0) == 4
