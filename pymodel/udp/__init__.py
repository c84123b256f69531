"""UDP of one host (RFC 768, RFC 1122 §4.1), sans-IO: `UdpLayer` between IP and its `Endpoint`s."""

from pymodel.udp.endpoint import Datagram, Endpoint, Event, Refusal
from pymodel.udp.layer import UdpLayer

__all__ = ["Datagram", "Endpoint", "Event", "Refusal", "UdpLayer"]
