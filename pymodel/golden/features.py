"""Which offloads and ring formats the driver accepted: what the rest of the model asks about features."""

from dataclasses import dataclass

from pymodel.regs import Feature


@dataclass(frozen=True, slots=True)
class Features:
    """Features that change what the device does with a chain or a frame; all off by default."""

    csum: bool = False
    guest_csum: bool = False
    tso4: bool = False
    tso6: bool = False
    mrg_rxbuf: bool = False
    indirect: bool = False
    event_idx: bool = False

    @classmethod
    def of(cls, bits: int) -> "Features":
        """The features in `bits`, the accepted feature bits as one number."""

        def accepted(feature: Feature) -> bool:
            return bool(bits >> feature & 1)

        return cls(
            csum=accepted(Feature.CSUM),
            guest_csum=accepted(Feature.GUEST_CSUM),
            tso4=accepted(Feature.HOST_TSO4),
            tso6=accepted(Feature.HOST_TSO6),
            mrg_rxbuf=accepted(Feature.MRG_RXBUF),
            indirect=accepted(Feature.INDIRECT_DESC),
            event_idx=accepted(Feature.EVENT_IDX),
        )


NONE = Features()
"""Nothing but the bare device."""
