"""What was observed at the ports of the NIC under test, in the order of simulated time (ps).

Addresses are bus addresses, offsets register offsets in bytes. Tuples: they are made by the thousand.
"""

from typing import NamedTuple

from pymodel.ports import Frame


class MmioWrite(NamedTuple):
    """A register write was accepted: `size` bytes at `offset`."""

    time: int
    offset: int
    value: int
    size: int


class MmioRead(NamedTuple):
    """The 32-bit word at `offset` was read as `value`; `time` is that of the answer."""

    time: int
    offset: int
    value: int


class DmaRequest(NamedTuple):
    """The memory accepted the address of a burst; its data follow as DmaRead or DmaWrite."""

    time: int
    address: int
    write: bool
    axi_id: int


class DmaRead(NamedTuple):
    """The NIC got `data` from `address` on: a read burst, or a part of one; `resp` is AXI's RRESP."""

    time: int
    address: int
    data: bytes
    axi_id: int
    resp: int


class DmaWrite(NamedTuple):
    """One contiguous run of bytes of a write burst, strobes resolved, is in memory (if `resp` is OKAY)."""

    time: int
    address: int
    data: bytes
    axi_id: int
    resp: int


class WireOut(NamedTuple):
    """The NIC has sent a frame, or broken it off (`frame.error`); `time` is its end."""

    time: int
    frame: Frame


class WireIn(NamedTuple):
    """A frame has arrived at the NIC; `time` is its end, or of its first wrong character (`frame.error`).

    `bad_preamble`: its eighth byte is no SFD; its data is then empty.
    """

    time: int
    frame: Frame
    bad_preamble: bool = False


class RxDecision(NamedTuple):
    """The NIC has decided on the oldest received frame: `status` 0..7, the tap of the contract."""

    time: int
    status: int


class Irq(NamedTuple):
    """The interrupt line went to `level`."""

    time: int
    level: bool


class Link(NamedTuple):
    """The PHY's link signal went to `up`; it is up at the start."""

    time: int
    up: bool


class Reset(NamedTuple):
    """The reset pin was pulsed: everything before is forgotten."""

    time: int


Event = (
    MmioWrite
    | MmioRead
    | DmaRequest
    | DmaRead
    | DmaWrite
    | WireOut
    | WireIn
    | RxDecision
    | Irq
    | Link
    | Reset
)
