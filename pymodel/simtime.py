"""Units of simulated time: integer picoseconds, everywhere.

One clock cycle at 156.25 MHz is 6400 ps, which nanoseconds could not hold.
"""

from typing import Final

PS: Final = 1
NS: Final = 1_000
US: Final = 1_000_000
MS: Final = 1_000_000_000
SEC: Final = 1_000_000_000_000

CYCLE: Final = 6_400
"""One cycle of the NIC's clock (156.25 MHz, IEEE 802.3 clause 46: 64 bits of XGMII)."""

BYTE_TIME_10G: Final = 800
"""One byte at 10 Gb/s."""
