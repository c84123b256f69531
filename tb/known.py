"""Watches a block's outputs for X in a four-state simulator, in Verilog beside it.

Every output must be known from the first clock after the first reset on: a payload while its valid is high,
all others always. Registers begin as X, so what is not reset, or depends on what is not, shows.
"""

import re
from pathlib import Path

MODULE = "fdw_known"
FOUND = "FDW_KNOWN: "
"""Begins the line in the log that names an output with an X."""

_COMMENT = re.compile(r"//[^\n]*")
_OUTPUT = re.compile(r"\boutput\s+(?:reg\s+|wire\s+)?(?:\[[^\]]*\]\s*)?(\w+)")


def outputs(source: str, module: str) -> list[str]:
    """Names of the outputs of `module` in Verilog with ANSI port lists; ValueError if it is not there."""
    text = _COMMENT.sub("", source)
    found = re.search(rf"\bmodule\s+{module}\b", text)
    if found is None:
        raise ValueError(f"no module {module}")
    return _OUTPUT.findall(text[found.start() : _end_of_ports(text, found.start())])


def _end_of_ports(text: str, start: int) -> int:
    """Where the port list ends: the first `);` outside brackets."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0 and text[at] == ";":
            return at
    raise ValueError("a port list without an end")


def valid_of(name: str, names: list[str]) -> str | None:
    """The valid that qualifies the output `name`: that whose stem is its longest beginning."""
    stems = [v.removesuffix("valid") for v in names if v.endswith("valid") and v != name]
    fitting = [
        stem for stem in stems if stem and name.startswith(stem) and not name.endswith(("valid", "ready"))
    ]
    return max(fitting, key=len) + "valid" if fitting else None


def monitor(source: Path, top: str) -> str:
    """A module to be built as a second top beside `top`, which has clk and rst and stands in `source`."""
    names = outputs(source.read_text(), top)
    lines = [
        f"// Watches the outputs of {top}: see tb/known.py.",
        f"module {MODULE};",
        "    reg seen = 1'b0;",
        f"    always @(posedge {top}.clk) begin",
        f"        if ({top}.rst === 1'b1) seen <= 1'b1;",
        f"        if (seen && {top}.rst === 1'b0) begin",
    ]
    for name in names:
        valid = valid_of(name, names)
        when = f"{top}.{valid} === 1'b1 && " if valid else ""
        lines += [
            f"            if ({when}^{top}.{name} === 1'bx) begin",
            f'                $display("{FOUND}{name} is %b at %0t", {top}.{name}, $time);',
            "                $finish;",
            "            end",
        ]
    return "\n".join([*lines, "        end", "    end", "endmodule", ""])
