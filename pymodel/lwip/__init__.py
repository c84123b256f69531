"""lwIP (the C library) as a second host stack, over the same driver, rings and NIC as the project's own.

``shim.c`` joins the library to Python: memory that a device can reach, simulated time, events. ``stack`` is
one running lwIP; ``netif`` hands its pbuf chains to the driver and received frames to it, without a copy;
``tcp`` and ``udp`` are what programs use.
"""

from pymodel.lwip.host import LwipHost
from pymodel.lwip.library import Library
from pymodel.lwip.tcp import Connection, Listener
from pymodel.lwip.udp import Pinger, UdpSocket

__all__ = ["Connection", "Library", "Listener", "LwipHost", "Pinger", "UdpSocket"]
