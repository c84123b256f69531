"""One send() through the RTL, step by step: from the system call to the wire, and its ACK back.

Nothing is instrumented for it: the steps are what shows at the NIC's ports (registers, AXI, XGMII, irq).
"""

import cocotb

from pymodel.capture import Capture
from pymodel.link import Direction
from pymodel.ports import Frame
from pymodel.regs import Reg
from pymodel.simtime import NS
from pymodel.wire.oneline import one_line
from tb import toolchain
from tb.block import run_nic
from tb.lockstep import events as ev
from tb.testbench import Testbench

OUT = toolchain.BUILD / "examples"
_QUEUES = ("RX ring", "TX ring")
_AREAS = {
    Reg.QUEUE_DESC_LOW: ("ring", 0),
    Reg.QUEUE_DESC_HIGH: ("ring", 32),
    Reg.QUEUE_DRIVER_LOW: ("driver", 0),
    Reg.QUEUE_DRIVER_HIGH: ("driver", 32),
    Reg.QUEUE_DEVICE_LOW: ("device", 0),
    Reg.QUEUE_DEVICE_HIGH: ("device", 32),
}


def server() -> None:
    import socket

    with socket.create_server(("b", 7)) as listener:
        connection, _ = listener.accept()
        connection.recv(2000)
        connection.recv(1)


class Journey:
    """Says what the NIC does, in nanoseconds from the call of send(). `steps`: (time, name, text)."""

    def __init__(self, bench: Testbench) -> None:
        self.began: int | None = None
        self.steps: list[tuple[int, str, str]] = []
        self._areas: dict[tuple[int, str], int] = {}
        self._queue = 0
        self._last: tuple[str, str, int] | None = None
        self._first, self._length = "", 0
        check = bench.checker
        assert check is not None

        def observe(event: ev.Event) -> None:
            check.observe(event)
            self.event(event)

        bench.rtl.observe(observe)

    def say(self, time: int, step: str, text: str) -> None:
        if self.began is not None:
            self.steps.append((time, step, f"{(time - self.began) / NS:10.1f} ns  {step:10}  {text}"))

    def event(self, event: ev.Event) -> None:
        match event:
            case ev.MmioWrite(_, Reg.QUEUE_SEL, value):
                self._queue = value
            case ev.MmioWrite(_, offset, value) if offset in _AREAS:
                area, shift = _AREAS[Reg(offset)]
                self._areas[self._queue, area] = self._areas.get((self._queue, area), 0) | value << shift
            case ev.MmioWrite(time, Reg.QUEUE_NOTIFY, value):
                self.say(time, "doorbell", f"QueueNotify = {value} ({_QUEUES[value]})")
            case ev.DmaRead(time, address, data):
                self.dma(time, address, len(data), "read")
            case ev.DmaWrite(time, address, data):
                self.dma(time, address, len(data), "written")
            case ev.WireOut(time, frame):
                self.say(frame.start, "wire out", f"first XGMII word: {one_line(frame.data)}")
                self.say(time, "wire out", f"end of the frame, {len(frame.data)} bytes with FCS")
            case ev.WireIn(time, frame):
                self.say(time, "wire in", one_line(frame.data))
            case ev.Irq(time, level):
                self.say(time, "interrupt", "raised" if level else "lowered")
            case _:
                pass

    def dma(self, time: int, address: int, length: int, done: str) -> None:
        """Bursts that follow each other are one step."""
        step, text = self.memory(address, done)
        if self.began is not None and self.steps and (step, done, address) == self._last:
            self._length += length
            self.steps.pop()
        else:
            self._first, self._length = text, length
        self._last = (step, done, address + length)
        self.say(time, step, f"{self._first}: {self._length} bytes {done}")

    def memory(self, address: int, done: str) -> tuple[str, str]:
        """What lies at `address`: the name of the step, and a text."""
        for (queue, area), base in self._areas.items():
            if area == "ring" and base <= address < base + 16 * 256:
                return (
                    "descriptor" if done == "read" else "used",
                    f"{_QUEUES[queue]}, slot {(address - base) // 16}",
                )
            if address == base:
                return "event", f"{_QUEUES[queue]}, {area} event suppression"
        return "payload", f"at {address:#x}"


@cocotb.test()
async def packet_journey(dut):
    bench = Testbench(dut)
    journey = Journey(bench)
    await bench.bring_up()
    OUT.mkdir(parents=True, exist_ok=True)
    with Capture((OUT / "packet_journey.pcapng").open("wb")) as capture:
        wire = capture.interface("wire")

        def sent(direction: Direction, frame: Frame) -> None:
            capture.frame(wire, frame, inbound=direction is Direction.B_TO_A)

        bench.link.on_frame = sent

        def client() -> None:
            import socket
            import time

            sock = socket.create_connection(("b", 7))
            time.sleep(0.001)
            journey.began = bench.scheduler.now
            journey.say(bench.scheduler.now, "send()", "called with 1000 bytes")
            sock.send(bytes(1000))
            journey.say(bench.scheduler.now, "send()", "returns: they are in the send buffer")
            time.sleep(0.0001)
            journey.began = None

        bench.b.spawn(server)
        await bench.run(bench.a.spawn(client))
        await bench.finish()
    journey.steps.sort(key=lambda step: step[0])
    (OUT / "packet_journey.txt").write_text("".join(f"{text}\n" for _, _, text in journey.steps))
    steps = [name for _, name, _ in journey.steps]
    for step in ("send()", "doorbell", "descriptor", "payload", "wire out", "used", "wire in", "interrupt"):
        assert step in steps, step
    assert steps.index("doorbell") < steps.index("payload") < steps.index("wire out")


def test_packet_journey() -> None:
    run_nic(__name__)


if __name__ == "__main__":
    run_nic("packet_journey")
    print((OUT / "packet_journey.txt").read_text(), end="")
