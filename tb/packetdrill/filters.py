"""What shell lines do with text: grep(1), wc(1), head(1), tail(1), cut(1), a column by awk(1), echo(1) …"""

import re
from collections.abc import Callable
from typing import Final

from pymodel.host import Host
from tb.packetdrill.errors import ScriptError


def _grep(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """grep(1): -q, -c, -v, -i, -w, -E, -F and one pattern."""
    flags = "".join(word[1:] for word in arguments if re.fullmatch(r"-[a-zA-Z]+", word))
    patterns = [word for word in arguments if not re.fullmatch(r"-[a-zA-Z]+", word)]
    if not patterns or set(flags) - set("qcviwEFnose"):
        raise ScriptError(f"`grep {' '.join(arguments)}` is not known here")
    pattern = re.escape(patterns[0]) if "F" in flags else patterns[0]
    if "w" in flags:
        pattern = rf"\b(?:{pattern})\b"
    wanted = re.compile(pattern, re.IGNORECASE if "i" in flags else 0)
    found = [line for line in given.splitlines() if bool(wanted.search(line)) != ("v" in flags)]
    output = str(len(found)) if "c" in flags else "\n".join(found)
    return int(not found), "" if "q" in flags else output


def _wc(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    return 0, str(len(given.splitlines()))


def _count(name: str, arguments: list[str]) -> int:
    """`-3`, `-n 3` or `-n3`."""
    found = re.fullmatch(r"(?:-n ?|-)(\d+)", " ".join(arguments)) if arguments else None
    if arguments and found is None:
        raise ScriptError(f"`{name} {' '.join(arguments)}` is not known here")
    return int(found[1]) if found else 10


def _head(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    return 0, "\n".join(given.splitlines()[: _count("head", arguments)])


def _tail(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    lines = given.splitlines()
    return 0, "\n".join(lines[max(len(lines) - _count("tail", arguments), 0) :])


def _cut(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """cut(1): one field, `-d` a character."""
    found = re.fullmatch(r"(?:-d ?(\S| )? ?)?-f ?(\d+)(?: -d ?(\S| ))?", " ".join(arguments))
    if found is None:
        raise ScriptError(f"`cut {' '.join(arguments)}` is not known here")
    between, field = found[1] or found[3] or "\t", int(found[2]) - 1
    rows = [line.split(between) for line in given.splitlines()]
    return 0, "\n".join(row[field] if field < len(row) else "" for row in rows)


def _awk(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """awk(1): `{print $N}`, perhaps of lines that match a pattern; ScriptError for any other program."""
    found = re.fullmatch(r"(?:/(.*)/)?\s*\{\s*print \$(\d+|NF);?\s*\}", " ".join(arguments))
    if found is None:
        raise ScriptError(f"`awk {' '.join(arguments)}`: only '{{print $N}}' is there")
    output = []
    for line in given.splitlines():
        if found[1] is None or re.search(found[1], line):
            row = [line, *line.split()]
            number = len(row) - 1 if found[2] == "NF" else int(found[2])
            output.append(row[number] if number < len(row) else "")
    return 0, "\n".join(output)


def _echo(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    while arguments and re.fullmatch(r"-[neE]+", arguments[0]):
        arguments = arguments[1:]
    return 0, " ".join(arguments)


def _printf(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """printf(1): %s and %d."""
    text = arguments[0].replace("\\n", "\n") if arguments else ""
    for value in arguments[1:]:
        text = re.sub(r"%[sd]", lambda _, value=value: value, text, count=1)  # type: ignore[misc]
    return 0, text.rstrip("\n")


def _seq(host: Host, arguments: list[str], given: str) -> tuple[int, str]:
    """seq(1): `[FIRST] LAST`."""
    first, last = (1, int(arguments[0])) if len(arguments) == 1 else (int(arguments[0]), int(arguments[-1]))
    return 0, "\n".join(map(str, range(first, last + 1)))


KNOWN: Final[dict[str, Callable[[Host, list[str], str], tuple[int, str]]]] = {
    "grep": _grep,
    "egrep": _grep,
    "wc": _wc,
    "head": _head,
    "tail": _tail,
    "cut": _cut,
    "awk": _awk,
    "echo": _echo,
    "printf": _printf,
    "seq": _seq,
}
