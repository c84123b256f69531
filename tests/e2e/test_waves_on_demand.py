"""Waves that are switched on and off at run time, and those of a stretch that is over already."""

import json
import os
from io import StringIO
from pathlib import Path
from typing import Any

import cocotb
import pytest
from rich.console import Console

from pymodel.simtime import CYCLE, NS, US
from pymodel.socket import AsyncSocket
from tb import toolchain
from tb.block import run_nic
from tb.cosim.waves import WavesUnavailable
from tb.sim import command
from tb.sim.options import Options
from tb.testbench import Disagreement, Testbench
from tb.waves.wavefile import WaveFile

CLOCK, IRQ = "fdw_tb.clk", "fdw_tb.irq"


def span(path: Path) -> tuple[int, int]:
    """First and last change of the clock."""
    changes = WaveFile(path).changes(CLOCK)
    return changes[0][0], changes[-1][0]


async def echo(bench: Testbench, count: int) -> None:
    """`count` bytes from A to B and back."""

    async def server() -> None:
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        connection, _ = await listener.accept()
        while data := await connection.recv(65536):
            await connection.sendall(data)

    async def client() -> int:
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            await sock.sendall(bytes(count))
            return len(await sock.recv_exactly(count))

    bench.b.spawn(server)
    assert await bench.run(bench.a.spawn(client)) == count


@cocotb.test()
async def waves_between_start_and_stop_are_in_the_file_and_no_others(dut: Any) -> None:
    bench = await Testbench.start(dut)
    for name in ("first", "second"):
        await bench.loop.run_for(30 * US)
        began = bench.scheduler.now
        path = bench.waves.start(name)
        await echo_once(bench)
        bench.waves.stop()
        first, last = span(path)
        assert began <= first <= began + CYCLE
        assert bench.scheduler.now - CYCLE <= last <= bench.scheduler.now
        assert WaveFile(path).first_leave(IRQ) is not None
    with pytest.raises(WavesUnavailable, match="no waves are being recorded"):
        bench.waves.stop()


async def echo_once(bench: Testbench) -> None:
    """A ping's worth of traffic: an ARP request at least, without a server."""

    async def client() -> None:
        sock = AsyncSocket()
        with pytest.raises(ConnectionRefusedError):
            await sock.connect(("b", 9))

    await bench.run(bench.a.spawn(client))


@cocotb.test()
async def waves_with_a_duration_end_by_themselves(dut: Any) -> None:
    bench = await Testbench.start(dut)
    path = bench.waves.start("some", duration=5 * US)
    await echo(bench, 20_000)
    first, last = span(path)
    assert 5 * US - 2 * CYCLE <= last - first <= 5 * US


@cocotb.test()
async def waves_of_the_last_microseconds_are_those_that_a_recording_of_the_same_run_has(dut: Any) -> None:
    """Twice the same run: recorded from its start, and looked back at from its end."""
    recorded = await Testbench.start(dut, seed=3)
    whole = recorded.waves.start("whole")
    began = recorded.scheduler.now
    await echo(recorded, 30_000)
    recorded.waves.stop()
    took = recorded.scheduler.now - began
    await recorded.finish()

    bench = await Testbench.start(dut, seed=3)
    bench.waves.keep(20 * US)
    again = bench.scheduler.now
    await echo(bench, 30_000)
    assert bench.scheduler.now - again == took
    path = bench.waves.show("last")
    first, last = span(path)
    assert 20 * US - 2 * CYCLE <= last - first <= 20 * US
    shift = again - began
    for signal in (IRQ, "fdw_tb.txc", "fdw_tb.m_araddr", "fdw_tb.nic.m_axi_wstrb"):
        mine = [change for change in WaveFile(path).changes(signal) if change[0] > first]
        theirs = [(time + shift, value) for time, value in WaveFile(whole).changes(signal)]
        assert mine
        assert mine == [change for change in theirs if first < change[0] <= last], signal
    bench.waves.keep(0)
    await bench.finish()


@cocotb.test()
async def planted_failure_leaves_the_waves_before_it(dut: Any) -> None:
    bench = await Testbench.start(dut)
    bench.waves.keep(15 * US)
    await bench.loop.run_for(50 * US)
    bench.rtl.plant("used length")
    with pytest.raises(Disagreement, match=r"the waves before the first one: .*mismatch\.") as caught:
        await echo_once(bench)
        await bench.finish()
    assert bench.checker is not None and bench.mismatch_waves is not None
    failed = bench.checker.mismatches[0].time
    first, last = span(bench.mismatch_waves)
    assert str(bench.mismatch_waves) in str(caught.value)
    assert failed - 15 * US - CYCLE <= first and failed <= last <= failed + US
    assert WaveFile(bench.mismatch_waves).changes("fdw_tb.m_wdata")
    bench.waves.keep(0)


@cocotb.test()
async def waves_around_a_moment_have_what_was_before_and_after_it(dut: Any) -> None:
    bench = await Testbench.start(dut)
    bench.waves.keep(30 * US)
    await bench.loop.run_for(40 * US)
    moment = bench.scheduler.now
    path = bench.waves.around("moment", after=10 * US)
    with pytest.raises(WavesUnavailable, match="not enough for 30 µs more"):
        bench.waves.around("later", after=30 * US)
    await bench.loop.run_for(20 * US)
    first, last = span(path)
    assert moment - 20 * US <= first <= moment - 20 * US + 2 * CYCLE
    assert moment + 10 * US - CYCLE <= last <= moment + 10 * US + CYCLE
    bench.waves.keep(0)


@cocotb.test()
async def looking_back_a_second_time_works_as_soon_as_there_is_another_snapshot(dut: Any) -> None:
    bench = await Testbench.start(dut)
    bench.waves.keep(10 * US)
    for name in ("one", "two"):
        await echo_once(bench)
        await bench.loop.run_for(20 * US)
        path = bench.waves.show(name)
        assert 10 * US - 2 * CYCLE <= span(path)[1] - span(path)[0] <= 10 * US
    bench.waves.keep(0)
    with pytest.raises(WavesUnavailable, match="after `keep` only"):
        bench.waves.show("three")


@cocotb.test()
async def no_snapshot_and_no_script_is_left_behind(dut: Any) -> None:
    bench = await Testbench.start(dut)
    bench.waves.keep(10 * US)
    await bench.loop.run_for(20 * US)
    assert list(Path.cwd().glob(".history*"))
    bench.waves.keep(0)
    assert not list(Path.cwd().glob(".history*"))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_waves_on_demand() -> None:
    run_nic(__name__, waves=True)


@pytest.mark.parametrize("plant", ["", "used length"])
def test_run_with_the_last_microseconds_has_those_before_its_mismatch_or_its_end(
    plant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "FAILURES", Path("off"))
    options = Options(out=str(tmp_path), blob=20_000, plant=plant)
    command.run(options, waves="last:20", console=Console(file=StringIO()))
    summary = json.loads((tmp_path / "summary.json").read_text())
    waves = tmp_path / summary["waves"]
    first, last = span(waves)
    assert {".history"} & {path.name[:8] for path in tmp_path.iterdir()} == set()
    end = summary["simulated_ns"] * NS
    if plant:
        failed = round(float(summary["mismatch_reports"][0].split()[0]) * NS)
        assert failed < 20 * US and first < CYCLE
        assert failed - CYCLE <= last <= failed + US < end - 100 * US
    else:
        assert 10 * US <= last - first <= 20 * US  # edges of a quiet NIC are left out
        assert end - 500 * US <= last <= end - 100 * US  # the check of a quiet NIC comes behind
