"""The NIC as vhost-user sees it: each order is the register accesses of a virtio-mmio driver (virtio 1.2
§4.2.3).
"""

from collections.abc import Callable
from typing import Final, Protocol

from pymodel.driver import probe
from pymodel.driver.probe import RingAreas
from pymodel.featurebits import features_in
from pymodel.ports import DevicePort, mmio_read
from pymodel.regs import Feature, Interrupt, Reg, Status
from pymodel.scheduler import Scheduler
from pymodel.simtime import US
from pymodel.task import Blocking, sleep_until
from tb.links.vhost.messages import ProtocolError

__all__ = ["QUEUES", "Device", "Placed"]

QUEUES: Final = 2

_PAUSE: Final = 20 * US
"""Between two lives of a ring (ps): who watches the NIC's DMA can tell them apart (tb/cpp/ring_rules.h)."""


class Placed(DevicePort, Protocol):
    """A NIC of which can be asked from outside how far it is."""

    def ring_used(self, queue: int) -> int:
        """Slots of `queue`'s ring that it has given back, since it was started last."""


class Device:
    """`port`: the NIC. `on_used()` when it interrupts for used buffers; `on_failed()` when it asks for a
    reset.
    """

    def __init__(self, port: Placed, scheduler: Scheduler) -> None:
        self.offered = 0
        """Feature bits, once `find` is through."""
        self.longest = 0
        """Greatest size of a ring, likewise."""
        self.on_used: Callable[[], None] = lambda: None
        self.on_failed: Callable[[], None] = lambda: None
        self._port = port
        self._scheduler = scheduler
        self._level = False
        self._serving = False
        self._acknowledged = 0
        """What was read from InterruptStatus last."""
        port.set_interrupt_handler(self._interrupt)

    def find(self) -> Blocking[None]:
        """Look what NIC it is. Raises ProbeError unless it is a virtio-net device."""
        yield from probe.identify(self._port)
        yield from self.reset()
        self.offered = yield from probe.offers(self._port)
        self._port.write(Reg.QUEUE_SEL, 0)
        self.longest = yield from mmio_read(self._port, Reg.QUEUE_NUM_MAX)

    def reset(self) -> Blocking[None]:
        """Status 0, until the NIC touches no memory any more. Raises ProbeError if it does not end."""
        yield from probe.reset(self._port, self._scheduler)

    def start(self, features: int) -> Blocking[None]:
        """Reset it and bring it to DRIVER_OK, with `features` and RING_RESET, by which single rings are
        stopped.

        Raises ProtocolError for features that the NIC does not take together; ProbeError.
        """
        wanted = features | 1 << Feature.RING_RESET
        yield from self.reset()
        accepted = yield from probe.negotiate(self._port, frozenset(features_in(wanted)))
        if missing := wanted & ~accepted:
            names = ", ".join(feature.name for feature in features_in(missing))
            raise ProtocolError(f"the client accepted {names} without the features that this needs")
        probe.drive(self._port)

    def start_ring(self, index: int, areas: RingAreas) -> Blocking[None]:
        """Let the NIC work on a ring, from its slot 0 on. Raises ProbeError if it does not."""
        yield from probe.setup_queue(self._port, index, areas)
        self.notify(index)  # what is there already was perhaps notified to somebody else

    def stop_ring(self, index: int) -> Blocking[int]:
        """Stop a ring (§2.6.1) and wait until nothing of it is in flight: the slots that were used."""
        yield from probe.reset_queue(self._port, index, self._scheduler)
        yield from sleep_until(self._scheduler.now + _PAUSE)
        return self._port.ring_used(index)

    def notify(self, index: int) -> None:
        """Ring the doorbell."""
        self._port.write(Reg.QUEUE_NOTIFY, index)

    # ------------------------------------------------------------------ interrupts

    def _interrupt(self, level: bool) -> None:
        self._level = level
        if level and not self._serving:
            self._serving = True
            self._look()

    def _look(self) -> None:
        self._port.read(Reg.INTERRUPT_STATUS, 4, self._serve)

    def _serve(self, bits: int) -> None:
        """The line is a level: look again until nothing is left.

        What a bit stands for is looked after when the next answer shows that the acknowledgement has arrived:
        up to then the bit may have been set once more.
        """
        due, self._acknowledged = self._acknowledged, bits
        if bits:
            self._port.write(Reg.INTERRUPT_ACK, bits)
        if due & Interrupt.USED_BUFFER:
            self.on_used()
        if due & Interrupt.CONFIG_CHANGE:
            self._port.read(Reg.STATUS, 4, self._changed)
        if bits or self._level:  # the line may have risen since the answer was taken
            self._look()
        else:
            self._serving = False

    def _changed(self, status: int) -> None:
        if status & Status.DEVICE_NEEDS_RESET:
            self.on_failed()
