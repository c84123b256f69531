"""`%{ … }%`: Python over the TCP_INFO of the connection that the script speaks of."""

import traceback
from typing import Any

from pymodel.task import Blocking
from tb.packetdrill import tcpinfo
from tb.packetdrill.calls import Calls
from tb.packetdrill.constants import CONSTANTS
from tb.packetdrill.errors import ScriptError, ScriptFailure

_CONSTANTS = {
    name: value
    for name, value in CONSTANTS.items()
    if name.startswith(("TCP_", "TCPI_", "SK_MEMINFO", "TCP_CA_"))
}


class Assertions:
    """One name space for all pieces of code of a script."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._names: dict[str, Any] = dict(_CONSTANTS)

    def run(self, code: str) -> Blocking[None]:
        """Run `code` now. ScriptFailure for an assertion that fails, ScriptError for any other exception."""
        self._names.update((yield from self._figures()))
        try:
            exec(compile(_dedent(code), "<code>", "exec"), self._names)
        except AssertionError as error:
            said = f": {error}" if str(error) else ""
            figures = ", ".join(f"{n} = {self._names[n]}" for n in _named(code) if n in self._names)
            raise ScriptFailure(f"assertion failed{said}\n  {code.strip()}\n  where {figures}") from None
        except Exception as error:
            what = traceback.format_exception_only(error)[-1].strip()
            raise ScriptError(f"the code fails: {what}") from None

    def _figures(self) -> Blocking[dict[str, int]]:
        flow = self._calls.flows.current
        fd = flow.fd if flow is not None else None
        if fd is None:
            fds = [f.fd for f in self._calls.flows.all if f.fd is not None]
            fd = fds[-1] if fds else None
        if fd is None:
            return {}
        try:
            data = yield from self._calls.machine.call(
                "getsockopt", fd, CONSTANTS["IPPROTO_TCP"], CONSTANTS["TCP_INFO"], 512
            )
        except OSError:
            return {}
        return tcpinfo.parse(data)


def _dedent(code: str) -> str:
    """The first line stands right behind `%{`; the others may be indented as a block."""
    lines = code.strip("\n").splitlines() or [""]
    first, rest = lines[0].strip(), lines[1:]
    filled = [line for line in rest if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in filled), default=0)
    if first.endswith(":"):
        margin = 0 if margin else margin
    return "\n".join([first, *(line[margin:] for line in rest)])


def _named(code: str) -> list[str]:
    """The figures that `code` speaks of."""
    words = "".join(c if c.isalnum() or c == "_" else " " for c in code).split()
    return list(dict.fromkeys(word for word in words if word.startswith("tcpi_")))
