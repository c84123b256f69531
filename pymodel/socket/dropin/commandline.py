"""A command line of Python's: which program it names, and the options that matter in a simulation."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pymodel.socket.runners import run_code, run_module, run_script

_WITH_VALUE = "WX"
_FLAGS: dict[str, dict[str, int]] = {
    "E": {"ignore_environment": 1},
    "I": {"ignore_environment": 1, "isolated": 1, "no_user_site": 1, "safe_path": True},
    "s": {"no_user_site": 1},
    "u": {"unbuffered": 1},
}


@dataclass(frozen=True, slots=True)
class Command:
    """`kind` is "code", "module", "script", "input" (standard input) or "version"."""

    kind: str
    target: str = ""
    arguments: tuple[str, ...] = ()
    flags: tuple[tuple[str, int], ...] = ()
    """What of `sys.flags` is not as the interpreter's."""

    @property
    def name(self) -> str:
        """For messages."""
        return self.target if self.kind in ("module", "script") else "python"

    def run(self) -> None:
        """Run it in the process that runs now."""
        if self.kind == "version":
            print("Python", sys.version.split()[0])
        elif self.kind == "code":
            run_code(self.target, *self.arguments)
        elif self.kind == "module":
            run_module(self.target, *self.arguments)
        elif self.kind == "script":
            run_script(self.target, *self.arguments)
        else:
            run_code(sys.stdin.read(), *self.arguments)
            sys.argv[0] = "-"


def parse(argv: Sequence[str]) -> Command:
    """The command that `argv` (with the interpreter first) is. Options that only tune the interpreter
    change `sys.flags` at most."""
    flags: dict[str, int] = {}
    words = list(argv[1:])
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word.startswith("--"):
            if word == "--version":
                return Command("version")
            if word == "--check-hash-based-pycs" and words:
                words.pop(0)
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            flags.update(_FLAGS.get(letter, {}))
            if letter == "V":
                return Command("version")
            if letter in "cm":
                target = letters or (words.pop(0) if words else "")
                kind = "code" if letter == "c" else "module"
                return Command(kind, target, tuple(words), tuple(flags.items()))
            if letter in _WITH_VALUE:
                value = letters or (words.pop(0) if words else "")
                if (letter, value) == ("X", "dev"):
                    flags["dev_mode"] = True
                break
    if words and words[0] != "-":
        return Command("script", words[0], tuple(words[1:]), tuple(flags.items()))
    return Command("input", "", tuple(words[1:]), tuple(flags.items()))
