"""TCP: RFC 9293 as a sans-IO machine, and the demultiplexer that runs it on the scheduler.

`TcpLayer` is the entry. `input` and `output` hold the protocol, `tcb` its variables, `profile` its
figures, which `sysctl` changes by Linux's names; `options` what a program may ask for. `connection` and
`listener` are what a socket layer holds on to, `tcpinfo` what it shows of them.
"""

from pymodel.tcp.connection import TcpConnection
from pymodel.tcp.ipsender import IpSender
from pymodel.tcp.layer import TcpLayer
from pymodel.tcp.listener import Listener
from pymodel.tcp.options import TcpOptions
from pymodel.tcp.profile import EMBEDDED, FREEBSD, LINUX, PROFILES, Profile
from pymodel.tcp.state import State

__all__ = [
    "EMBEDDED",
    "FREEBSD",
    "LINUX",
    "PROFILES",
    "IpSender",
    "Listener",
    "Profile",
    "State",
    "TcpConnection",
    "TcpLayer",
    "TcpOptions",
]
