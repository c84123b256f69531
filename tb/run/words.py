"""What `fdwire run` is told: options of its own, then `--python` and a command line of Python's, or `--`."""

from collections.abc import Sequence
from dataclasses import dataclass

USAGE = "fdwire run [options] -- PROGRAM [arguments] | --python SCRIPT|-m MODULE|-c CODE [arguments]"


class UsageError(Exception):
    """One sentence about what is wrong with the command line."""


@dataclass(frozen=True)
class Words:
    """A program: `kind` is "script", "module" or "code", `target` which, `arguments` its sys.argv[1:]."""

    kind: str
    target: str
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """A short name for messages."""
        return "code" if self.kind == "code" else self.target


def native(words: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """The command's own words, and those behind `--`; None where there is none. UsageError."""
    if "--" not in words or "--python" in words[: words.index("--")]:
        return None
    at = words.index("--")
    if not words[at + 1 :]:
        raise UsageError(f"nothing follows --: {USAGE}")
    return list(words[:at]), list(words[at + 1 :])


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The command's own words, and those behind `--python`. UsageError if there is no `--python`."""
    if "--python" not in words:
        raise UsageError(f"say which program to run: {USAGE}")
    at = list(words).index("--python")
    return list(words[:at]), list(words[at + 1 :])


def parse(words: Sequence[str]) -> Words:
    """The program that a command line of Python's names. UsageError."""
    if not words:
        raise UsageError(f"nothing follows --python: {USAGE}")
    first, *rest = words
    kinds = {"-m": "module", "-c": "code"}
    if first in kinds:
        if not rest:
            raise UsageError(f"nothing follows {first}: {USAGE}")
        return Words(kinds[first], rest[0], tuple(rest[1:]))
    if first.startswith("-"):
        raise UsageError(f"{first}: of Python's own options only -m and -c are known here")
    return Words("script", first, tuple(rest))
