"""A simulated host as the machine under test. The script is the rest of the world: its wire ends here."""

import errno
import ipaddress
import os
from collections.abc import Callable
from typing import Any, Final

from pymodel.host import Host, Nic
from pymodel.ports import Frame
from pymodel.regs import Side
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, NS, US
from pymodel.socket.constants import MSG_PEEK
from pymodel.socket.messages import EPOCH
from pymodel.socket.process import Process
from pymodel.task import Blocking, Wait
from pymodel.tcp.profile import Profile
from tb.packetdrill import shell
from tb.packetdrill.config import Config
from tb.packetdrill.errors import ScriptError
from tb.packetdrill.frames import MAC, arp_reply, arp_request, duration, frame, ip_packet
from tb.packetdrill.machine import BadAddress
from tb.packetdrill.wire import fragments

LARGEST: Final = 9000
"""The greatest IP packet that the NIC can be told to take (its parameter MTU_MAX)."""

_SETTLE: Final = 1 * MS
"""How long the machine may take over a packet that arrives: far more than it ever needs."""


def _flat(arguments: tuple[Any, ...]) -> list[Any]:
    return [x for argument in arguments for x in (argument if isinstance(argument, list) else [argument])]


class SimulatedMachine:
    """`pymodel.host.Host` over `nic`, whose wire is the script's."""

    def __init__(
        self,
        scheduler: Scheduler,
        nic: Nic,
        config: Config,
        profile: Profile,
        *,
        queue_size: int = 64,
    ) -> None:
        self.scheduler = scheduler
        self.config = config
        self._nic = nic
        length = ipaddress.IPv4Network(f"0.0.0.0/{config.netmask_ip}").prefixlen
        self.host = Host(
            "dut",
            scheduler,
            nic,
            address=f"{config.local_ip}/{length}",
            seed=1,
            profile=profile,
            queue_size=queue_size,
        )
        # packetdrill's own machine is behind a TUN device, whose packets are not joined.
        self.host.device.set_features(gro=False)
        self.shell = shell.Shell(self.host, config.directory)
        self.process = Process(self.host.kernel, "script")
        self._receive: Callable[[int, bytes], None] = lambda time, packet: None
        self._free_at = 0

    def start(self, receive: Callable[[int, bytes], None]) -> Blocking[None]:
        """Probe the NIC, set addresses and the route to the remote host."""
        self._receive = receive
        self._nic.set_wire_handler(self._sent)
        if self.config.mtu > LARGEST:
            raise ScriptError(f"--mtu={self.config.mtu}: the NIC takes at most {LARGEST}")
        # The NIC takes longer frames than the machine sends: what arrives may exceed the MTU.
        self._nic.write(Side.MTU, LARGEST)
        yield from self.host.bring_up()
        self.host.device.mtu = self.config.mtu
        gateway = ipaddress.IPv4Address(self.config.gateway_ip)
        if str(gateway) == self.config.local_ip:
            gateway += 1 if int(gateway) & 1 else -1  # some runners give the machine's own; there is one wire
        self.host.ip.add_route("0.0.0.0/0", str(gateway))
        # The machine knows its gateway from the start: the first packet must not be later than the others.
        self._deliver(arp_request(gateway.packed, ipaddress.IPv4Address(self.config.local_ip).packed))
        yield Wait(deadline=self.scheduler.now + _SETTLE)

    def _sent(self, sent: Frame) -> None:
        answer = arp_reply(sent.data, own=ipaddress.IPv4Address(self.config.local_ip).packed)
        if answer is not None:
            self._deliver(answer)
            return
        packet = ip_packet(sent.data)
        if packet is not None:
            self._receive(self.scheduler.now, packet)

    def _deliver(self, data: bytes) -> None:
        start = max(self.scheduler.now, self._free_at)
        end = start + duration(len(data))
        self._free_at = end
        self._nic.deliver(Frame(data, start, end))

    def call(self, name: str, *arguments: Any) -> Blocking[Any]:
        """See `Machine`."""
        method = getattr(self.host.kernel, name, None)
        if method is None:
            raise ScriptError(f"{name}() is not there")
        if any(isinstance(x, BadAddress) for x in _flat(arguments)):
            yield from self._fault(name, *arguments)
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        return (yield from method(self.process, *arguments))

    def _fault(self, name: str, fd: int, buffer: Any, *rest: Any) -> Blocking[None]:
        """What a call does before it finds that it cannot reach its buffer: all but the copy."""
        kernel = self.host.kernel
        if name in ("read", "recv"):
            yield from kernel.recv(self.process, fd, 1, MSG_PEEK | (rest[0] if rest else 0))
        elif name == "write":
            yield from kernel.write(self.process, fd, b"")
        elif name == "sendto":
            yield from kernel.sendto(self.process, fd, b"", *rest)
        else:
            yield from kernel.sendmsg(self.process, fd, [], *rest)

    def inject(self, packet: bytes) -> Blocking[None]:
        """See `Machine`: it is over when the driver has handed the frame to the stack."""
        stats = self.host.device.stats
        parts = fragments(packet, LARGEST)
        expected = stats.rx_packets + len(parts)
        limit = self.scheduler.now + _SETTLE
        for part in parts:
            self._deliver(frame(self.host.device.mac, MAC, part))
        while stats.rx_packets < expected and self.scheduler.now < limit:
            yield Wait(deadline=self.scheduler.now + US)

    def command(self, text: str) -> Blocking[None]:
        """See `Machine`."""
        yield from self.shell.run(text)

    def wall_clock(self) -> int:
        """See `Machine`."""
        return EPOCH * 1_000_000_000 + self.scheduler.now // NS

    def stop(self) -> None:
        """See `Machine`."""
        self.host.power_off()
