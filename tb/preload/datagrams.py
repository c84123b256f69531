"""A program's UDP socket: what arrives is packets over the pair, each behind its sender's address.

What the program sends is asked for, call by call: an error belongs to the call that deserves it.
"""

import errno
import select
import socket
from typing import TYPE_CHECKING

from pymodel.socket import constants as c
from pymodel.socket.messages import SockAddr
from pymodel.task import Task
from tb.preload import protocol
from tb.preload.ends import CHUNK, End

if TYPE_CHECKING:
    from tb.preload.service import Service

_NOW = c.MSG_DONTWAIT | c.MSG_NOSIGNAL


class DatagramEnd(End):
    """One UDP socket."""

    flushing = False

    def __init__(self, service: "Service", ident: int, fd: int, ours: socket.socket) -> None:
        super().__init__(service, ident, fd, ours)
        self._packet: bytes | None = None
        self.bound = False

    @property
    def delivering(self) -> bool:
        """Something has come that the program has not yet read."""
        return not self.gone and self._packet is not None

    def connect(self, address: SockAddr | None, nonblock: bool) -> None:
        """connect(2), which never blocks here."""
        self.service.kernel_call("connect", self.fd, address)

    def check_accept(self) -> None:
        """EOPNOTSUPP."""
        raise OSError(errno.EOPNOTSUPP, "accept")

    def check_shutdown(self, how: int) -> None:
        """shutdown(2)."""
        self.service.kernel_call("shutdown", self.fd, how)

    def send(self, data: bytes, flags: int, nonblock: bool, address: SockAddr | None) -> Task[int]:
        """sendto(2)."""
        flags |= c.MSG_NOSIGNAL | (c.MSG_DONTWAIT if nonblock else 0)
        service = self.service
        call = service.kernel.sendto(service.process, self.fd, data, flags, address)
        return Task(service.scheduler, call, "sendto")

    def pump(self) -> None:
        """Hand over what has come, as far as there is room; the rest waits where a kernel has it wait."""
        if self.hung_up:
            self.close()
            return
        while True:
            if self._packet is None:
                try:
                    data, sender = self.service.kernel_call("recvfrom", self.fd, CHUNK, _NOW)
                except BlockingIOError:
                    self._watch(0)
                    return
                except OSError as error:
                    self._packet = protocol.pack_failure(error.errno or errno.EIO)
                else:
                    self._packet = protocol.pack_address(sender or (bytes(4), 0)) + data
            try:
                self.ours.send(self._packet)
            except BlockingIOError:
                self._watch(select.EPOLLOUT)
                return
            except OSError:
                self.close()
                return
            self._packet = None
