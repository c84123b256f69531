"""Long runs leave nothing behind: the yardstick, and short runs of what `make memory` does for an hour."""

import json
import tracemalloc
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tb.bench import memory, rounds
from tb.bench.rounds import Sample

FLAT = Sample(1_000_000, 60 << 20, 200_000, 1 << 20, 8 << 20, 0)


def test_samples_that_move_within_the_pools_are_flat_whatever_was_before_the_warm_up() -> None:
    early = replace(FLAT, frames=50_000, resident=1, dma_made=1, events=9)
    later = replace(
        FLAT, frames=1_200_000, resident=FLAT.resident + memory.RESIDENT, dma=FLAT.dma - memory.DMA
    )
    verdict = memory.judge([early, FLAT, later])
    assert verdict.flat and verdict.frames == 1_200_000 and verdict.resident == memory.RESIDENT


@pytest.mark.parametrize(
    "changes",
    [
        {"resident": FLAT.resident + memory.RESIDENT + 1},
        {"dma": FLAT.dma + memory.DMA + 1},
        {"dma_made": FLAT.dma_made + memory.MADE + 1},
        {"events": 1},
    ],
)
def test_one_figure_that_grows_is_not_flat(changes: dict[str, int]) -> None:
    assert not memory.judge([FLAT, replace(FLAT, **changes)]).flat


def test_one_sample_behind_the_warm_up_says_nothing() -> None:
    with pytest.raises(ValueError, match="nothing to compare"):
        memory.judge([replace(FLAT, frames=1), FLAT])


def test_regression_run_through_the_rtl_that_broke_off_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def simulate(module: str, *, environment: dict[str, str], **_: Any) -> None:
        result = Path(json.loads(environment[memory.JOB])["result"])
        result.write_text(
            "".join(json.dumps(asdict(replace(FLAT, frames=n))) + "\n" for n in (10_000, 20_000))
        )

    monkeypatch.setattr(memory.toolchain, "BUILD", tmp_path)
    monkeypatch.setattr(memory, "run_cocotb", simulate)
    monkeypatch.setattr("sys.argv", ["memory", "--rtl", "20001"])
    assert memory.main() == 1
    assert "the run to be measured failed" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["memory", "--rtl", "20000"])
    assert memory.main() == 0


@pytest.mark.slow
def test_regression_rounds_through_the_rtl_may_take_minutes_of_simulated_time() -> None:
    samples: list[Sample] = []
    memory.rtl(50_000, samples.append)
    assert len(samples) >= 2 and samples[-1].frames >= 50_000


def _traced(frames: int, warm: int) -> list[tuple[int, Sample]]:
    """Bytes that Python holds after each round but the first `warm`."""
    found: list[tuple[int, Sample]] = []
    tracemalloc.start()
    try:
        memory.golden(frames, lambda sample: found.append((tracemalloc.get_traced_memory()[0], sample)))
    finally:
        tracemalloc.stop()
    return found[warm:]


def _assert_flat(found: list[tuple[int, Sample]], room: int) -> None:
    assert len(found) >= 4
    half = len(found) // 2
    # The most of several: up to half of the receive rings waits for its refill between rounds.
    before, after = max(n for n, _ in found[:half]), max(n for n, _ in found[half:])
    assert after - before <= room, [n for n, _ in found]
    assert {sample.events for _, sample in found} == {0}
    # Memory once made is kept, so a round with a few more buffers at once than any before may add some.
    assert found[-1][1].dma_made - found[0][1].dma_made <= 4096


def test_rounds_of_tcp_and_udp_over_golden_nics_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "STREAM", 60_000)
    monkeypatch.setattr(rounds, "DATAGRAMS", 5)
    # A round is about 120 frames.
    _assert_flat(_traced(1_200, 4), 20_000)


@pytest.mark.slow
def test_a_hundred_thousand_frames_leave_nothing_behind() -> None:
    _assert_flat(_traced(100_000, 2), 20_000)
