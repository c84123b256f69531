"""Copies of Verilog in which every register and memory begins with random bits: what power-up is like.

A four-state simulator begins with X, which hides what a real value would do (`if (x)` takes the else
branch); two-state ones begin with zeros. Neither may matter to a design that resets what it has to.
"""

import random
import re
from pathlib import Path

WIDEST = 512
"""Bits that are made; a wider register would keep X above them."""

_COMMENT = re.compile(r"//[^\n]*")
_FUNCTION = re.compile(r"\bfunction\b.*?\bendfunction\b", re.DOTALL)
_HEADER = re.compile(r"\bmodule\s+\w+\s*(?:#\s*\(.*?\)\s*)?\((?P<ports>.*?)\)\s*;", re.DOTALL)
_PORT = re.compile(r"\boutput\s+reg\s*(?:signed\s*)?(?:\[[^\]]*\]\s*)?(\w+)")
_REGISTERS = re.compile(r"(?<!output )\breg\s+(?:signed\s+)?(?:\[[^\]]*\]\s*)?(?P<names>\w[^;=]*);")
_NAME = re.compile(r"^(\w+)\s*(?:\[\s*([^:\]]+):([^\]]+)\])?$")


def scatter(source: str, rng: random.Random) -> str:
    """`source`, Verilog-2005 as in rtl/, with an `initial` behind each declaration of registers.

    What is declared in functions, or has a value from the beginning, is left alone. ValueError: a
    declaration that is not understood.
    """
    text = _COMMENT.sub("", source)
    text = _FUNCTION.sub(lambda found: found[0].replace("reg ", "reg\0"), text)
    # Behind declarations first, as the header's ports end before them.
    out = _REGISTERS.sub(lambda found: found[0] + _initial(found["names"], rng), text)
    return _HEADER.sub(lambda found: found[0] + _initial(",".join(_PORT.findall(found["ports"])), rng), out)\
        .replace("reg\0", "reg ")  # fmt: skip


def _bits(rng: random.Random) -> str:
    """An expression of `WIDEST` random bits: $random makes instances differ, the constants seeds."""
    words = (f"$random ^ 32'h{rng.getrandbits(32):08x}" for _ in range(WIDEST // 32))
    return f"{{{', '.join(words)}}}"


def _initial(names: str, rng: random.Random) -> str:
    made = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        found = _NAME.match(name)
        if found is None:
            raise ValueError(f"a declaration of registers that is not understood: {names!r}")
        word, first, last = found.groups()
        if first is None:
            made.append(f" initial {word} = {_bits(rng)};")
        else:
            index = f"{word}_scattered"
            made.append(
                f" integer {index}; initial for ({index} = {first}; {index} <= {last}; "
                f"{index} = {index} + 1) {word}[{index}] = {_bits(rng)};"
            )
    return "".join(made)


def copies(sources: tuple[Path, ...], where: Path, seed: int) -> list[Path]:
    """Write scattered copies of `sources` into `where`; their paths, in order."""
    rng = random.Random(seed)
    out = []
    for source in sources:
        copy = where / source.name
        copy.write_text(scatter(source.read_text(), rng))
        out.append(copy)
    return out
