"""Write everything that is derived from `rtl/regs/fdwire.rdl`: ``python -m tb.regsgen [--check]``.

In: the SystemRDL description (compiled by systemrdl-compiler, a development dependency).
Out: `rtl/regs/fdwire_regs.vh` (Verilog-2005 macros), `pymodel/regs.py`, `docs/registers.md`.
The output depends on nothing but the description. ``--check`` writes nothing and exits with 1 if a
file differs from what would be written.

Properties of our own in the description: `group` names a class (and macro prefix), `offered` and
`required` mark feature bits, `needs` names the features of which one must be there, too, `parametric` says
that a reset value is set by the RTL's parameters.
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systemrdl.compiler import RDLCompiler
from systemrdl.messages import RDLCompileError
from systemrdl.node import AddrmapNode, FieldNode, RegfileNode, RegNode

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "rtl/regs/fdwire.rdl"
FIX = "python -m tb.regsgen"
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


# ------------------------------------------------------------------------------- reading


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


# ------------------------------------------------------------------------------- writing


def _snake(camel: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", camel).upper()


def render_verilog(description: Description) -> str:
    """`fdwire_regs.vh`: macros, because an unused localparam of an included file would be a warning."""
    lines = [
        f"// Generated from {SOURCE} by `{FIX}`. Do not edit.",
        "",
        "`ifndef FDWIRE_REGS_VH",
        "`define FDWIRE_REGS_VH",
    ]

    def define(name: str, value: str) -> None:
        lines.append(f"`define FDW_{name} {value}")

    def define_names(names: Names) -> None:
        prefix = _snake(names.group)
        lines.extend(["", f"// {names.group}"])
        for entry in names.entries:
            if names.bits:
                width = 16 if names.entries[-1].value > 7 else 8
                define(f"{prefix}_{entry.name}", f"{width}'h{1 << entry.value:0{width // 4}x}")
                define(f"{prefix}_{entry.name}_BIT", str(entry.value))
            else:
                define(f"{prefix}_{entry.name}", f"{entry.width}'d{entry.value}")

    for block in description.blocks:
        prefix = _snake(block.group)
        lines.extend(["", f"// {block.title}: offsets in the register window, and values of constants"])
        for register in block.registers:
            define(f"{prefix}_{register.name}", f"13'h{register.offset:04x}")
            if not register.writable and register.names is None and register.reset is not None:
                bits = register.size * 8
                if bits <= 32:
                    define(f"{prefix}_{register.name}_RESET", f"{bits}'h{register.reset:0{bits // 4}x}")
    lines.extend(["", "// Feature bits: their numbers, and masks of all 64"])
    for feature in description.features.entries:
        define(f"FEATURE_{feature.name}", str(feature.value))
    define("FEATURES_OFFERED", f"64'h{description.mask(lambda feature: feature.offered):016x}")
    define("FEATURES_REQUIRED", f"64'h{description.mask(lambda feature: feature.required):016x}")
    met = " && ".join(
        f"(!f[{one.value}] || {' || '.join(f'f[{other.value}]' for other in others)})"
        for one, others in description.needs()
    )
    define("FEATURES_NEEDS_MET(f)", f"({met})")
    for structure in description.structures:
        prefix = _snake(structure.group)
        lines.extend(["", f"// {structure.title}: bytes, and bit ranges of the little-endian whole"])
        define(f"{prefix}_BYTES", str(structure.size))
        for member in structure.registers:
            low = member.offset * 8
            define(f"{prefix}_{member.name}_RANGE", f"{low + member.size * 8 - 1}:{low}")
    for names in description.names():
        define_names(names)
    lines.extend(["", "`endif", ""])
    return "\n".join(lines)


def _doc(text: str, indent: str = "    ") -> list[str]:
    wrapped = textwrap.wrap(f'"""{text}', 110 - len(indent) - 3, break_on_hyphens=False)
    wrapped[-1] += '"""'
    return [indent + line for line in wrapped]


_PYTHON_HEAD = f'''"""Names of registers, bits and structures. Generated by `{FIX}`: do not edit.

Source: {SOURCE}. Sections (§) are those of VIRTIO 1.2.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final


@dataclass(frozen=True, slots=True)
class Register:
    """`offset` in the window and `size`, in bytes; `reset` is None where it is no constant."""

    name: str
    offset: int
    size: int
    readable: bool
    writable: bool
    reset: int | None
'''


def render_python(description: Description) -> str:
    """`pymodel/regs.py`: enumerations, masks, and the table `REGISTERS`."""
    lines = [_PYTHON_HEAD]

    def open_class(name: str, base: str, text: str) -> None:
        lines.extend(["", f"class {name}({base}):", *_doc(text), ""])

    def member(name: str, value: str, text: str) -> None:
        lines.append(f"    {name} = {value}")
        if text:
            lines.extend(_doc(text))

    for block in description.blocks:
        open_class(block.group, "IntEnum", f"Offsets. {block.title}: {block.text}")
        for register in block.registers:
            member(register.name, f"0x{register.offset:04X}", register.text)
        lines.append("")
    open_class("Feature", "IntEnum", "Feature bits, by number (§5.1.3, §6).")
    for feature in description.features.entries:
        member(feature.name, str(feature.value), feature.text)
    lines.extend(
        [
            "",
            "",
            f"FEATURES_OFFERED: Final = 0x{description.mask(lambda feature: feature.offered):016X}",
            '"""The feature bits that the device offers, as one number."""',
            "",
            f"FEATURES_REQUIRED: Final = 0x{description.mask(lambda feature: feature.required):016X}",
            '"""The feature bits without which FEATURES_OK does not stick."""',
            "",
            "FEATURE_NEEDS: Final = {",
            *(
                f"    Feature.{one.name}: ({', '.join(f'Feature.{other.name}' for other in others)}"
                f"{',' * (len(others) == 1)}),"
                for one, others in description.needs()
            ),
            "}",
            '"""Features that may be accepted only with another one, and which: one of these (§5.1.3.1)."""',
            "",
        ]
    )
    for structure in description.structures:
        open_class(structure.group, "IntEnum", f"Byte offsets. {structure.title}: {structure.text}")
        for part in structure.registers:
            member(part.name, str(part.offset), part.text)
        lines.extend(
            [
                "",
                "",
                f"{_snake(structure.group)}_BYTES: Final = {structure.size}",
                f'"""Size of {structure.title[0].lower() + structure.title[1:]}."""',
                "",
            ]
        )
    for names in description.names():
        open_class(names.group, "IntFlag" if names.bits else "IntEnum", f"{names.title}.")
        for entry in names.entries:
            value = f"0x{1 << entry.value:X}" if names.bits else str(entry.value)
            member(entry.name, value, entry.text)
        lines.append("")
    lines.extend(["", "REGISTERS: Final = ("])
    for block in description.blocks:
        for register in block.registers:
            reset = "None" if register.reset is None else f"0x{register.reset:X}"
            lines.append(
                f'    Register("{block.group}.{register.name}", 0x{register.offset:04X}, {register.size}, '
                f"{register.readable}, {register.writable}, {reset}),"
            )
    lines.extend([")", '"""Every register of the window, in the order of offsets."""', ""])
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(head), line(["---"] * len(head)), *map(line, rows), ""]


def _names_table(names: Names) -> list[str]:
    lines = [f"### `{names.group}` ({names.title})", ""]
    if names.bits:
        rows = [(str(n.value), f"0x{1 << n.value:02x}", n.name, n.text) for n in names.entries]
        return [*lines, *_table(("bit", "value", "name", "meaning"), rows)]
    return [
        *lines,
        *_table(("value", "name", "meaning"), [(str(n.value), n.name, n.text) for n in names.entries]),
    ]


def render_markdown(description: Description) -> str:
    """`docs/registers.md`: tables."""
    lines = [
        f"<!-- Generated from {SOURCE} by `{FIX}`. Do not edit. -->",
        "",
        "# Registers",
        "",
        "Sections (§) are those of [VIRTIO 1.2](https://docs.oasis-open.org/virtio/virtio/v1.2/). All",
        "numbers are little-endian. The names are those of `pymodel/regs.py`; in Verilog",
        "(`rtl/regs/fdwire_regs.vh`) `Reg.QUEUE_SEL` is `` `FDW_REG_QUEUE_SEL ``. A reset value of – depends",
        "on a parameter or an input.",
        "",
    ]
    for block in description.blocks:
        lines.extend([f"## {block.title} (`{block.group}`)", "", block.text, ""])
        lines.extend(
            _table(
                ("offset", "bytes", "name", "access", "reset", "meaning"),
                [
                    (
                        f"0x{r.offset:04x}",
                        str(r.size),
                        r.name,
                        r.access,
                        "–" if r.reset is None else f"0x{r.reset:x}",
                        r.text,
                    )
                    for r in block.registers
                ],
            )
        )
        for register in block.registers:
            if register.names is not None:
                lines.extend(_names_table(register.names))
    lines.extend([f"## {description.features.title} (`Feature`)", ""])
    lines.extend(
        _table(
            ("bit", "name", "offered", "required", "needs", "meaning"),
            [
                (str(f.value), f.name, "yes" * f.offered, "yes" * f.required, " or ".join(f.needs), f.text)
                for f in description.features.entries
            ],
        )
    )
    for structure in description.structures:
        lines.extend([f"## {structure.title} (`{structure.group}`)", "", structure.text, ""])
        lines.extend(
            _table(
                ("offset", "bytes", "name", "meaning"),
                [(str(r.offset), str(r.size), r.name, r.text) for r in structure.registers],
            )
        )
        for part in structure.registers:
            if part.names is not None:
                lines.extend(_names_table(part.names))
    lines.extend(["## Codes inside the NIC", ""])
    for names in description.codes:
        lines.extend(_names_table(names))
    return "\n".join(lines)


OUTPUTS: dict[str, Callable[[Description], str]] = {
    "rtl/regs/fdwire_regs.vh": render_verilog,
    "pymodel/regs.py": render_python,
    "docs/registers.md": render_markdown,
}
"""The generated files, relative to the project's root, and what writes each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the generated files, or with ``--check`` compare them. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tb.regsgen", description="Generate from " + SOURCE)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project's root (default: this project)")
    options = parser.parse_args(arguments)
    root: Path = options.root
    try:
        description = read_description(root / SOURCE)
    except RDLCompileError:
        print(f"{SOURCE} is not legal SystemRDL: see the message above", file=sys.stderr)
        return 1
    stale = []
    for name, render in OUTPUTS.items():
        path = root / name
        text = render(description)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if options.check:
            stale.append(name)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    if stale:
        print(f"{', '.join(stale)}: not what {SOURCE} says; run: {FIX}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
