"""A Linux TAP interface (Documentation/networking/tuntap.rst): Ethernet frames without padding and FCS."""

import contextlib
import errno
import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

from tb.links.errors import LinkError
from tb.links.options import PREFIX

DEVICE: Final = "/dev/net/tun"

# linux/if_tun.h
_TUNSETIFF: Final = 0x400454CA
_IFF_TAP: Final = 0x0002
_IFF_NO_PI: Final = 0x1000
_IFF_TUN_EXCL: Final = 0x8000

QUEUE: Final = 100_000
"""Frames that may wait in the interface: the NIC is slow, and a full queue would drop."""

PATIENT: Final = 10_000
"""The kernel's least retransmission timeout (ms) where no frame gets lost: what is late is only simulated."""
IMPATIENT: Final = 1_000
"""The same where frames do get lost and somebody has to send them again."""

PROBES: Final = 60
"""ARP requests, one a second, before the kernel gives our host up."""

MAX_FRAME: Final = 65536

_EARLY: Final = Path("/proc/sys/net/ipv4/tcp_early_retrans")


class Tap:
    """An interface `name` in the network namespace of this process; it is gone when it is closed.

    LinkError when the system gives none.
    """

    def __init__(self, name: str, *, device: str = DEVICE) -> None:
        self.name = name
        try:
            self.fd = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise LinkError(_unopened(device, error)) from None
        request = struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_TUN_EXCL)
        try:
            fcntl.ioctl(self.fd, _TUNSETIFF, request)
        except OSError as error:
            os.close(self.fd)
            raise LinkError(_unnamed(name, error)) from None

    def configure(self, rto_min: int, address: str) -> None:
        """Give it the kernel's `address` and bring it up; `rto_min` (ms): see `PATIENT`.

        LinkError when ip(8) is missing or refuses.
        """
        ip = shutil.which("ip") or shutil.which("ip", path="/usr/sbin:/sbin")
        if ip is None:
            raise LinkError("ip is not installed: it configures the interface (apt install iproute2)")
        network = f"{address.rpartition('.')[0]}.0/{PREFIX}"
        lines = (
            "link set lo up",
            # No address of IPv6, so that the kernel is silent until somebody speaks.
            f"link set {self.name} addrgenmode none txqueuelen {QUEUE}",
            f"address add {address}/{PREFIX} dev {self.name}",
            # A neighbour that computes for seconds is still there.
            f"ntable change name arp_cache dev {self.name} ucast_probes {PROBES} mcast_probes {PROBES}",
            f"link set {self.name} up",
            f"route replace {network} dev {self.name} proto kernel scope link src {address} "
            f"rto_min {rto_min}ms",
        )
        done = subprocess.run(
            [ip, "-batch", "-"], input="\n".join(lines), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise LinkError(f"{self.name} cannot be configured: {' '.join(done.stderr.split())}")
        if rto_min == PATIENT:
            # A tail loss probe (RFC 8985 §7.2) comes after two round trips, whatever `rto_min` is.
            with contextlib.suppress(OSError):  # /proc/sys may be read-only in a container
                _EARLY.write_text("0")

    def read(self) -> bytes | None:
        """The next frame that the kernel sends, or None if none waits."""
        try:
            return os.read(self.fd, MAX_FRAME)
        except BlockingIOError:
            return None

    def write(self, frame: bytes) -> bool:
        """Hand a frame to the kernel; False if it does not take it (the interface was set down)."""
        try:
            os.write(self.fd, frame)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Let go of the interface."""
        os.close(self.fd)


def _unopened(device: str, error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{device} may not be opened by this user: run as root, or have it opened to all (chmod 666)"
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return f"there is no {device}: load the module (modprobe tun), or give the container the device"
    return f"{device} cannot be opened: {os.strerror(error.errno or 0)}"


def _unnamed(name: str, error: OSError) -> str:
    if error.errno in (errno.EBUSY, errno.EINVAL, errno.EEXIST):
        return f"there can be no interface {name}, the name is taken or none: choose another with --name"
    if error.errno in (errno.EPERM, errno.EACCES):
        return f"no interface {name} may be made here: it takes CAP_NET_ADMIN in the network namespace"
    return f"no interface {name}: {os.strerror(error.errno or 0)}"
