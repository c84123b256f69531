"""A host whose stack is lwIP: driver, interface, TCP and UDP over one NIC; the other `pymodel.host.Host`."""

import types
from typing import Final

from pymodel.driver.virtio_net import VirtioNetDevice
from pymodel.lwip.library import Library
from pymodel.lwip.netif import LwipNetif
from pymodel.lwip.stack import LwipStack
from pymodel.lwip.tcp import Connection, Listener
from pymodel.lwip.udp import Pinger, UdpSocket
from pymodel.ports import DevicePort
from pymodel.scheduler import Scheduler
from pymodel.task import Blocking

__all__ = ["LwipHost"]

_NO_GATEWAY: Final = bytes(4)


class LwipHost:
    """lwIP over the NIC at `port`. `address` as in ``10.0.0.1/24``; `heap`: bytes for all of lwIP's memory.

    `queue_size`: descriptors in each ring, and therefore receive buffers in the device's hands; lwIP may hold
    `rx_buffers` more. Several of these may live in one process, each with its own lwIP.
    """

    def __init__(
        self,
        library: Library,
        scheduler: Scheduler,
        port: DevicePort,
        *,
        address: str,
        gateway: bytes = _NO_GATEWAY,
        heap: int = 1 << 20,
        rx_buffers: int = 256,
        queue_size: int = 256,
        seed: int = 0,
    ) -> None:
        self.scheduler = scheduler
        self.memory = port.memory
        # lwIP does not send a segment again while its pbuf is referred to, so completions must not wait for
        # the next frame: with an interrupt for each they do not.
        self.device = VirtioNetDevice(port, scheduler, queue_size=queue_size, napi_tx=True, scatter=True)
        self.stack = LwipStack(library, scheduler, port.memory, heap=heap, rx_buffers=rx_buffers, seed=seed)
        host, _, prefix = address.partition("/")
        self.address = bytes(map(int, host.split(".")))
        self._prefix = int(prefix or 32)
        self._gateway = gateway
        self._netif: LwipNetif | None = None

    @types.coroutine
    def bring_up(self) -> Blocking[None]:
        """Probe the NIC and give the interface its address. Raises ProbeError."""
        yield from self.device.probe()
        self._netif = LwipNetif(self.stack, self.device, self.address, self._prefix, self._gateway)

    @property
    def netif(self) -> LwipNetif:
        """The interface. Raises RuntimeError before `bring_up` is over."""
        if self._netif is None:
            raise RuntimeError("the interface is not up yet")
        return self._netif

    @types.coroutine
    def connect(self, address: bytes, port: int) -> Blocking[Connection]:
        """A TCP connection to `address`; see `Connection.connect`."""
        return (yield from Connection.connect(self.stack, address, port))

    def listen(self, port: int) -> Listener:
        """Accept TCP connections on `port`. Raises OSError."""
        return Listener(self.stack, port)

    def udp(self, port: int = 0) -> UdpSocket:
        """A UDP socket. Raises OSError."""
        return UdpSocket(self.stack, port)

    def pinger(self, ident: int = 1) -> Pinger:
        """For echo requests. Raises OSError."""
        return Pinger(self.stack, ident)
