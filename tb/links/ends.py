"""The two ends of a link's wire: who drives the NIC under test, and what is at the far end.

`fdwire tap`: our host drives it, the kernel's TAP is far. `fdwire vhost-user`: a client drives it over its
own memory; far is our host on a golden NIC, or the TAP.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pymodel.driver.probe import wanted
from pymodel.featurebits import bits_of, features_in
from pymodel.golden.nic import GoldenNic
from pymodel.host import Host, Nic
from pymodel.hostmem import HostMemory
from pymodel.link import Impairments, Link
from pymodel.ports import WirePort
from pymodel.regionmem import RegionMemory
from pymodel.regs import FEATURES_OFFERED, Feature
from pymodel.scheduler import Scheduler
from tb.links.options import HOST, LINUX, PREFIX, Options
from tb.links.port import TapPort
from tb.links.tap import IMPATIENT, PATIENT, Tap
from tb.links.vhost.device import Placed
from tb.links.vhost.server import Server

__all__ = ["ClientNic", "Ends", "client_ends", "tap_ends"]


class ClientNic(Nic, Placed, Protocol):
    """A NIC that a client can drive: its `memory` is a RegionMemory."""


@dataclass
class Ends:
    """`names`: of both, the NIC's first. What a run does not have is None."""

    names: tuple[str, str]
    link: Link
    host: Host | None = None
    tap: Tap | None = None
    port: TapPort | None = None
    server: Server | None = None

    @property
    def sending(self) -> bool:
        """The kernel's next frame must wait."""
        return self.port is None or self.port.sending

    def poll(self) -> None:
        """Take what has come from outside."""
        if self.port is not None:
            self.port.poll()
        if self.server is not None:
            self.server.poll()

    def close(self) -> None:
        """Let go of the descriptors."""
        if self.server is not None:
            self.server.close()
        if self.tap is not None:
            self.tap.close()


def tap_ends(scheduler: Scheduler, nic: Nic, options: Options) -> Ends:
    """Our host on `nic`, the kernel far. LinkError when the TAP cannot be made."""
    tap = _tap(options, LINUX)
    port = TapPort(scheduler, tap)
    return Ends(
        ("host", "linux"), _link(scheduler, nic, port, options), _host(scheduler, nic, options), tap, port
    )


def client_ends(
    scheduler: Scheduler,
    nic: ClientNic,
    options: Options,
    *,
    listener: socket.socket | None,
    watched: dict[int, Callable[[], None]],
    say: Callable[[str], None],
) -> Ends:
    """A vhost-user client on `nic`, far our host or, with `options.tap`, the kernel. `listener` … `say`: see
    `Server`.

    LinkError when the TAP cannot be made.
    """
    memory = nic.memory
    assert isinstance(memory, RegionMemory)
    ours = frozenset(features_in(FEATURES_OFFERED))
    offered = wanted([Feature[name] for name in options.without], ours)
    server = Server(
        scheduler,
        nic,
        memory,
        listener=listener,
        path=options.socket,
        offered=bits_of(offered),
        watched=watched,
        say=say,
    )
    if options.tap:
        tap = _tap(options, HOST)
        port = TapPort(scheduler, tap)
        link = _link(scheduler, nic, port, options)
        return Ends(("client", "linux"), link, tap=tap, port=port, server=server)
    far = GoldenNic(scheduler, HostMemory(), mac=b"\x02\0\0\0\0\2")
    link = _link(scheduler, nic, far, options)
    return Ends(("client", "host"), link, host=_host(scheduler, far, options), server=server)


def _tap(options: Options, address: str) -> Tap:
    tap = Tap(options.name)
    try:
        tap.configure(IMPATIENT if options.impaired else PATIENT, address)
    except BaseException:
        tap.close()
        raise
    return tap


def _link(scheduler: Scheduler, nic: WirePort, far: WirePort, options: Options) -> Link:
    impairments = Impairments(
        loss=options.loss, duplicate=options.duplicate, reorder=options.reorder, corrupt=options.corrupt
    )
    return Link(scheduler, nic, far, impairments=impairments, seed=options.seed)


def _host(scheduler: Scheduler, nic: Nic, options: Options) -> Host:
    names = {"a": _address(HOST), "client" if options.socket else "linux": _address(LINUX)}
    return Host("a", scheduler, nic, address=f"{HOST}/{PREFIX}", names=names, seed=options.seed)


def _address(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))
