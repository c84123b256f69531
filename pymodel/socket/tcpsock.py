"""The TCP stream socket: Linux's `inet_stream_ops` and `tcp_prot` over `pymodel.tcp`.

Its events, its life and its data are the classes below it; here are its options: tcp(7), and those of
socket(7) and ip(7) that TCP must know.
"""

import errno
from typing import Any

from pymodel.socket import bsdoptions, tcpoptions, txstamps
from pymodel.socket import constants as c
from pymodel.socket.errors import error
from pymodel.socket.options import INT
from pymodel.socket.seam import Connection
from pymodel.socket.tcpdata import TcpData
from pymodel.tcp import State, tcpinfo


class TcpSocket(TcpData):
    """A SOCK_STREAM socket of AF_INET."""

    __slots__ = ()

    def take_error(self) -> int:
        """SO_ERROR."""
        if self.connection is not None:
            return self.connection.take_error()
        number, self._lost = self._lost, 0
        return number

    def option_stored(self, attribute: str) -> None:
        """Hand what TCP or the bind table must know on to them. Receive buffers count payload: half."""
        options = self.options
        if self._binding is not None:
            self._binding.reuse_address = bool(options.reuse_address)
            self._binding.reuse_port = bool(options.reuse_port)
        if attribute in ("keepalive", "oobinline"):
            self._tell_tcp(attribute, bool(getattr(options, attribute)))
        elif attribute == "numbers":
            self._tell_tcp("tos", options.number(c.IPPROTO_IP, c.IP_TOS))
            self._tell_tcp("ttl", options.number(c.IPPROTO_IP, c.IP_TTL))
        elif attribute == "send_buffer" and options.send_buffer is not None:
            self._tell_tcp("sndbuf", options.send_buffer)
            self._tcp_changed()
        elif attribute == "receive_buffer" and options.receive_buffer is not None:
            self._tell_tcp("rcvbuf", options.receive_buffer // options.overhead)

    def _tell_tcp(self, name: str, value: Any) -> None:
        self._tcp_options.update({name: value})
        if self.listener is not None:
            self.listener.options.update({name: value})
        if self.connection is not None:
            self.connection.set_option(name, value)

    def set_option(self, level: int, name: int, value: bytes) -> None:
        """setsockopt(2), with tcp(7)'s options."""
        if level != c.IPPROTO_TCP:
            had_id = txstamps.numbered(self.options)
            super().set_option(level, name, value)
            if txstamps.numbered(self.options) and not had_id:
                if self.connection is None or self.state == "CLOSED":
                    self.options.numbers[level, name] = 0
                    raise error(errno.EINVAL)
                self._stamp_base = self.connection.stamp_base(txstamps.from_written(self.options))
            return
        fast = (c.TCP_FASTOPEN, c.TCP_FASTOPEN_CONNECT, c.TCP_FASTOPEN_NO_COOKIE, c.TCP_FASTOPEN_KEY)
        listens = self.state == "LISTEN"
        if name in fast and self.state != "CLOSED" and not (listens and name != c.TCP_FASTOPEN_CONNECT):
            raise error(errno.EINVAL)
        if name == c.TCP_MD5SIG:
            self._tell_tcp("md5_keys", tcpoptions.parse_md5(value, self._tcp_options.md5_keys))
            return
        own = bsdoptions.parse(name, value) if self._bsd else None
        if own is not None:
            self._tell_tcp(*own)
            return
        spec = tcpoptions.INERT.get(name)
        if self._bsd and name == c.TCP_CONGESTION and value.rstrip(b"\0") == b"newreno":
            value = b"reno"  # Linux's name for it
        if spec is None:
            maxseg = int.from_bytes(self.get_option(level, name), "little") if self._bsd_maxseg(name) else 0
            self._tell_tcp(*tcpoptions.parse(name, value, closed=self.state == "CLOSED", maxseg=maxseg))
            return
        if len(value) < INT.size:
            raise error(errno.EINVAL)
        number = spec.check(INT.unpack_from(value)[0], self.uid)
        self._own[name] = number if name != c.TCP_THIN_DUPACK else 0  # Linux forgets that one
        if name == c.TCP_THIN_LINEAR_TIMEOUTS:
            self._tell_tcp("thin_linear_timeouts", bool(number))
        if name == c.TCP_QUICKACK and self.connection is not None:
            self.connection.set_quickack(bool(number))

    def _bsd_maxseg(self, name: int) -> bool:
        return self._bsd and name == c.TCP_MAXSEG

    def get_option(self, level: int, name: int) -> bytes:
        """getsockopt(2), with tcp(7)'s options; what the connection decides comes from there."""
        if not self._bsd:
            return self._option(level, name)
        if level == c.IPPROTO_TCP:
            value = bsdoptions.load(self._tcp_options, name, self.network.tcp.profile)
            if value is not None:
                return bsdoptions.shown(level, name, value)
        return bsdoptions.shown(level, name, self._option(level, name))

    def _option(self, level: int, name: int) -> bytes:
        connection = self.connection if self.state != "CLOSED" else None
        if level == c.IPPROTO_TCP:
            return self._tcp_option(name, connection)
        if level == c.SOL_SOCKET and connection is not None:
            overhead = self.options.overhead
            if name == c.SO_SNDBUF and (self._bsd or self.options.send_buffer is None):
                return INT.pack(connection.sndbuf)
            if name == c.SO_RCVBUF and (self._bsd or self.options.receive_buffer is None):
                return INT.pack(overhead * connection.rcvbuf)
        return super().get_option(level, name)

    def _tcp_option(self, name: int, connection: Connection | None) -> bytes:
        if name == c.TCP_INFO:
            return tcpinfo.pack(tcpinfo.in_bytes(self.info()) if self._bsd else self.info())
        if name == c.TCP_MAXSEG and connection is not None:
            return INT.pack(
                tcpinfo.in_bytes(connection.info())["snd_mss"] if self._bsd else connection.snd_mss
            )
        if name == c.TCP_QUICKACK and connection is not None:
            return INT.pack(int(connection.quickack))
        if name in (c.TCP_ULP, c.TCP_SAVED_SYN):
            return b""  # none
        if name in tcpoptions.INERT:
            return INT.pack(self._own.get(name, tcpoptions.INERT[name].default))
        profile = self.network.tcp.profile if connection is None else connection.profile
        return tcpoptions.show(self._tcp_options, name, profile)

    def memory(self) -> tuple[int, int, int, int]:
        """As SO_MEMINFO counts it."""
        if self.connection is None:
            return 0, 0, 0, 0
        received, queued = self.connection.memory_used
        return received, 0, queued, 0

    def info(self) -> dict[str, int]:
        """TCP_INFO by name: the connection's, or what Linux says of a socket that has none."""
        if self.connection is not None:
            return self.connection.info()
        info = dict.fromkeys(tcpinfo.FIELDS, 0)
        profile = self.network.tcp.profile
        info.update(state=tcpinfo.STATE_NUMBERS[State.CLOSED], rto=1_000_000, snd_mss=profile.default_mss)
        info.update(snd_cwnd=10, snd_ssthresh=tcpinfo.INFINITE_SSTHRESH, reordering=3)
        if self.listener is not None:
            info.update(state=tcpinfo.LISTEN, unacked=self.listener.pending, sacked=self.listener.backlog)
        return info
