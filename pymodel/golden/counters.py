"""The NIC's statistics: 64-bit counters, named as in the register description."""

from dataclasses import dataclass, fields
from typing import Final

from pymodel.regs import RxStatus, Stat


@dataclass(slots=True)
class Counters:
    """What the side block shows. They survive a device reset; the hardware reset clears them."""

    rx_frames: int = 0
    rx_bytes: int = 0
    rx_bad_preamble: int = 0
    rx_code_error: int = 0
    rx_undersize: int = 0
    rx_oversize: int = 0
    rx_fcs_error: int = 0
    rx_disabled: int = 0
    rx_overflow: int = 0
    rx_truncated: int = 0
    rx_kicks: int = 0
    tx_frames: int = 0
    tx_bytes: int = 0
    tx_oversize: int = 0
    tx_underflow: int = 0
    tx_kicks: int = 0

    def received(self, status: RxStatus, length: int) -> None:
        """Count a received frame of `length` bytes (with FCS) under exactly one name."""
        if status == RxStatus.STORED:
            self.rx_frames += 1
            self.rx_bytes += length
        else:
            name = _DROPPED[status]
            setattr(self, name, getattr(self, name) + 1)

    def sent(self, length: int) -> None:
        """Count a frame of `length` bytes (with FCS) that the MAC sent whole."""
        self.tx_frames += 1
        self.tx_bytes += length


_DROPPED: Final = {
    RxStatus.BAD_PREAMBLE: "rx_bad_preamble",
    RxStatus.CODE_ERROR: "rx_code_error",
    RxStatus.UNDERSIZE: "rx_undersize",
    RxStatus.OVERSIZE: "rx_oversize",
    RxStatus.FCS_ERROR: "rx_fcs_error",
    RxStatus.DISABLED: "rx_disabled",
    RxStatus.OVERFLOW: "rx_overflow",
}

COUNTER_AT: Final[dict[int, str]] = {int(stat): stat.name.lower() for stat in Stat}
"""Offset in the register window of a counter's low word → its name in `Counters`."""

if {field.name for field in fields(Counters)} != set(COUNTER_AT.values()):
    raise ImportError("golden Counters and the register description name different statistics")
