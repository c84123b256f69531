"""Shell commands of scripts, mapped onto the simulated host's own settings and tables.

No shell runs. `shellsyntax` takes a command line apart; lists, pipes, `if` and `for` do what they do in a
shell, what is written to a file below /proc/sys sets it, other output goes nowhere but into a pipe, and the
exit status decides: a script whose command fails has failed. `sleep` lasts, in simulated time.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from pymodel.host import Host
from pymodel.simtime import MS, SEC, US
from pymodel.task import Blocking, Wait
from tb.packetdrill import commands, settings
from tb.packetdrill.errors import ScriptError, ScriptFailure
from tb.packetdrill.shellsyntax import (
    LITERAL,
    Command,
    For,
    If,
    Node,
    Pipeline,
    Sequence,
    parse,
    without_comments,
)

Outcome = tuple[int, str]
"""Exit status and output."""

_HELPERS: Final = re.compile(
    r"(^|/)(defaults?|set_defaults?|set_sysctls?|common)(\.sh|\.py)?$|(^|/)set_sysctls?\.py$"
)
"""Scripts beside a script that put a Linux machine into its default state: it already is."""
_PREFIXES: Final = frozenset({"sudo", "command", "exec", "env", "source", "."})
_WRAPPERS: Final = {"timeout": 2, "stdbuf": 2, "nice": 1, "nohup": 1, "time": 1}
"""Commands that run another, and how many words are theirs."""
_INTERPRETERS: Final = frozenset({"sh", "bash", "python", "python2", "python3"})
_PROC: Final = "/proc/sys/"
_UNITS: Final = {"": SEC, "s": SEC, "m": 60 * SEC, "ms": MS}
_SLEEPS: Final = r"(?:import time\s*;?\s*)?(?:time\.)?sleep\(\s*([\d.]+)\s*\)\s*"


class Shell:
    """Runs command lines for `host`."""

    def __init__(self, host: Host, directory: Path | None = None) -> None:
        self._host = host
        self._directory = directory
        """Where relative paths begin: the script's own directory."""
        self._names: dict[str, str] = {}

    def run(self, text: str) -> Blocking[None]:
        """Run `text`. ScriptError for a command that is not known, ScriptFailure if it ends badly."""
        status, said = yield from self._text(without_comments(text))
        if status:
            raise ScriptFailure(
                f"`{text.strip()}` ended with status {status}" + (f": {said}" if said else "")
            )

    def _text(self, text: str) -> Blocking[Outcome]:
        return (yield from self._node(parse(text)))

    def _node(self, node: Node) -> Blocking[Outcome]:
        match node:
            case Sequence():
                return (yield from self._sequence(node))
            case Pipeline():
                return (yield from self._pipeline(node))
            case If():
                for condition, body in node.branches:
                    status, _ = yield from self._node(condition)
                    if not status:
                        return (yield from self._node(body))
                return (yield from self._node(node.otherwise)) if node.otherwise else (0, "")
            case For():
                outcome = (0, "")
                for word in (yield from self._expand(node.words)):
                    self._names[node.name] = word
                    outcome = yield from self._node(node.body)
                return outcome
            case Command():
                return (yield from self._command(node, ""))

    def _sequence(self, node: Sequence) -> Blocking[Outcome]:
        """Commands with `;`, `&&` and `||` in between; the status and output of the last one that ran."""
        status, output = 0, ""
        for operator, item in node.items:
            if (operator == "&&" and status) or (operator == "||" and not status):
                continue
            status, output = yield from self._node(item)
        return status, output

    def _pipeline(self, node: Pipeline) -> Blocking[Outcome]:
        status, output = 0, ""
        for item in node.items:
            if isinstance(item, Command):
                status, output = yield from self._command(item, output)
            else:
                status, output = yield from self._node(item)
        return (int(status == 0) if node.negated else status), output

    def _expand(self, words: tuple[str, ...]) -> Blocking[list[str]]:
        """`words` with the values of names, and the output of what stands in `$(…)`, in their places."""
        found: list[str] = []
        for word in words:
            bare = re.fullmatch("\x01(.*)\x02", word, re.DOTALL) or re.fullmatch(r"\$\{?(\w+)\}?", word)
            while (inner := re.search("\x01([^\x01\x02]*)\x02", word)) is not None:
                _, output = yield from self._text(inner[1])
                word = word[: inner.start()] + output.replace("\n", " ").strip() + word[inner.end() :]
            word = re.sub(r"\$\{?([A-Za-z_]\w*)\}?", lambda name: self._names.get(name[1], ""), word)
            found += word.split() if bare else [word.replace(LITERAL, "$")]
        return found

    def _command(self, command: Command, given: str) -> Blocking[Outcome]:
        words = yield from self._expand(command.words)
        while words and (assigned := re.fullmatch(r"([A-Za-z_]\w*)=(.*)", words[0], re.DOTALL)):
            self._names[assigned[1]] = assigned[2]
            words = words[1:]
        while words and (words[0] in _PREFIXES or words[0] in _WRAPPERS):
            words = words[_WRAPPERS.get(words[0], 1) :]
        if not words:
            return 0, ""
        outcome = yield from self._simple(words, given)
        for target in command.outputs:
            (path,) = yield from self._expand((target,))
            if path.startswith(_PROC):
                settings.write(self._host, path.removeprefix(_PROC).replace("/", "."), outcome[1])
                return outcome[0], ""
        return outcome

    def _simple(self, words: list[str], given: str) -> Blocking[Outcome]:
        name = words[0].rsplit("/", 1)[-1]
        if _HELPERS.search(words[0]):
            return (yield from self._helper(words[0], words[1:]))
        if name in _INTERPRETERS and len(words) > 1:
            if words[1] == "-c" and name in ("sh", "bash"):
                return (yield from self._text(words[2]))
            if words[1] == "-c" and (sleeps := re.fullmatch(_SLEEPS, words[2])):
                return (yield from self._sleep(sleeps[1]))
            if _HELPERS.search(words[1]):
                return (yield from self._helper(words[1], words[2:]))
        if name in ("sleep", "usleep") and len(words) == 2:
            return (yield from self._sleep(words[1], US if name == "usleep" else SEC))
        file = (self._directory or Path()) / words[0]
        if self._directory is not None and name.endswith(".sh") and file.is_file():
            return (yield from self._text(without_comments(file.read_text(errors="replace"))))
        run: Callable[[Host, list[str], str], Outcome] | None = commands.KNOWN.get(name)
        if run is None:
            raise ScriptError(f"`{' '.join(words)}`: {name} is no command known here")
        return run(self._host, words[1:], given)

    def _sleep(self, text: str, unit: int = SEC) -> Blocking[Outcome]:
        parts = re.fullmatch(r"(\d*\.?\d+)(s|m|ms|)", text)
        if parts is None:
            raise ScriptError(f"`sleep {text}`: a time expected")
        scale = _UNITS[parts[2]] if unit == SEC else unit
        yield Wait(deadline=self._host.scheduler.now + int(float(parts[1]) * scale))
        return 0, ""

    def _helper(self, path: str, arguments: list[str]) -> Blocking[Outcome]:
        """A helper beside the script: its commands, if it is a shell script that is there.

        It brings a machine into a known state; what is not known here needs no undoing, and a shell would go
        on, too.
        """
        file = (self._directory or Path()) / path
        if self._directory is None or not path.endswith(".sh") or not file.is_file():
            return commands.helper(self._host, arguments)
        text = without_comments(file.read_text(encoding="utf-8", errors="replace"))
        try:
            whole = parse(text)
        except ScriptError:
            whole = Sequence(())
            for line in text.splitlines():
                with suppress(ScriptError, ScriptFailure):
                    yield from self._text(line)
        items = whole.items if isinstance(whole, Sequence) else ((";", whole),)
        for _, item in items:
            with suppress(ScriptError, ScriptFailure):
                yield from self._node(item)
        return 0, ""
