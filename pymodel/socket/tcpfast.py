"""connect(2) and sendmsg(2) with TCP Fast Open: MSG_FASTOPEN and TCP_FASTOPEN_CONNECT (RFC 7413, tcp(7))."""

import errno
from typing import TYPE_CHECKING

from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.messages import SockAddr
from pymodel.task import Blocking
from pymodel.tcp.fastopen import CLIENT

if TYPE_CHECKING:
    from pymodel.socket.tcplife import TcpLife


def send(
    sock: "TcpLife", data: memoryview, flags: int, address: SockAddr | None, deadline: int | None
) -> Blocking[tuple[int, bool]]:
    """Open with as much of `data` as the SYN takes: (how much that was, that is all for now).

    Linux's tcp_sendmsg_fastopen. EOPNOTSUPP, EALREADY, EISCONN, EINPROGRESS when the SYN carries nothing and
    the call may not wait, or how the connection failed.
    """
    connection = sock.connection
    deferred = connection is not None and connection.syn_deferred
    if not deferred:
        if not sock.network.tcp.profile.fastopen & CLIENT:
            raise error(errno.EOPNOTSUPP)
        if sock.connecting:
            raise error(errno.EALREADY)
        if connection is not None or sock.listener is not None:
            raise error(errno.EISCONN)
        if address is None:
            raise error(errno.EINVAL)
        sock.open_fast(address, "data")
        connection = sock.connection
    assert connection is not None
    copied = connection.fast_open(data)
    connection.write_pending = copied < len(data)
    try:
        yield from sock.opened(deadline, errno.EINPROGRESS)
    except OSError as failure:
        if failure.errno == errno.EINPROGRESS and copied:
            return copied, True
        raise
    finally:
        connection.write_pending = False
    return copied, copied == len(data)


def wanted(sock: "TcpLife", flags: int) -> bool:
    """This send opens the connection."""
    connection = sock.connection
    return bool(flags & c.MSG_FASTOPEN) or (connection is not None and connection.syn_deferred)
