"""Clock edges are left out only if they would change nothing: what happens is when it would be with them."""

import json
import shutil
from pathlib import Path
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from pymodel.simtime import CYCLE, MS, US
from pymodel.socket import AsyncSocket, sleep
from tb import toolchain
from tb.block import run_nic
from tb.lockstep import events as ev
from tb.memory_settings import MemorySettings
from tb.testbench import Testbench

FOREIGN = toolchain.ROOT / "tests" / "e2e" / "foreign"
HELD = 20_000
"""Cycles by which the other NIC's interrupt waits for further reasons."""
FOUND = Path("found.json")

MEMORIES = {
    "near": MemorySettings(),
    "slow": MemorySettings(
        read_latency=12,
        write_latency=8,
        jitter=8,
        stall_percent=30,
        read_bandwidth=0.125,
        write_bandwidth=0.125,
    ),
}


async def echoes(bench: Testbench, *sizes: int) -> None:
    """Each size goes from A to B and back, at leisure."""

    async def server() -> None:
        async with AsyncSocket() as listener:
            listener.bind(("b", 7))
            listener.listen()
            sock, _ = await listener.accept()
            while data := await sock.recv(65536):
                await sleep(3e-6)
                await sock.sendall(data)

    async def client() -> None:
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            for number, size in enumerate(sizes):
                await sock.sendall(bytes(size))
                await sock.recv_exactly(size)
                await sleep(7e-6 * number)

    bench.b.spawn(server)
    await bench.run(bench.a.spawn(client))


async def observed(dut: Any, memory: str, *, watched: bool) -> None:
    """What happens at the NIC's ports, and when, goes to `FOUND`."""
    bench = Testbench(dut, seed=1, lockstep=False)
    bench.rtl.configure_memory(MEMORIES[memory])
    events: list[ev.Event] = []
    bench.rtl.observe(events.append)

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clk)

    if watched:
        cocotb.start_soon(watch())
    began, before = bench.scheduler.now, bench.rtl.cycles()
    await bench.bring_up()
    await echoes(bench, 1, 100, 1500, 1, 700)
    bench.rtl.set_link(False)
    await bench.loop.run_for(20 * US)
    bench.rtl.set_link(True)
    await bench.loop.run_for(100 * US)
    share = (bench.rtl.cycles() - before) * CYCLE / (bench.scheduler.now - began)
    FOUND.write_text(json.dumps({"share": share, "events": [repr(event) for event in events]}))


@cocotb.test()
async def near_watched(dut: Any) -> None:
    await observed(dut, "near", watched=True)


@cocotb.test()
async def near_unwatched(dut: Any) -> None:
    await observed(dut, "near", watched=False)


@cocotb.test()
async def slow_watched(dut: Any) -> None:
    await observed(dut, "slow", watched=True)


@cocotb.test()
async def slow_unwatched(dut: Any) -> None:
    await observed(dut, "slow", watched=False)


@pytest.mark.parametrize("memory", list(MEMORIES))
def test_every_event_is_the_same_and_at_the_same_time_whether_edges_are_left_out_or_watched(
    memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FDWIRE_SEED", "1")
    found = []
    for how in ("watched", "unwatched"):
        where = f"{__name__}-{memory}-{how}"
        run_nic(__name__, f"{memory}_{how}", where=where)
        found.append(json.loads((toolchain.RUNS / where / FOUND).read_text()))
    all_edges, few_edges = found
    assert len(all_edges["events"]) > 300
    assert few_edges["events"] == all_edges["events"]
    assert all_edges["share"] > 0.99, "a cocotb coroutine sees every edge"
    assert few_edges["share"] < (0.2 if memory == "near" else 0.9)


@cocotb.test()
async def interrupt_comes_when_its_timer_says(dut: Any) -> None:
    bench = await Testbench.start(dut, seed=1, lockstep=False)
    events: list[ev.Event] = []
    bench.rtl.observe(events.append)
    await echoes(bench, 1, 100, 2000, 1)
    await bench.loop.run_for(MS)
    raised = [event.time for event in events if isinstance(event, ev.Irq) and event.level]
    written = [event.time for event in events if isinstance(event, ev.DmaWrite)]
    assert len(raised) > 5
    for time in raised:
        assert any(0 <= time - HELD * CYCLE - was <= 80 * CYCLE for was in written), time
    before = bench.rtl.cycles()
    await bench.loop.run_for(50 * MS)
    assert bench.rtl.cycles() - before < 100, "no interrupt waits: it is at rest"


@pytest.mark.parametrize(
    ("waits", "over"),
    [
        (f"held != {HELD}) held <= held + 64'd1", f"held == {HELD}"),
        # Nothing in it changes while it waits.
        ("held == 0) held <= $time", f"held != 0 && $time >= held + 64'd{HELD * CYCLE // 1000}"),
    ],
    ids=["counter", "time"],
)
def test_timer_in_a_nic_of_another_make_is_in_time_though_nothing_moves_at_its_ports(
    waits: str, over: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in FOREIGN.iterdir():
        shutil.copy(source, tmp_path)
    wrapper = tmp_path / "fdw_nic.v"
    text = wrapper.read_text()
    assert text.count(".interrupt(irq)") == 1 and text.count("endmodule") == 1
    timer = f"""
    wire due;
    reg [63:0] held = 64'd0;
    reg late = 1'b0;
    always @(posedge clk) begin
        if (!due) held <= 64'd0;
        else if ({waits};
        late <= due && ({over});
    end
    assign irq = due && late;

endmodule"""
    wrapper.write_text(text.replace(".interrupt(irq)", ".interrupt(due)").replace("endmodule", timer))
    monkeypatch.setattr(toolchain, "RTL", tmp_path)
    run_nic(__name__, "interrupt_comes_when_its_timer_says", where=f"{__name__}-timer")
