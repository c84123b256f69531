"""What one client has said, carried out on the NIC. Sections are those of QEMU's docs/interop/vhost-
user.rst.
"""

import os
from collections.abc import Callable, Mapping
from typing import Final

from pymodel.featurebits import features_in
from pymodel.regionmem import RegionMemory
from pymodel.regs import EVENT_BYTES, FEATURES_REQUIRED, EventFlag, Feature, Status
from pymodel.task import Blocking
from tb.links.vhost import messages
from tb.links.vhost.device import QUEUES, Device
from tb.links.vhost.kicks import Kicks
from tb.links.vhost.messages import Message, ProtocolError, ProtocolFeature, Request
from tb.links.vhost.rings import Ring, eventfd, position
from tb.links.vhost.table import MemoryTable

__all__ = ["HIDDEN", "Backend"]

_PROTOCOL: Final = 1 << 30
"""VHOST_USER_F_PROTOCOL_FEATURES (section "Feature negotiation")."""

HIDDEN: Final = 1 << Feature.ACCESS_PLATFORM
"""Not offered to a client, to whom it means an IOMMU: there is none between the client's memory and the
NIC.
"""

_Answer = bytes | None
_Handler = Callable[["Backend", Message], Blocking[_Answer]]


class Backend:
    """`memory` is what the NIC reaches: the client's. `kicks`: where its notifications are waited for.
    `offered`: the feature bits that it may have.

    `say` gets clauses for the user. `handle` each message, `close` in any case.
    """

    def __init__(
        self, device: Device, memory: RegionMemory, kicks: Kicks, offered: int, say: Callable[[str], None]
    ) -> None:
        self._device = device
        self._memory = memory
        self._kicks = kicks
        self._offered = offered
        self._say = say
        self._features = 0
        self._protocol = 0
        self._status = 0
        """Device status as the client has set it (with STATUS only)."""
        self._table: MemoryTable | None = None
        self._rings = [Ring(index) for index in range(QUEUES)]
        device.on_used = self._used

    def handle(self, message: Message) -> Blocking[_Answer]:
        """Do what `message` says; the answer, if there is to be one.

        Raises ProtocolError; then, too, its descriptors are taken care of.
        """
        answer = yield from _HANDLERS[message.request](self, message)
        if answer is None and self.acknowledges(message.need_reply):
            answer = messages.pack_u64(0)
        return None if answer is None else messages.reply(message.request, answer)

    def acknowledges(self, need_reply: bool) -> bool:
        """Is the client told how a message without an answer of its own went (section "REPLY_ACK")?"""
        return need_reply and bool(self._protocol >> ProtocolFeature.REPLY_ACK & 1)

    def fail(self) -> Blocking[None]:
        """The NIC asks for a reset: do that, and tell the client as far as it can be told."""
        for ring in self._rings:
            if ring.running:
                self._halt(ring)
                ring.failed = True
                ring.signal_error()
        if self._status:
            self._status |= Status.DEVICE_NEEDS_RESET
        yield from self._device.reset()

    def close(self) -> Blocking[None]:
        """The client has gone: the NIC stops and forgets its memory."""
        for ring in self._rings:
            self._halt(ring)
            ring.close()
        yield from self._device.reset()
        self._memory.replace(())
        if self._table is not None:
            self._table.close()

    # ------------------------------------------------------------------ rings

    def _should_run(self, ring: Ring) -> bool:
        """Section "Ring states"; with STATUS the driver says besides when it is ready (virtio 1.2 §3.1.1)."""
        ready = self._status & Status.DRIVER_OK or not self._protocol >> ProtocolFeature.STATUS & 1
        enabled = ring.enabled or not self._features & _PROTOCOL
        return ring.described and bool(self._features) and bool(ready) and enabled and not ring.failed

    def _update(self) -> Blocking[None]:
        """Start and stop what has to be, now."""
        for ring in self._rings:
            if ring.running and not self._should_run(ring):
                yield from self._stop(ring)
        for ring in self._rings:
            if not ring.running and self._should_run(ring):
                yield from self._start(ring)

    def _start(self, ring: Ring) -> Blocking[None]:
        lacking = FEATURES_REQUIRED & ~self._features
        if lacking:
            names = " and ".join(feature.name for feature in features_in(lacking))
            raise ProtocolError(
                f"the driver did not accept {names}, without which the NIC does nothing: "
                "it takes packed_vq=1 (DPDK) or packed=on (QEMU)"
            )
        ring.check_start()
        areas = ring.place(self._table)
        if not any(other.running for other in self._rings):
            yield from self._device.start(self._features & ~_PROTOCOL)
        yield from self._device.start_ring(ring.index, areas)
        ring.areas = areas
        ring.running = True
        self._listen(ring)
        if all(other.running for other in self._rings):
            self._tell()

    def _tell(self) -> None:
        """Both ways are open."""
        assert self._table is not None
        features = features_in(self._features & ~_PROTOCOL & ~FEATURES_REQUIRED)
        names = ", ".join(feature.name for feature in features)
        sizes = " and ".join(f"{ring.size}" for ring in self._rings)
        mib = self._table.bytes / (1 << 20)
        self._say(f"runs with rings of {sizes}, {mib:,.0f} MiB, features: {names or 'none but the required'}")

    def _listen(self, ring: Ring) -> None:
        assert ring.kick is not None
        self._kicks.add(ring.kick, lambda: self._device.notify(ring.index))

    def _halt(self, ring: Ring) -> None:
        """Nothing of the client's sets the ring in motion any more."""
        if ring.running:
            assert ring.kick is not None
            self._kicks.remove(ring.kick)
            ring.running = False
            ring.areas = None

    def _stop(self, ring: Ring) -> Blocking[None]:
        """Stop it on the NIC, and remember where it is."""
        self._halt(ring)
        used = yield from self._device.stop_ring(ring.index)
        ring.base = position(used, ring.size)
        if not any(other.running for other in self._rings):
            yield from self._device.reset()

    def _stop_all(self) -> Blocking[None]:
        for ring in self._rings:
            if ring.running:
                yield from self._stop(ring)
            ring.failed = False

    def _used(self) -> None:
        """The NIC interrupts, for one ring or the other: signal those whose driver wants it (virtio 1.2
        §2.8.10).
        """
        for ring in self._rings:
            if ring.areas is not None:
                event = self._memory.read(ring.areas.driver_address, EVENT_BYTES)
                if event[2] & 3 != EventFlag.DISABLE:
                    ring.signal()

    def _ring(self, index: int, what: Request) -> Ring:
        if index >= QUEUES:
            raise ProtocolError(f"{what.name} for ring {index}; there are {QUEUES}")
        return self._rings[index]

    # ------------------------------------------------------------------ messages

    def _get_features(self, message: Message) -> Blocking[_Answer]:
        yield from ()
        return messages.pack_u64(self._offered | _PROTOCOL)

    def _set_features(self, message: Message) -> Blocking[_Answer]:
        asked = messages.u64(message.payload)
        foreign = asked & ~(self._offered | _PROTOCOL)
        if foreign:
            raise ProtocolError(f"SET_FEATURES accepts what is not offered: {foreign:#x}")
        if asked != self._features and any(ring.running for ring in self._rings):
            raise ProtocolError("SET_FEATURES changes the features while rings run")
        self._features = asked
        yield from self._update()
        return None

    def _get_protocol_features(self, message: Message) -> Blocking[_Answer]:
        yield from ()
        return messages.pack_u64(messages.PROTOCOL_FEATURES)

    def _set_protocol_features(self, message: Message) -> Blocking[_Answer]:
        asked = messages.u64(message.payload)
        if foreign := asked & ~messages.PROTOCOL_FEATURES:
            raise ProtocolError(f"SET_PROTOCOL_FEATURES accepts what is not offered: {foreign:#x}")
        self._protocol = asked
        yield from self._update()
        return None

    def _nothing(self, message: Message) -> Blocking[_Answer]:
        yield from ()
        return None

    def _disable_all(self, message: Message) -> Blocking[_Answer]:
        """RESET_OWNER: "recommended that back-ends either ignore this message, or use it to disable all
        rings".
        """
        for ring in self._rings:
            ring.enabled = False
        yield from self._stop_all()
        return None

    def _reset_device(self, message: Message) -> Blocking[_Answer]:
        yield from self._disable_all(message)
        self._features = self._status = 0
        return None

    def _set_mem_table(self, message: Message) -> Blocking[_Answer]:
        yield from ()
        new = MemoryTable(messages.memory_table(message.payload), message.fds)
        try:
            for ring in self._rings:
                if ring.running and ring.place(new) != ring.areas:
                    raise ProtocolError(f"{ring.name} runs, and with the new memory it would be elsewhere")
        except ProtocolError:
            new.close()
            raise
        self._memory.replace(new.regions)
        if self._table is not None:
            self._table.close()
        self._table = new
        return None

    def _set_vring_num(self, message: Message) -> Blocking[_Answer]:
        state = messages.vring_state(message.payload)
        ring = self._ring(state.index, message.request)
        if not 0 < state.number <= self._device.longest:
            raise ProtocolError(
                f"{ring.name} has {state.number} slots; 1 to {self._device.longest} are possible"
            )
        if ring.running and state.number != ring.size:
            raise ProtocolError(f"{ring.name} gets another size while it runs")
        ring.size = state.number
        yield from self._update()
        return None

    def _set_vring_addr(self, message: Message) -> Blocking[_Answer]:
        address = messages.vring_address(message.payload)
        ring = self._ring(address.index, message.request)
        if ring.running and address != ring.address:
            raise ProtocolError(f"{ring.name} gets another address while it runs")
        ring.address = address
        yield from self._update()
        return None

    def _set_vring_base(self, message: Message) -> Blocking[_Answer]:
        state = messages.vring_state(message.payload)
        ring = self._ring(state.index, message.request)
        if ring.running:
            raise ProtocolError(f"{ring.name} gets another position while it runs")
        ring.base = state.number
        ring.failed = False
        yield from self._update()
        return None

    def _get_vring_base(self, message: Message) -> Blocking[_Answer]:
        """Also the order to stop the ring, until there is a new SET_VRING_KICK (section "Ring states")."""
        ring = self._ring(messages.vring_state(message.payload).index, message.request)
        if ring.running:
            yield from self._stop(ring)
        ring.failed = False
        if ring.kick is not None:
            os.close(ring.kick)
            ring.kick = None
        return messages.pack_state(ring.index, ring.base)

    def _set_vring_kick(self, message: Message) -> Blocking[_Answer]:
        ring, fd = self._file(message)
        if fd is None:
            raise ProtocolError(f"{ring.name} has no descriptor for notifications: polling is not offered")
        old, ring.kick = ring.kick, fd
        if old is not None:
            self._kicks.remove(old)
            os.close(old)
        if ring.running:
            self._listen(ring)
        yield from self._update()
        return None

    def _set_vring_call(self, message: Message) -> Blocking[_Answer]:
        yield from ()
        ring, fd = self._file(message)
        old, ring.call = ring.call, fd
        if old is not None:
            os.close(old)
        if ring.running:
            ring.signal()  # for one that nobody looked at any more
        return None

    def _set_vring_err(self, message: Message) -> Blocking[_Answer]:
        yield from ()
        ring, fd = self._file(message)
        old, ring.err = ring.err, fd
        if old is not None:
            os.close(old)
        return None

    def _file(self, message: Message) -> tuple[Ring, int | None]:
        """The ring and the descriptor, from now on the ring's, of SET_VRING_KICK, CALL and ERR."""
        fd = message.fds[0] if message.fds else None
        try:
            ring = self._ring(messages.vring_file(message.payload), message.request)
            return ring, None if fd is None else eventfd(fd, f"{message.request.name} for {ring.name}")
        except ProtocolError:
            if fd is not None:
                os.close(fd)
            raise

    def _set_vring_enable(self, message: Message) -> Blocking[_Answer]:
        state = messages.vring_state(message.payload)
        self._ring(state.index, message.request).enabled = bool(state.number)
        yield from self._update()
        return None

    def _set_status(self, message: Message) -> Blocking[_Answer]:
        status = messages.u64(message.payload)
        if status > 0xFF:
            raise ProtocolError(f"SET_STATUS {status:#x}: a device status has eight bits")
        if not status:
            yield from self._stop_all()
        self._status = status
        yield from self._update()
        return None

    def _get_status(self, message: Message) -> Blocking[_Answer]:
        yield from ()
        return messages.pack_u64(self._status)


_HANDLERS: Final[Mapping[Request, _Handler]] = {
    Request.GET_FEATURES: Backend._get_features,
    Request.SET_FEATURES: Backend._set_features,
    Request.SET_OWNER: Backend._nothing,
    Request.RESET_OWNER: Backend._disable_all,
    Request.SET_MEM_TABLE: Backend._set_mem_table,
    Request.SET_VRING_NUM: Backend._set_vring_num,
    Request.SET_VRING_ADDR: Backend._set_vring_addr,
    Request.SET_VRING_BASE: Backend._set_vring_base,
    Request.GET_VRING_BASE: Backend._get_vring_base,
    Request.SET_VRING_KICK: Backend._set_vring_kick,
    Request.SET_VRING_CALL: Backend._set_vring_call,
    Request.SET_VRING_ERR: Backend._set_vring_err,
    Request.GET_PROTOCOL_FEATURES: Backend._get_protocol_features,
    Request.SET_PROTOCOL_FEATURES: Backend._set_protocol_features,
    Request.SET_VRING_ENABLE: Backend._set_vring_enable,
    Request.RESET_DEVICE: Backend._reset_device,
    Request.SET_STATUS: Backend._set_status,
    Request.GET_STATUS: Backend._get_status,
}
