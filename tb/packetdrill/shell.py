"""Shell commands of scripts, mapped onto the simulated host's own settings and tables.

No shell runs. A command line is split into words, `;`, `&&`, `||` and `|` do what they do in a shell, output
goes nowhere but into a pipe, and the exit status decides: a script whose command fails has failed.
"""

import re
import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from pymodel.host import Host
from tb.packetdrill import commands
from tb.packetdrill.errors import ScriptError, ScriptFailure

_HELPERS: Final = re.compile(
    r"(^|/)(defaults?|set_defaults?|set_sysctls?|common)(\.sh|\.py)?$|(^|/)set_sysctls?\.py$"
)
"""Scripts beside a script that put a Linux machine into its default state: it already is."""
_SEPARATORS: Final = frozenset({";", "&&", "||", "|", "\n", "&"})
_PUNCTUATION: Final = ";&|<>()\n"


class Shell:
    """Runs command lines for `host`."""

    def __init__(self, host: Host, directory: Path | None = None) -> None:
        self._host = host
        self._directory = directory
        """Where relative paths begin: the script's own directory."""
        self._inner: list[str] = []

    def run(self, text: str) -> None:
        """Run `text`. ScriptError for a command that is not known, ScriptFailure if it ends badly."""
        text = _arithmetic(re.sub(r"\\\n", " ", text))
        text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        status, said = self._list(_words(self._put_aside(text)))
        if status:
            raise ScriptFailure(
                f"`{text.strip()}` ended with status {status}" + (f": {said}" if said else "")
            )

    def _put_aside(self, text: str) -> str:
        """`text` with a mark in the place of each `$(…)`, which runs when its turn comes."""
        while (start := text.rfind("$(")) >= 0:
            end = text.find(")", start)
            if end < 0:
                raise ScriptError(f"`{text.strip()}`: $( without its )")
            self._inner.append(text[start + 2 : end])
            text = f"{text[:start]}\x01{len(self._inner) - 1}\x02{text[end + 1 :]}"
        return text

    def _substituted(self, word: str) -> str:
        """`word` with the output of what was put aside."""

        def output(mark: re.Match[str]) -> str:
            return self._list(_words(self._inner[int(mark.group(1))]))[1].replace("\n", " ")

        return re.sub("\x01(\\d+)\x02", output, word)

    def _list(self, words: list[str]) -> tuple[int, str]:
        """Pipelines with `;`, `&&` and `||` in between; the status and output of the last."""
        status, output = 0, ""
        pipeline: list[str] = []
        skip = False
        for word in [*words, ";"]:
            if word not in _SEPARATORS or word == "|":
                pipeline.append(word)
                continue
            if pipeline and not skip:
                status, output = self._pipeline(pipeline)
            pipeline = []
            skip = (word == "&&" and status != 0) or (word == "||" and status == 0)
            if word in (";", "\n") and status and output.startswith("error:"):
                break
        return status, output

    def _pipeline(self, words: list[str]) -> tuple[int, str]:
        status, output = 0, ""
        command: list[str] = []
        negate = words[0] == "!"
        for word in [*(words[1:] if negate else words), "|"]:
            if word != "|":
                command.append(word)
                continue
            status, output = self._command(command, output)
            command = []
        return (int(status == 0) if negate else status), output

    def _command(self, words: list[str], given: str) -> tuple[int, str]:
        words = [self._substituted(word) for word in _without_redirections(words)]
        while words and re.fullmatch(r"[A-Za-z_]\w*=.*", words[0]):
            words = words[1:]
        if words and words[0] in ("sudo", "command", "exec", "env", "source", "."):
            words = words[1:]
        if not words:
            return 0, ""
        name = words[0].rsplit("/", 1)[-1]
        if _HELPERS.search(words[0]):
            return self._helper(words[0], words[1:])
        if name in ("sh", "bash", "python", "python3") and len(words) > 1:
            if words[1] == "-c":
                return self._list(_words(words[2]))
            if _HELPERS.search(words[1]):
                return self._helper(words[1], words[2:])
        run: Callable[[Host, list[str], str], tuple[int, str]] | None = commands.KNOWN.get(name)
        if run is None:
            raise ScriptError(f"`{' '.join(words)}`: {name} is no command known here")
        return run(self._host, words[1:], given)

    def _helper(self, path: str, arguments: list[str]) -> tuple[int, str]:
        """A helper beside the script: its commands, if it is a shell script that is there.

        It brings a machine into a known state; what is not known here needs no undoing, and a shell would go
        on, too.
        """
        file = (self._directory or Path()) / path
        if self._directory is None or not path.endswith(".sh") or not file.is_file():
            return commands.helper(self._host, arguments)
        text = re.sub(r"\\\n", " ", file.read_text(encoding="utf-8", errors="replace"))
        for line in text.splitlines():
            with suppress(ScriptError, ScriptFailure):
                self.run(line.split(" #")[0])
        return 0, ""


def _arithmetic(text: str) -> str:
    """`text` with each `$((…))` of numbers in the place of its value."""

    def value(found: re.Match[str]) -> str:
        return str(eval(found[1].replace("/", "//"), {"__builtins__": {}}))

    return re.sub(r"\$\(\(([-+*/%()\d\s]+)\)\)", value, text)


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_PUNCTUATION)
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return [word if set(word) != {"\n"} else ";" for word in _unglued(lexer)]
    except ValueError as error:
        raise ScriptError(f"`{text.strip()}`: {error}") from None


def _unglued(lexer: shlex.shlex) -> list[str]:
    """`;\\n` comes as one word: punctuation is taken apart again."""
    words: list[str] = []
    for word in lexer:
        if word and set(word) <= set(_PUNCTUATION):
            words += re.findall(r"&&|\|\||>>|>&|[;&|<>()\n]", word)
        else:
            words.append(word)
    return words


def _without_redirections(words: list[str]) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(words):
        if words[at] in (">", ">>", "<", ">&"):
            if kept and kept[-1] in ("1", "2"):
                kept.pop()
            at += 2
            continue
        kept.append(words[at])
        at += 1
    return kept
