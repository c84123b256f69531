"""Host memory behind the AXI4 port, by itself: each knob, with a master that asks as fast as it may.

The program counts at the handshakes, so what it says does not come from the memory's own counters, and checks
of every read that its data are those of the oldest burst of that id.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tb import toolchain
from tb.memory_settings import MemorySettings

_PROGRAM = """
#include <cstdlib>
#include <cstring>
#include <iostream>
#include "axi_memory.h"
namespace fdw { uint64_t now_ps = 0; uint64_t cycles = 0; }

// ARGUMENTS: cycles, beats of a burst, ids, write (0, 1), mapped pages ("": no IOMMU); the settings on stdin.
int main(int, char** argv) {
    const uint64_t cycles = std::strtoull(argv[1], nullptr, 0);
    const uint8_t beats = static_cast<uint8_t>(std::atoi(argv[2]));
    const uint8_t ids = static_cast<uint8_t>(std::atoi(argv[3]));
    const bool write = std::atoi(argv[4]);
    fdw::EventLog log;
    fdw::ScriptWriter script;
    fdw::RingRules rules;
    fdw::AxiMemory memory{log, script, rules};
    fdw::MemoryConfig config;
    std::cin.read(reinterpret_cast<char*>(&config), sizeof config);
    static uint8_t bytes[4 * 4096];
    static uint16_t pages[2 * 4];
    memory.attach(bytes, 0x10000, sizeof bytes);
    memory.configure(config);
    for (const char* page = argv[5]; *page; ++page) pages[2 * (*page - '0') + write] = 1;
    if (*argv[5]) memory.translate(pages);
    log.select(fdw::EventLog::kSeams);

    if (!write)
        for (uint32_t at = 0; at < sizeof bytes; at += 4) std::memcpy(bytes + at, &at, 4);
    std::deque<uint32_t> expected[16];  // by id: where its bursts begin
    uint64_t taken = 0, asked = 0, outstanding = 0, most = 0, to_send = 0, sent = 0, errors = 0, disorder = 0;
    std::string order;
    for (fdw::cycles = 1; fdw::cycles < cycles; ++fdw::cycles) {
        const uint8_t id = static_cast<uint8_t>(asked % ids);
        const uint64_t address = 0x10000 + 4096 * (asked % 4) + 64 * (asked % 8);
        const bool waits = write ? !memory.aw_ready() || (to_send && !memory.w_ready()) : !memory.ar_ready();
        if (!write && memory.ar_ready()) {
            memory.read_request(id, address, static_cast<uint8_t>(beats - 1), 4, 1);
            expected[id].push_back(static_cast<uint32_t>(address - 0x10000));
            ++asked, ++outstanding;
        }
        if (write && memory.aw_ready()) {
            memory.write_request(id, address, static_cast<uint8_t>(beats - 1), 4, 1);
            ++asked, ++outstanding, to_send += beats;
        }
        if (to_send && memory.w_ready()) {
            const uint32_t ones[4] = {~0u, ~0u, ~0u, ~0u};
            ++sent, --to_send;
            memory.write_beat(ones, 0xffff, sent % beats == 0);
        }
        most = std::max(most, outstanding);
        const bool r = memory.read_valid(), b = memory.response_valid();
        if ((r && memory.read_beat().last) || b) {
            --outstanding;
            order += static_cast<char>('a' + (r ? memory.read_beat().id : memory.response_id()));
            errors += (r ? memory.read_beat().resp : memory.response()) != 0;
        }
        if (r && memory.read_is_new()) {
            const fdw::ReadBeat& beat = memory.read_beat();
            std::deque<uint32_t>& queue = expected[beat.id];
            disorder += beat.resp == 0 && beat.data[0] != queue.front();
            queue.front() += 16;
            if (beat.last) queue.pop_front();
        }
        taken += r;
        memory.clock(r, b, waits);
    }
    std::string stored_pages;
    for (int page = 0; page < 4; ++page)
        if (bytes[4096 * page + 64 * page] == 0xff) stored_pages += static_cast<char>('0' + page);
    std::cout << "{\\"beats\\": " << taken + sent << ", \\"most\\": " << most << ", \\"order\\": \\"" << order
              << "\\", \\"disorder\\": " << disorder << ", \\"errors\\": " << errors
              << ", \\"faults\\": " << log.bytes().size() / fdw::EventLog::kHeader
              << ", \\"pages\\": \\"" << stored_pages << "\\", \\"violations\\": " << memory.violations
              << ", \\"overtakes\\": " << memory.overtakes << ", \\"asked\\": " << asked << "}";
}
"""

CYCLES = 8_000
BOTH_WAYS = pytest.mark.parametrize("write", [False, True], ids=["reads", "writes"])


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("memory")
    (where / "main.cpp").write_text(_PROGRAM)
    cpp = toolchain.ROOT / "tb" / "cpp"
    sources = ["main.cpp", str(cpp / "axi_memory.cpp")]
    command = ["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{cpp}", *sources, "-o", "memory"]
    subprocess.run(command, cwd=where, check=True)
    return where / "memory"


def run(
    program: Path,
    settings: MemorySettings,
    *,
    write: bool,
    beats: int = 4,
    ids: int = 3,
    mapped: str = "",
    cycles: int = CYCLES,
) -> dict[str, Any]:
    arguments: Sequence[object] = (program, cycles, beats, ids, int(write), mapped)
    said = subprocess.run([*map(str, arguments)], input=settings.packed(), capture_output=True, check=True)
    result: dict[str, Any] = json.loads(said.stdout)
    assert not result["violations"]
    assert not result["disorder"]
    return result


@BOTH_WAYS
@pytest.mark.parametrize("bandwidth", [0.5, 3, 8, 12.8])
def test_beats_pass_at_the_bandwidth_and_no_faster(program: Path, write: bool, bandwidth: float) -> None:
    limit = MemorySettings(read_bandwidth=bandwidth, write_bandwidth=bandwidth)
    rate = 16 * run(program, limit, write=write)["beats"] / CYCLES
    assert 0.98 * bandwidth < rate <= bandwidth
    other = MemorySettings(read_bandwidth=bandwidth * write, write_bandwidth=bandwidth * (not write))
    assert 16 * run(program, other, write=write)["beats"] / CYCLES > 15


@BOTH_WAYS
@pytest.mark.parametrize("limit", [1, 2, 7, 20])
def test_bursts_outstanding_reach_the_limit_and_never_exceed_it(
    program: Path, write: bool, limit: int
) -> None:
    far = {"read_latency": 100, "write_latency": 100}
    result = run(program, MemorySettings(**far, read_limit=limit, write_limit=limit), write=write)
    assert result["most"] == limit
    assert run(program, MemorySettings(**far), write=write)["most"] > 20


@BOTH_WAYS
@pytest.mark.parametrize("percent", [50, 90])
def test_request_to_an_idle_memory_waits_as_often_as_it_is_said_to(
    program: Path, write: bool, percent: int
) -> None:
    stalls = {"aw" if write else "ar": percent}
    result = run(
        program, MemorySettings(read_latency=0, write_latency=0, stalls=stalls), write=write, beats=1
    )
    assert abs(result["asked"] / CYCLES - (1 - percent / 100)) < 0.03


def spread(order: str, ids: int) -> list[int]:
    """For each answer the number of its request: ids were asked in turn, and each id is answered in order."""
    seen = dict.fromkeys("abcdefghijklmnop"[:ids], 0)
    numbers = []
    for letter in order:
        numbers.append(seen[letter] * ids + ord(letter) - ord("a"))
        seen[letter] += 1
    return numbers


@BOTH_WAYS
def test_ids_overtake_one_another_only_if_they_may(program: Path, write: bool) -> None:
    for seed in (1, 2):
        plain = run(program, MemorySettings(seed=seed), write=write)
        assert spread(plain["order"], 3) == [*range(len(plain["order"]))]
        assert not plain["overtakes"]
    mixed = [run(program, MemorySettings(reorder_percent=30, seed=seed), write=write) for seed in (1, 1, 2)]
    for result in mixed:
        numbers = spread(result["order"], 3)
        late = sum(
            any(later < number for later in numbers[at : at + 50]) for at, number in enumerate(numbers)
        )
        assert late > 100
        assert result["overtakes"] > 100
    assert mixed[0] == mixed[1] != mixed[2]


@BOTH_WAYS
def test_held_burst_without_another_id_is_answered_in_the_end(program: Path, write: bool) -> None:
    result = run(program, MemorySettings(reorder_percent=100, read_limit=1, write_limit=1), write=write)
    assert result["asked"] - len(result["order"]) <= 1
    assert len(result["order"]) > 20


@BOTH_WAYS
def test_pages_that_are_not_mapped_are_refused_and_keep_their_content(program: Path, write: bool) -> None:
    # Bursts go round the four pages; the settings make it a few hundred of them.
    result = run(program, MemorySettings(), write=write, mapped="02", cycles=2000)
    answered = len(result["order"])
    assert abs(result["errors"] - answered / 2) <= 2
    assert abs(result["faults"] - result["asked"] / 2) <= 1
    assert result["pages"] == ("02" if write else "")


@BOTH_WAYS
def test_without_an_iommu_every_page_is_reached(program: Path, write: bool) -> None:
    result = run(program, MemorySettings(), write=write, cycles=2000)
    assert not result["errors"]
    assert not result["faults"]
    assert result["pages"] == ("0123" if write else "")
