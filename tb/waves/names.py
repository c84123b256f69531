"""Values shown as text: the tables behind GTKWave's translate filter files.

Registers, their bits and receive status come from the register description (`pymodel/regs.py`), states
from the Verilog sources (`fsm`); only what belongs to other standards is written down here.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from pymodel import regs
from tb.waves.fsm import StateMachine


@dataclass(frozen=True)
class Names:
    """Text for some values of a signal of `width` bits; other values stay numbers."""

    width: int
    text: Mapping[int, str]

    def filter_file(self) -> str:
        """A GTKWave translate filter file: per line a value as a hexadecimal trace shows it, and its text."""
        digits = (self.width + 3) // 4
        return "".join(f"{value:0{digits}x} {name}\n" for value, name in sorted(self.text.items()))


_MASTERS = ("frames", "fetch RX", "fetch TX", "used RX", "used TX", "table RX", "table TX")
"""By AXI ID."""


def tables(machines: Iterable[StateMachine]) -> dict[str, Names]:
    """Every table by its name; a state machine's is ``module.signal``."""
    states = {f"{m.module}.{m.signal}": Names(m.width, m.states) for m in machines}
    return states | {
        "register": Names(13, _registers()),
        "status": Names(32, _flags(regs.Status, nothing="reset")),
        "interrupt": Names(2, _flags(regs.Interrupt, nothing="-")),
        "desc_flags": Names(16, _flags(regs.DescFlag, nothing="-")),
        "net_hdr_flags": Names(8, _flags(regs.NetHdrFlag, nothing="-")),
        "gso_type": Names(8, _members(regs.GsoType)),
        "event": Names(2, _members(regs.EventFlag)),
        "rx_status": Names(4, _members(regs.RxStatus)),
        # AXI4 A3.4.4
        "resp": Names(2, {0: "OKAY", 1: "EXOKAY", 2: "SLVERR", 3: "DECERR"}),
        # rtl/fdw_nic.v: who is who on the AXI4 port
        "axi_id": Names(4, dict(enumerate(_MASTERS))),
        "xgmii_lane": Names(9, _lane()),
        "xgmii_word": Names(64, _words()),
    }


def _members(enum: type[IntEnum]) -> dict[int, str]:
    return {member.value: member.name for member in enum}


def _flags(flags: type[IntFlag], *, nothing: str) -> dict[int, str]:
    """Every combination of the bits."""
    names = {}
    bits = list(flags)
    for count in range(len(bits) + 1):
        for chosen in itertools.combinations(bits, count):
            value = sum(bit.value for bit in chosen)
            names[value] = "|".join(str(bit.name) for bit in chosen) or nothing
    return names


def _registers() -> dict[int, str]:
    """Each 32-bit word of the register window by the first register in it."""
    names: dict[int, str] = {}
    for register in regs.REGISTERS:
        name = register.name.removeprefix("Reg.")
        names.setdefault(register.offset & ~3, name)
        for offset in range((register.offset & ~3) + 4, register.offset + register.size, 4):
            names.setdefault(offset, f"{name}+{offset - register.offset}")
    return names


_CONTROL = {0x07: "/I/", 0x9C: "/Q/", 0xFB: "/S/", 0xFD: "/T/", 0xFE: "/E/"}
"""IEEE 802.3 Table 46-3: idle, sequence, start, terminate, error."""


def _lane() -> dict[int, str]:
    """A control bit above eight data bits."""
    names = {byte: f"{byte:02x}" for byte in range(256)}
    return names | {0x100 | byte: name for byte, name in _CONTROL.items()}


def _words() -> dict[int, str]:
    """Words of eight lanes that say everything, whatever the control bits."""
    preamble = bytes([0xFB]) + b"\x55" * 6 + b"\xd5"
    return {
        int.from_bytes(b"\x07" * 8): "idle",
        int.from_bytes(preamble, "little"): "/S/ preamble",
        int.from_bytes(b"\x07" * 4 + preamble[:4], "little"): "idle /S/",
    }
