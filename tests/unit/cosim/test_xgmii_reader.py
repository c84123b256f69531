"""The reader that says what a receiver must make of XGMII words (tb/cpp), against the model of the MAC tests.

The model walks over characters where the reader sees columns; neither knows the other.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tb import toolchain
from tb.cosim.event_log import _HEADER

sys.path.insert(0, str(Path(__file__).parents[2] / "rtl"))

from mac_rx_model import BAD_PREAMBLE, CODE_ERROR, idle, judge, on_wire, random_stream, receive

_PROGRAM = """
#include <cstdio>
#include "xgmii_reader.h"
namespace fdw { uint64_t now_ps = 0; uint64_t cycles = 0; }
int main() {
    fdw::EventLog log;
    fdw::XgmiiReader reader(log);
    uint8_t column[5];
    for (uint64_t time = 0; std::fread(column, 1, 5, stdin) == 5; time += 3200) {
        uint32_t data;
        std::memcpy(&data, column, 4);
        reader.column(data, column[4], time);
    }
    std::fwrite(log.bytes().data(), 1, log.bytes().size(), stdout);
    return reader.open();
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reader") / "read"
    include = f"-I{toolchain.ROOT / 'tb' / 'cpp'}"
    command = ["g++", "-std=c++17", "-O1", include, "-x", "c++", "-", "-o", str(path)]
    subprocess.run(command, input=_PROGRAM, text=True, check=True)
    return path


def read(program: Path, stream: list[tuple[int, int]]) -> list[tuple[int, int, bytes, int, int]]:
    """(wrong character, bad preamble, data, start, end) of each frame that the reader has logged."""
    raw = bytearray()
    for at in range(0, len(stream), 4):
        column = stream[at : at + 4]
        raw += bytes(byte for byte, _ in column)
        raw.append(sum(control << lane for lane, (_, control) in enumerate(column)))
    log = subprocess.run([str(program)], input=bytes(raw), capture_output=True, check=True).stdout
    frames, at = [], 0
    while at < len(log):
        _, error, bad, length, time, start = _HEADER.unpack_from(log, at)
        frames.append((error, bad, log[at + 24 : at + 24 + length], start, time))
        at += 24 + (length + 7 & ~7)
    return frames


def test_random_streams_are_read_as_the_model_does(program: Path) -> None:
    seed = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"FDWIRE_SEED={seed}")
    generator = random.Random(seed)
    for _ in range(20):
        stream = random_stream(generator, 200) + idle(16)
        stream += idle(-len(stream) % 8)
        got = []
        for error, bad, data, _, _ in read(program, stream):
            status = BAD_PREAMBLE if bad else CODE_ERROR if error else judge(data)
            got.append((status, data[:-4] if not bad else b""))
        expected = receive(stream)
        assert [status for status, _ in got] == [status for status, _ in expected]
        good = [(s, d) for s, d in got if s > CODE_ERROR]
        assert good == [(s, d) for s, d in expected if s > CODE_ERROR]
        assert len(good) > 50


def test_frame_has_the_times_of_its_start_and_of_its_last_character(program: Path) -> None:
    frame = on_wire(bytes(range(64)))
    stream = idle(12) + frame + idle(11)
    assert read(program, stream + idle(-len(stream) % 8)) == [
        (0, 0, bytes(range(64)), 12 * 800, (12 + len(frame) - 1) * 800)
    ]
