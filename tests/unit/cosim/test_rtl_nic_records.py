"""The log of the C++ attachment, read back by `RtlNic`: its layout, and what becomes of each record.

No simulator runs here. Records come from a buffer written out by hand, and from the C++ header itself.
"""

import ctypes
import re
import struct
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from pymodel.hostmem import HostMemory
from pymodel.iommu import IommuFault
from pymodel.ports import Frame
from pymodel.scheduler import Scheduler
from tb import toolchain
from tb.cosim import library, rtl_nic
from tb.cosim.build import rtl_sources, spec
from tb.cosim.event_log import _narrow, _runs
from tb.cosim.rtl_nic import RtlNic
from tb.lockstep import events as ev
from tb.memory_settings import MemorySettings


class FakeLibrary:
    """The C++ side: hands out `log` once, notes every other call."""

    def __init__(self) -> None:
        self.log = b""
        self.calls: list[tuple[object, ...]] = []

    def fdw_log_size(self) -> int:
        return len(self.log)

    def fdw_log_bytes(self) -> int:
        self._buffer = ctypes.create_string_buffer(self.log, len(self.log))
        return ctypes.addressof(self._buffer)

    def fdw_log_clear(self) -> None:
        self.log = b""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.calls.append((name, *arguments))


class Seams:
    """An RtlNic on a fake library, with everything it says collected in `said`, in order."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, observed: bool = True, memory: HostMemory | None = None
    ) -> None:
        self.library = FakeLibrary()
        monkeypatch.setattr(rtl_nic, "load", lambda: self.library)
        self.memory = memory or HostMemory(4096)
        self.nic = RtlNic(Scheduler(), self.memory)
        self.said: list[object] = []
        self.nic.set_interrupt_handler(lambda level: self.said.append(("interrupt", level)))
        self.nic.set_wire_handler(lambda frame: self.said.append(("frame", frame)))
        if observed:
            self.nic.observe(self.said.append)

    def drain(self, log: bytes) -> list[object]:
        self.library.log = log
        self.nic.drain()
        said, self.said[:] = list(self.said), []
        return said


@pytest.fixture
def seams(monkeypatch: pytest.MonkeyPatch) -> Seams:
    return Seams(monkeypatch)


def hexed(text: str) -> bytes:
    return bytes.fromhex("".join(line.split("#")[0] for line in text.splitlines()))


def test_record_written_by_hand_is_read_field_by_field(seams: Seams) -> None:
    log = hexed("""
        03                       # type: DMA read
        02                       # a: response SLVERR
        0500                     # b: AXI id 5
        03000000                 # length
        0807060504030201         # time
        1817161514131211         # c: address
        aabbcc 0000000000        # payload, padded to 8
        08 01 0000 00000000      # type: interrupt, a: level, no payload
        0100000000000000 0000000000000000
    """)
    assert seams.drain(log) == [
        ev.DmaRead(0x0102030405060708, 0x1112131415161718, b"\xaa\xbb\xcc", 5, 2),
        ev.Irq(1, True),
        ("interrupt", True),
    ]


_EMITTER = """
#include <cstdio>
#include "event_log.h"
namespace fdw { uint64_t now_ps = 1000; uint64_t cycles = 0; }
using namespace fdw;
int main() {
    EventLog log;
    auto fill = [](uint8_t* at, int first, int count) { for (int i = 0; i < count; ++i) at[i] = first + i; };
    log.add(Event::kMmioWrite, 0xf, 0x70, 0x80000001, 0);
    log.add(Event::kMmioWrite, 0xc, 0x104, 0x12340000, 0);
    log.add(Event::kMmioRead, 0, 0x1004, 0xfedcba98, 0);
    log.add(Event::kRequest, 1, 3, 0x100000040, 0);
    fill(log.add(Event::kDmaRead, 0, 2, 0x100000010, 17), 1, 17);
    uint8_t* burst = log.add(Event::kDmaWrite, 0, 3, 0x100000040, 36);
    fill(burst, 0, 32);
    burst[32] = 0xf8; burst[33] = 0xff; burst[34] = 0x01; burst[35] = 0x10;
    fill(log.add(Event::kWireOut, 0, 0, 900, 5, 2000), 10, 5);
    fill(log.add(Event::kWireIn, 1, 0, 800, 8, 2100), 20, 8);
    log.add(Event::kWireIn, 0, 1, 800, 0, 2200);
    log.add(Event::kRxDecision, 6, 0, 0, 0);
    log.add(Event::kIrq, 1, 0, 0, 0);
    log.add(Event::kReset, 0, 0, 0, 0);
    log.add(Event::kLink, 0, 0, 0, 0);
    log.add(Event::kIommuFault, 1, 3, 0x100000040, 0);
    std::fwrite(log.bytes().data(), 1, log.bytes().size(), stdout);
}
"""

FRAME_OUT = Frame(bytes(range(10, 15)), 900, 2000)
FRAME_IN = Frame(bytes(range(20, 28)), 800, 2100, True)


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """One record of each type, made by the C++ header."""
    program = tmp_path_factory.mktemp("emitter") / "emit"
    cpp = toolchain.ROOT / "tb" / "cpp"
    command = ["g++", "-std=c++17", f"-I{cpp}", "-x", "c++", "-", "-o", str(program)]
    subprocess.run(command, input=_EMITTER, text=True, check=True)
    return subprocess.run([str(program)], capture_output=True, check=True).stdout


def test_every_record_of_the_cpp_header_becomes_its_event_in_order(seams: Seams, emitted: bytes) -> None:
    assert seams.drain(emitted) == [
        ev.MmioWrite(1000, 0x70, 0x80000001, 4),
        ev.MmioWrite(1000, 0x106, 0x1234, 2),
        ev.MmioRead(1000, 0x1004, 0xFEDCBA98),
        ev.DmaRequest(1000, 0x1_0000_0040, True, 3),
        ev.DmaRead(1000, 0x1_0000_0010, bytes(range(1, 18)), 2, 0),
        ev.DmaWrite(1000, 0x1_0000_0043, bytes(range(3, 17)), 3, 0),
        ev.DmaWrite(1000, 0x1_0000_005C, bytes([28]), 3, 0),
        ev.WireOut(2000, FRAME_OUT),
        ("frame", FRAME_OUT),
        ev.WireIn(2100, FRAME_IN),
        ev.WireIn(2200, Frame(b"", 800, 2200), True),
        ev.RxDecision(1000, 6),
        ev.Irq(1000, True),
        ("interrupt", True),
        ev.Reset(1000),
        ev.Link(1000, False),
    ]


def test_without_observer_only_frames_and_interrupts_come_up(
    monkeypatch: pytest.MonkeyPatch, emitted: bytes
) -> None:
    assert Seams(monkeypatch, observed=False).drain(emitted) == [("frame", FRAME_OUT), ("interrupt", True)]


def test_log_is_taken_once(seams: Seams, emitted: bytes) -> None:
    assert seams.drain(emitted)
    seams.nic.drain()
    assert seams.said == []


def answer(offset: int, value: int) -> bytes:
    return b"\x02\0" + offset.to_bytes(2, "little") + bytes(4) + bytes(8) + value.to_bytes(8, "little")


def test_reads_are_answered_in_order_each_with_the_lanes_it_asked_for(seams: Seams) -> None:
    values: list[int] = []
    for offset, size in ((0x104, 2), (0x106, 2), (0x107, 1), (0x70, 4)):
        seams.nic.read(offset, size, values.append)
    reads = [call for call in seams.library.calls if call[0] == "fdw_mmio_read"]
    assert reads == [("fdw_mmio_read", offset) for offset in (0x104, 0x104, 0x104, 0x70)]
    word = 0xDDCCBBAA
    seams.drain(answer(0x104, word) + answer(0x104, word))
    assert values == [0xBBAA, 0xDDCC]
    seams.drain(answer(0x104, word) + answer(0x70, word))
    assert values[2:] == [0xDD, word]


def test_answer_that_a_reset_made_pointless_is_dropped(seams: Seams) -> None:
    values: list[int] = []
    seams.nic.read(0x70, 4, values.append)
    seams.nic.reset()
    assert seams.drain(answer(0x70, 1)) == [ev.MmioRead(0, 0x70, 1)]
    assert values == [] and ("fdw_reset", rtl_nic.RESET_CYCLES) in seams.library.calls


@pytest.mark.parametrize(
    ("offset", "value", "size", "call"),
    [
        (0x70, 0x8000000F, 4, (0x70, 0x8000000F, 0xF)),
        (0x106, 0x1234, 2, (0x104, 0x12340000, 0xC)),
        (0x101, 0xAB, 1, (0x100, 0xAB00, 0x2)),
    ],
)
def test_write_goes_to_its_word_with_the_strobes_of_its_bytes(
    seams: Seams, offset: int, value: int, size: int, call: tuple[int, int, int]
) -> None:
    seams.nic.write(offset, value, size)
    assert seams.library.calls[-1] == ("fdw_mmio_write", *call)
    lanes = _narrow(call[2])
    assert lanes == (size, offset - call[0])


def test_memorys_settings_are_handed_over_word_by_word(seams: Seams) -> None:
    settings = MemorySettings(
        read_latency=1,
        write_latency=2,
        jitter=3,
        stall_percent=7,
        stalls={"w": 60, "ar": 0},
        read_bandwidth=0.5,
        write_bandwidth=16,
        read_limit=8,
        write_limit=9,
        reorder_percent=10,
        seed=4,
    )
    seams.nic.configure_memory(settings)
    words = (1, 2, 3, 0, 7, 7, 60, 7, 4, 128, 4096, 8, 9, 10)
    assert seams.library.calls[-1] == ("fdw_memory_configure", struct.pack("<14I", *words))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stalls": {"x": 1}}, "ar, r, aw, w, b expected, got x"),
        ({"stalls": {"w": 101}}, "101 per cent"),
        ({"reorder_percent": -1}, "per cent"),
        ({"read_bandwidth": 17}, "read_bandwidth: up to 16 bytes a cycle, or 0 for no limit, got 17"),
        ({"write_bandwidth": -1}, "write_bandwidth"),
        ({"write_limit": -1}, "write_limit: 0 or more expected, got -1"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MemorySettings(**wrong)


def test_memory_behind_an_iommu_has_its_table_looked_at_and_hears_of_faults(
    monkeypatch: pytest.MonkeyPatch, emitted: bytes
) -> None:
    seams = Seams(monkeypatch, memory=HostMemory(4096, iommu=True))
    iommu = seams.memory.iommu
    assert iommu is not None
    assert ("fdw_memory_translate", iommu.pointer) in seams.library.calls
    seams.drain(emitted)
    assert iommu.faults == [IommuFault(1000, 0x1_0000_0040, True)]


def test_memory_of_the_host_is_attached_and_broken_rules_are_raised(
    seams: Seams, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = seams.memory
    assert seams.library.calls[:2] == [
        ("fdw_memory_attach", memory.pointer, memory.base, 4096),
        ("fdw_memory_translate", None),
    ]
    figures = [0] * 12
    monkeypatch.setattr(seams.library, "fdw_figure", figures.__getitem__, raising=False)
    seams.nic.check_protocols()
    figures[6] = 3
    with pytest.raises(rtl_nic.ProtocolViolation, match="xgmii_violations: 3"):
        seams.nic.check_protocols()
    figures[6:9] = [0, 0, 2]
    monkeypatch.setattr(seams.library, "fdw_first_breach", lambda: b"RX: torn", raising=False)
    with pytest.raises(rtl_nic.ProtocolViolation, match="ring_violations: 2, first RX: torn"):
        seams.nic.check_protocols()


@pytest.mark.parametrize(
    ("strobes", "expected"),
    [
        ("ffff", [(0, 16)]),
        ("0000", []),
        ("0100", [(0, 1)]),
        ("0080", [(15, 1)]),
        ("f00f", [(4, 8)]),
        ("0180", [(0, 1), (15, 1)]),
        ("5555", [(at, 1) for at in range(0, 16, 2)]),
        ("feffff7f", [(1, 30)]),
        ("00fcffff0300", [(10, 24)]),
        ("ffff00000100", [(0, 16), (32, 1)]),
    ],
)
def test_strobes_become_contiguous_runs(strobes: str, expected: list[tuple[int, int]]) -> None:
    enabled = bytes.fromhex(strobes)
    data = bytes(range(8 * len(enabled)))
    assert _runs(0x1000, data, enabled) == [(0x1000 + at, data[at : at + n]) for at, n in expected]


_CTYPES = {
    "uint64_t": ctypes.c_uint64,
    "uint32_t": ctypes.c_uint32,
    "int": ctypes.c_int,
    "void": None,
    "fdw::WakeCallback": library.WAKE,
}


def test_signatures_for_ctypes_are_those_of_the_cpp_source() -> None:
    source = (toolchain.ROOT / "tb" / "cpp" / "cosim.cpp").read_text()
    for name, (result, arguments) in library._SIGNATURES.items():
        found = re.search(rf"^([\w* ]+?)\b{name}\(([^{{]*)\) {{", source, re.MULTILINE)
        assert found, name
        returns, parameters = found[1].strip(), [p.strip() for p in found[2].split(",") if p.strip()]
        assert "*" in returns or result is _CTYPES[returns], name
        assert len(parameters) == len(arguments), name
        for parameter, argument in zip(parameters, arguments, strict=True):
            if "*" not in parameter:
                assert argument is _CTYPES[parameter.split()[0]], (name, parameter)


def test_sources_of_the_build_exist() -> None:
    nic = spec()
    assert set(rtl_sources()) <= set(nic.sources)
    assert all(path.is_file() for path in (*nic.sources, *nic.cpp))
    assert nic.main is not None and nic.main.is_file()
