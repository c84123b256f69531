"""The rules of the packed ring that the C++ side watches: what breaks each of them, and what none."""

import struct
import subprocess
from pathlib import Path

import pytest

from tb import toolchain

_PROGRAM = """
#include <iostream>
#include "ring_rules.h"
namespace fdw { uint64_t now_ps = 0; uint64_t cycles = 0; }
int main() {
    fdw::RingRules rules;
    char what;
    uint64_t a, b, words[2];
    while (std::cin >> what >> a >> b >> words[0] >> words[1]) {
        const uint8_t* data = reinterpret_cast<const uint8_t*>(words);
        const uint8_t* strobes = reinterpret_cast<const uint8_t*>(&b);
        switch (what) {
            case 't': fdw::now_ps += a; break;
            case 'w': rules.register_write(static_cast<uint32_t>(a), static_cast<uint32_t>(b)); break;
            case 'd': rules.read_beat(a, data); break;
            case 'p': rules.payload(a, strobes, 1); break;
            case 'r': rules.used(0, a, data, strobes, 1); break;
            case 'x': rules.used(1, a, data, strobes, 1); break;
            case 'f': rules.fault(); break;
            case 'z': rules.reset(); break;
        }
    }
    std::cout << rules.violations << ' ' << rules.first;
}
"""

RING, BUFFERS, TABLE = 0x1_0000_0000, 0x1_0010_0000, 0x1_0020_0000
SIZE = 4
NEXT, WRITE, INDIRECT, AVAIL, USED = 1, 2, 4, 1 << 7, 1 << 15
ALL = 0xFFFF
RX, TX = "r", "x"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("rules")
    (where / "main.cpp").write_text(_PROGRAM)
    include = toolchain.ROOT / "tb" / "cpp"
    command = ["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{include}", "main.cpp", "-o", "rules"]
    subprocess.run(command, cwd=where, check=True)
    return where / "rules"


class Story:
    """What happens at the NIC's ports, told line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, what: str, a: int = 0, b: int = 0, data: bytes = bytes(16)) -> "Story":
        self.lines.append(" ".join(map(str, (what, a, b, *struct.unpack("<QQ", data)))))
        return self

    def write(self, offset: int, value: int) -> "Story":
        return self.add("w", offset, value)

    def start(self, queue: int, features: int = 0) -> "Story":
        """Queue `queue` with `SIZE` slots (virtio 1.2 §4.2.3.2)."""
        self.write(0x24, 0).write(0x20, features).write(0x30, queue).write(0x38, SIZE)
        return self.write(0x80, RING & 0xFFFFFFFF).write(0x84, RING >> 32).write(0x44, 1)

    def read(
        self, slot: int, ident: int, flags: int, length: int = 64, address: int | None = None
    ) -> "Story":
        """The NIC reads the descriptor of a slot (§2.8.13); its buffer is number `slot`."""
        start = BUFFERS + 64 * slot if address is None else address
        return self.add("d", RING + 16 * slot, 0, struct.pack("<QIHH", start, length, ident, flags))

    def used(
        self, queue: str, slot: int, ident: int, flags: int = AVAIL | USED, strobes: int = ALL
    ) -> "Story":
        """It writes a used entry (§2.8.14)."""
        return self.add(queue, RING + 16 * slot, strobes, struct.pack("<QIHH", 0, 64, ident, flags))

    def payload(self, address: int, strobes: int = ALL) -> "Story":
        """It writes a beat of a received frame."""
        return self.add("p", address, strobes)


def verdict(program: Path, story: Story) -> tuple[int, str]:
    result = subprocess.run(
        [program], input="\n".join(story.lines), capture_output=True, text=True, check=True
    )
    count, _, first = result.stdout.partition(" ")
    return int(count), first


def receiving() -> Story:
    """Two buffers are posted and read."""
    return Story().start(0).read(0, 7, AVAIL | WRITE).read(1, 9, AVAIL | WRITE)


CLEAN = {
    "used in order": receiving().payload(BUFFERS).used(RX, 0, 7).payload(BUFFERS + 64).used(RX, 1, 9),
    "part of a beat": receiving().payload(BUFFERS + 56, 0x00FF),
    "chain of two": Story()
    .start(1)
    .read(0, 0, AVAIL | NEXT)
    .read(1, 3, AVAIL)
    .read(2, 5, AVAIL)
    .used(TX, 0, 3)
    .used(TX, 2, 5),
    "second lap": Story()
    .start(1)
    .read(0, 0, AVAIL | NEXT)
    .read(1, 0, AVAIL | NEXT)
    .read(2, 0, AVAIL | NEXT)
    .read(3, 1, AVAIL)
    .used(TX, 0, 1)
    .read(0, 2, USED)
    .used(TX, 0, 2, 0),
    "indirect": Story()
    .start(0, 1 << 28)
    .read(0, 1, AVAIL | INDIRECT | WRITE, 32, TABLE)
    .add("d", TABLE, 0, struct.pack("<QIHH", BUFFERS, 16, 0, WRITE))
    .add("d", TABLE + 16, 0, struct.pack("<QIHH", BUFFERS + 4096, 64, 0, WRITE))
    .payload(BUFFERS)
    .payload(BUFFERS + 4096 + 48)
    .used(RX, 0, 1),
    "after an error": receiving().add("f").payload(BUFFERS - 64).used(RX, 3, 1, 0),
    "right behind a stop": receiving().write(0x44, 0).start(0).used(RX, 1, 9),
    "right behind a stop that followed a write without effect": receiving()
    .write(0xC0, 2)
    .add("t", 17_000_000)
    .write(0x44, 0)
    .start(0)
    .used(RX, 1, 9),
    "right behind a reset of the queue": receiving()
    .write(0x24, 1)
    .write(0x20, 1 << 8)
    .write(0x70, 11)
    .write(0x20, 0)
    .write(0xC0, 1)
    .start(0)
    .used(RX, 1, 9),
    "areas written while it runs": receiving()
    .write(0x80, 0)
    .write(0x38, 1)
    .write(0x44, 0)
    .add("t", 17_000_000)
    .write(0x44, 1)
    .read(0, 7, AVAIL | WRITE)
    .read(1, 8, AVAIL | WRITE)
    .used(RX, 0, 7)
    .used(RX, 1, 8),
    "after a hardware reset": receiving().add("z").used(RX, 1, 9),
    "not available": Story().start(0).read(0, 7, USED | WRITE).read(0, 8, AVAIL | WRITE).used(RX, 0, 8),
}

BROKEN = {
    "used entry unknown": receiving().used(RX, 0, 7).used(RX, 0, 7),
    "used entry slot": receiving().used(RX, 1, 7),
    "used entry flags": receiving().used(RX, 0, 7, AVAIL),
    "used entry torn": receiving().used(RX, 0, 7, strobes=0xFF00),
    "write outside buffers": receiving().payload(BUFFERS - 16),
}

OUTSIDE = {
    "behind the last": receiving().payload(BUFFERS + 128, 1),
    "used already": receiving().used(RX, 0, 7).payload(BUFFERS),
    "across two": receiving().payload(BUFFERS + 56),
    "table not read": Story()
    .start(0, 1 << 28)
    .read(0, 1, AVAIL | INDIRECT | WRITE, 16, TABLE)
    .payload(BUFFERS),
    "not yet available": Story().start(0).read(0, 7, USED | WRITE).payload(BUFFERS),
    "a life later": receiving()
    .write(0x44, 0)
    .add("t", 17_000_000)
    .start(0)
    .read(0, 7, AVAIL | WRITE)
    .payload(BUFFERS + 64),
}


@pytest.mark.parametrize("name", CLEAN)
def test_what_the_specification_allows_breaks_no_rule(program: Path, name: str) -> None:
    assert verdict(program, CLEAN[name]) == (0, "")


@pytest.mark.parametrize("rule", BROKEN)
def test_broken_rule_is_counted_and_named(program: Path, rule: str) -> None:
    count, first = verdict(program, BROKEN[rule])
    assert count == 1
    assert first.startswith(f"RX: {rule} at 0x1")


@pytest.mark.parametrize("where", OUTSIDE)
def test_received_bytes_outside_the_buffers_that_are_posted_are_a_breach(program: Path, where: str) -> None:
    count, first = verdict(program, OUTSIDE[where])
    assert count == 1 and "write outside buffers" in first


def test_of_several_breaches_the_first_is_told(program: Path) -> None:
    count, first = verdict(program, receiving().used(RX, 3, 1).payload(BUFFERS - 16))
    assert count == 2 and "used entry unknown" in first
