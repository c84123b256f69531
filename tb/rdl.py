"""Reads a description of registers, structures in memory and feature bits: SystemRDL, by systemrdl-compiler.

Properties of our own in it: `group` names a class (and macro prefix), `offered` and `required` mark feature
bits, `needs` names the features of which one must be there, too, `parametric` says that a reset value is set
by the RTL's parameters.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systemrdl.compiler import RDLCompiler
from systemrdl.node import AddrmapNode, FieldNode, RegfileNode, RegNode

WINDOW_MAP = "fdwire"
FEATURE_MAP = "features"
STRUCTURE_MAPS = ("packed_descriptor", "event_suppression", "virtio_net_hdr")
CODE_MAPS = ("rx_tap",)


@dataclass(frozen=True)
class Named:
    """One named number: a bit (`value` is its number), or a code of `width` bits."""

    name: str
    value: int
    width: int
    text: str
    offered: bool = False
    required: bool = False
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Names:
    """The bits or codes of one register, under the name of their class."""

    group: str
    title: str
    bits: bool
    entries: tuple[Named, ...]


@dataclass(frozen=True)
class Register:
    """`offset` and `size` in bytes; `reset` is None where it is no constant."""

    name: str
    offset: int
    size: int
    readable: bool
    writable: bool
    reset: int | None
    text: str
    names: Names | None

    @property
    def access(self) -> str:
        """R, W or RW."""
        return "R" * self.readable + "W" * self.writable


@dataclass(frozen=True)
class Block:
    """A group of registers, or of the members of a structure in memory (`size` bytes)."""

    group: str
    title: str
    text: str
    size: int
    registers: tuple[Register, ...]


@dataclass(frozen=True)
class Description:
    """All that the description says."""

    blocks: tuple[Block, ...]
    features: Names
    structures: tuple[Block, ...]
    codes: tuple[Names, ...]

    def names(self) -> Iterable[Names]:
        """Every set of bits or codes that belongs to a register, then those that stand alone."""
        for block in (*self.blocks, *self.structures):
            for register in block.registers:
                if register.names is not None:
                    yield register.names
        yield from self.codes

    def mask(self, which: Callable[[Named], bool]) -> int:
        """The feature bits that `which` picks, as one number."""
        return sum(1 << feature.value for feature in self.features.entries if which(feature))

    def needs(self) -> list[tuple[Named, list[Named]]]:
        """Each feature that depends on others, and those: one is enough. Raises KeyError for one unknown."""
        by_name = {feature.name: feature for feature in self.features.entries}
        return [
            (feature, [by_name[name] for name in feature.needs])
            for feature in self.features.entries
            if feature.needs
        ]


def _text(node: Any) -> str:
    return node.get_property("desc", default=None) or ""


def _read_names(register: RegNode, title: str) -> Names | None:
    group = register.get_property("group", default=None)
    if group is None:
        return None
    fields: Sequence[FieldNode] = register.fields()
    codes = fields[0].get_property("encode", default=None)
    if codes is None:
        return Names(
            group,
            title,
            True,
            tuple(
                Named(
                    field.inst_name,
                    field.low,
                    1,
                    _text(field),
                    bool(field.get_property("offered", default=False)),
                    bool(field.get_property("required", default=False)),
                    tuple(field.get_property("needs", default="").split()),
                )
                for field in fields
            ),
        )
    return Names(
        group,
        title,
        False,
        tuple(Named(code.name, code.value, fields[0].width, code.rdl_desc or "") for code in codes),
    )


def _read_register(node: RegNode, base: int) -> Register:
    fields = node.fields()
    constant = not any(field.get_property("parametric", default=False) for field in fields)
    resets = [(field.low, field.get_property("reset", default=None)) for field in fields]
    values = [value << low for low, value in resets if isinstance(value, int)]
    reset = sum(values) if constant and len(values) == len(fields) else None
    return Register(
        node.inst_name,
        base + node.raw_address_offset,
        node.get_property("regwidth") // 8 * (node.n_elements if node.is_array else 1),
        any(field.is_sw_readable for field in fields),
        any(field.is_sw_writable for field in fields),
        reset,
        _text(node),
        _read_names(node, node.inst_name),
    )


def _read_block(node: AddrmapNode | RegfileNode, base: int) -> Block:
    return Block(
        node.get_property("group"),
        node.get_property("name"),
        _text(node),
        node.size,
        tuple(_read_register(register, base) for register in node.registers(unroll=False)),
    )


def _single_names(top: AddrmapNode) -> Names:
    names = _read_names(next(iter(top.registers())), top.get_property("name"))
    if names is None:
        raise ValueError(f"{top.inst_name}: its register has no `group`")
    return names


def read_description(path: Path) -> Description:
    """Compile `path`. Raises `RDLCompileError` (after printing what is wrong) if it is not legal."""
    compiler = RDLCompiler()
    compiler.compile_file(str(path))

    def top(name: str) -> AddrmapNode:
        return compiler.elaborate(name).top

    window = top(WINDOW_MAP)
    return Description(
        tuple(
            _read_block(child, child.absolute_address)
            for child in window.children()
            if isinstance(child, RegfileNode)
        ),
        _single_names(top(FEATURE_MAP)),
        tuple(_read_block(top(name), 0) for name in STRUCTURE_MAPS),
        tuple(_single_names(top(name)) for name in CODE_MAPS),
    )
