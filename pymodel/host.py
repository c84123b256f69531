"""The composition root: one simulated host, and a world of two hosts on a wire. Knows everybody."""

import errno
import hashlib
import random
import struct
from collections.abc import Callable, Collection
from typing import Any, Protocol

from pymodel.driver.virtio_net import VirtioNetDevice
from pymodel.golden.nic import GoldenNic
from pymodel.hostmem import HostMemory
from pymodel.ip.layer import IpLayer
from pymodel.ip.route import Route
from pymodel.link import Impairments, Link
from pymodel.ports import DevicePort, WirePort
from pymodel.regs import Feature
from pymodel.scheduler import Scheduler
from pymodel.simtime import SEC, US
from pymodel.socket.process import Program, check_programs
from pymodel.socket.programs import spawn
from pymodel.socket.syscalls import Kernel
from pymodel.task import Blocking, Task
from pymodel.tcp.layer import TcpLayer
from pymodel.tcp.profile import LINUX, Profile
from pymodel.udp import UdpLayer
from pymodel.wire import icmp, ipv4

GROUPS = bytes((224, 0, 0, 0))


class Nic(DevicePort, WirePort, Protocol):
    """A NIC with both of its seams: `pymodel.golden.nic.GoldenNic`, or `tb.cosim.rtl_nic.RtlNic`."""


class Host:
    """A host over one NIC: driver, IP, TCP, UDP, and a kernel that runs programs.

    `address`: as in `ip addr add`, e.g. ``10.0.0.1/24``. `names`: the hosts table of the simulated
    network. `seed` decides everything that a real host draws at random (ISN key, ports, IP ids).
    `without`: features of the NIC that are not used.
    """

    def __init__(
        self,
        name: str,
        scheduler: Scheduler,
        port: DevicePort,
        *,
        address: str,
        names: dict[str, bytes] | None = None,
        seed: int = 0,
        profile: Profile = LINUX,
        queue_size: int = 256,
        without: Collection[Feature] = (),
    ) -> None:
        self.name = name
        self.scheduler = scheduler
        self.port = port
        self.address = address
        self.memory = port.memory
        # Pages that segments refer to shall be free as soon as the device has sent them.
        pieces = profile.scatter_gather
        self.device = VirtioNetDevice(
            port, scheduler, queue_size=queue_size, scatter=pieces, napi_tx=pieces, without=without
        )
        self.device.set_features(gro=profile.gro)
        rng = random.Random(f"{seed}/{name}")
        self.ip = IpLayer(scheduler, self.memory, seed=rng.randrange(1 << 32))
        self.tcp = TcpLayer(
            scheduler,
            self.ip,
            profile=profile,
            secret=_secret(seed, name),
            memory=self.memory if pieces else None,
        )
        self.ip.register(ipv4.PROTO_TCP, self.tcp.input)
        self.ip.icmp.on_error[ipv4.PROTO_TCP] = self._tcp_error
        self.udp = UdpLayer(self.ip, self._port_unreachable)
        self.ip.register(ipv4.PROTO_UDP, self.udp.input)
        self.ip.icmp.on_error[ipv4.PROTO_UDP] = self._udp_error
        self.kernel = Kernel(
            scheduler,
            self.tcp,
            self.ip,
            self.ip.local_addresses,
            names if names is not None else {},
            rng.randrange(1 << 32),
            udp=self.udp,
        )

    def registered(self, size: int) -> memoryview:
        """`size` bytes of memory registered for DMA: a program may lend them to the device (MSG_ZEROCOPY)."""
        return self.memory.slice(self.memory.alloc(size), size)

    def bring_up(self) -> Blocking[None]:
        """Probe the NIC, then configure the address: `ip link set up`, `ip addr add`.

        Raises `pymodel.driver.errors.ProbeError` when the device is not one the driver can use.
        """
        yield from self.device.probe()
        own = self.ip.add_interface(self.device, self.address)
        # What a default route does for most hosts: groups are reached through the NIC.
        self.ip.routes.add(Route(GROUPS, 4, self.device, own.address))

    def spawn(self, program: Callable[..., Any], *args: Any, name: str | None = None) -> Program[Any]:
        """Run `program(*args)` in a process of its own: a coroutine function, or a plain blocking one.

        A blocking function gets a thread, and finds this host's network behind `import socket`.
        """
        return spawn(self.kernel, program, *args, name=name)

    def _tcp_error(self, error: int, src: bytes, dst: bytes, header: bytes) -> None:
        sport, dport, sequence = struct.unpack_from("!HHI", header)
        cause = self.ip.icmp.cause
        mtu = cause.info if cause is not None else 0
        self.tcp.unreachable(error, src, dst, sport, dport, sequence, mtu)

    def _udp_error(self, error: int, src: bytes, dst: bytes, header: bytes) -> None:
        sport, dport = struct.unpack_from("!HH", header)
        cause = self.ip.icmp.cause
        if error == errno.EMSGSIZE and cause is not None:
            self.ip.reduce_mtu(dst, cause.info)
        self.udp.unreachable(error, src, dst, sport, dport, cause=cause, payload=header[8:])

    def _port_unreachable(self, packet: bytes, src: bytes, dst: bytes) -> None:
        self.ip.icmp.report(icmp.UNREACHABLE, icmp.PORT_UNREACHABLE, packet, src, dst)

    def power_off(self) -> None:
        """End every program of this host; no thread is left behind."""
        self.kernel.power_off()


def _secret(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


class World:
    """Two hosts, A (10.0.0.1) and B (10.0.0.2), joined by a link; names ``a`` and ``b`` resolve.

    Either NIC may be golden or RTL. `impairments` and `delay` (ps) are those of the link. `without`: features
    that A does not use. `far`: B's NIC has a queue of its own (`Link`).
    """

    def __init__(
        self,
        scheduler: Scheduler,
        nic_a: Nic,
        nic_b: Nic,
        *,
        seed: int = 0,
        delay: int = 1 * US,
        impairments: Impairments | None = None,
        profile: Profile = LINUX,
        without: Collection[Feature] = (),
        far: Scheduler | None = None,
    ) -> None:
        self.scheduler = scheduler
        names = {"a": bytes((10, 0, 0, 1)), "b": bytes((10, 0, 0, 2))}
        self.link = Link(scheduler, nic_a, nic_b, delay=delay, impairments=impairments, seed=seed, far=far)
        self.a = Host(
            "a",
            scheduler,
            nic_a,
            address="10.0.0.1/24",
            names=names,
            seed=seed,
            profile=profile,
            without=without,
        )
        self.b = Host("b", scheduler, nic_b, address="10.0.0.2/24", names=names, seed=seed, profile=profile)

    @classmethod
    def golden(
        cls,
        *,
        seed: int = 0,
        delay: int = 1 * US,
        impairments: Impairments | None = None,
        profile: Profile = LINUX,
        iommu: bool = False,
    ) -> "World":
        """The two on golden NICs, with a scheduler of their own. `iommu`: see `HostMemory`."""
        scheduler = Scheduler()
        nic_a, nic_b = (
            GoldenNic(scheduler, HostMemory(iommu=iommu), mac=bytes((2, 0, 0, 0, 0, number)))
            for number in (1, 2)
        )
        return cls(scheduler, nic_a, nic_b, seed=seed, delay=delay, impairments=impairments, profile=profile)

    def start(self) -> None:
        """Run without a simulator (golden NICs) until both hosts are up. Raises TimeoutError, ProbeError."""
        up = self.bring_up()
        self.run(lambda: up.done)
        up.result()

    def bring_up(self) -> Task[None]:
        """Start both hosts; a task that is done when both interfaces have their addresses."""

        def both() -> Blocking[None]:
            first = Task(self.scheduler, self.a.bring_up(), "bring up a")
            second = Task(self.scheduler, self.b.bring_up(), "bring up b")
            yield from first.join()
            yield from second.join()

        return Task(self.scheduler, both(), "bring up")

    def run(self, done: Callable[[], bool], *, timeout: int = 1000 * SEC) -> None:
        """Run without a simulator (golden NICs) until `done()`.

        Raises TimeoutError after `timeout` ps, or when nothing is left that could happen.
        """
        scheduler = self.scheduler
        if not scheduler.run(done, scheduler.now + timeout):
            raise TimeoutError(f"not done at {scheduler.now / SEC:.9f} s of simulated time")

    def check_programs(self) -> None:
        """ProgramFailed if a program of either host has raised, and nobody has asked for its result."""
        check_programs(self.a.kernel, self.b.kernel)

    def power_off(self) -> None:
        """End every program on both hosts."""
        self.a.power_off()
        self.b.power_off()
