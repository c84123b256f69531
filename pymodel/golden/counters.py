"""The NIC's statistics: 64-bit counters, named as in the register description."""

from bisect import bisect_left
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
    tx_bad_offload: int = 0
    tx_tso: int = 0
    rx_64: int = 0
    rx_65_127: int = 0
    rx_128_255: int = 0
    rx_256_511: int = 0
    rx_512_1023: int = 0
    rx_1024_1518: int = 0
    rx_1519_max: int = 0
    rx_broadcast: int = 0
    rx_multicast: int = 0
    rx_fragments: int = 0
    rx_jabbers: int = 0
    tx_64: int = 0
    tx_65_127: int = 0
    tx_128_255: int = 0
    tx_256_511: int = 0
    tx_512_1023: int = 0
    tx_1024_1518: int = 0
    tx_1519_max: int = 0
    tx_broadcast: int = 0
    tx_multicast: int = 0

    def received(self, status: RxStatus, data: bytes, *, fcs_wrong: bool) -> None:
        """Count a received frame (DA…FCS) under exactly one name, and where RMON has it."""
        if status == RxStatus.STORED:
            self.rx_frames += 1
            self.rx_bytes += len(data)
        else:
            self.count(_DROPPED[status])
        if status >= RxStatus.DISABLED:
            self._count_good("rx", data)
        elif fcs_wrong and status == RxStatus.UNDERSIZE:
            self.rx_fragments += 1
        elif fcs_wrong and status == RxStatus.OVERSIZE:
            self.rx_jabbers += 1

    def sent(self, data: bytes) -> None:
        """Count a frame (DA…FCS) that the MAC sent whole."""
        self.tx_frames += 1
        self.tx_bytes += len(data)
        self._count_good("tx", data)

    def clear(self) -> None:
        """All of them are 0 again."""
        for counter in fields(self):
            setattr(self, counter.name, 0)

    def count(self, name: str) -> None:
        """Add one to the counter `name`."""
        setattr(self, name, getattr(self, name) + 1)

    def _count_good(self, direction: str, data: bytes) -> None:
        """RFC 2819 §5: etherStatsPkts64Octets and those after it, BroadcastPkts and MulticastPkts."""
        size = _SIZES[direction][bisect_left(_BOUNDS, len(data))]
        setattr(self, size, getattr(self, size) + 1)
        if data[0] & _GROUP:
            self.count(f"{direction}_broadcast" if data[:6] == _BROADCAST else f"{direction}_multicast")


_BROADCAST: Final = b"\xff" * 6
_GROUP: Final = 1
"""The bit of a destination address's first byte that makes it a group's (IEEE 802.3 §3.2.3)."""

_BOUNDS: Final = (64, 127, 255, 511, 1023, 1518)
_SIZES: Final = {
    direction: tuple(
        f"{direction}_{sizes}"
        for sizes in ("64", "65_127", "128_255", "256_511", "512_1023", "1024_1518", "1519_max")
    )
    for direction in ("rx", "tx")
}
"""The counter of frames up to each bound, and of longer ones."""

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
