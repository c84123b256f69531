"""The syntax of shell commands: words, lists, pipes, `if` and `for`. Nothing here runs anything.

In a word a `$(…)` is put between the characters 1 and 2, to be run when the word's turn comes.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Final, Union

from tb.packetdrill.errors import ScriptError

Node = Union["Sequence", "Pipeline", "If", "For", "Command"]


@dataclass(frozen=True)
class Command:
    """A simple command; `outputs`: the files its standard output goes to."""

    words: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Pipeline:
    """Commands with `|` in between; `negated` by `!`."""

    items: tuple[Node, ...]
    negated: bool


@dataclass(frozen=True)
class Sequence:
    """(operator before it, command): `;`, `&&` or `||`."""

    items: tuple[tuple[str, Node], ...]


@dataclass(frozen=True)
class If:
    """(condition, body) for each branch, and what is after `else`."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


@dataclass(frozen=True)
class For:
    """`for name in words; do body; done`."""

    name: str
    words: tuple[str, ...]
    body: Node


_OUTPUT: Final = "\x031"
_ERRORS: Final = "\x032"
"""A descriptor right before its redirection."""
_PUNCTUATION: Final = ";&|<>()\n"
_OPERATORS: Final = frozenset({";", "&&", "||", "\n", "&"})
_REDIRECTIONS: Final = frozenset({">", ">>", "<", ">&"})
_ENDS: Final = frozenset({"then", "elif", "else", "fi", "do", "done", ")", "}"})


def without_comments(text: str) -> str:
    """`text` without comment lines, comments behind commands, and line continuations."""
    text = re.sub(r"\\\n", " ", text)
    lines = [re.sub(r"\s#\s.*$", "", line) for line in text.splitlines() if not line.lstrip().startswith("#")]
    return "\n".join(lines)


def parse(text: str) -> Node:
    """The commands of `text`. ScriptError for what is no shell command."""
    descriptors = re.sub(r"(?<!\S)([12])(?=>)", "\x03\\1", text)
    parser = _Parser(_words(_marked(_arithmetic(_literal(descriptors)))), text)
    found = parser.sequence()
    if parser.at < len(parser.words):
        raise parser.error(f"{parser.words[parser.at]!r} is out of place")
    return found


class _Parser:
    def __init__(self, words: list[str], text: str) -> None:
        self.words = words
        self.at = 0
        self._text = text

    def error(self, why: str) -> ScriptError:
        return ScriptError(f"`{self._text.strip()}`: {why}")

    def _peek(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def _expect(self, word: str) -> None:
        if self._peek() != word:
            raise self.error(f"{word} expected")
        self.at += 1

    def sequence(self) -> Node:
        items: list[tuple[str, Node]] = []
        operator = ";"
        while self.at < len(self.words) and self._peek() not in _ENDS:
            if self._peek() in _OPERATORS:
                word = self._peek()
                operator = word if word in ("&&", "||") else ";" if operator == ";" or items else operator
                self.at += 1
                continue
            items.append((operator, self._pipeline()))
            operator = ";"
        return items[0][1] if len(items) == 1 else Sequence(tuple(items))

    def _pipeline(self) -> Node:
        negated = self._peek() == "!"
        self.at += negated
        items = [self._item()]
        while self._peek() == "|":
            self.at += 1
            items.append(self._item())
        return items[0] if len(items) == 1 and not negated else Pipeline(tuple(items), negated)

    def _item(self) -> Node:
        word = self._peek()
        if word == "if":
            return self._if()
        if word == "for":
            return self._for()
        if word in ("(", "{"):
            self.at += 1
            body = self.sequence()
            self._expect(")" if word == "(" else "}")
            return body
        return self._simple()

    def _if(self) -> Node:
        branches: list[tuple[Node, Node]] = []
        otherwise: Node | None = None
        while self._peek() in ("if", "elif"):
            self.at += 1
            condition = self.sequence()
            self._expect("then")
            branches.append((condition, self.sequence()))
        if self._peek() == "else":
            self.at += 1
            otherwise = self.sequence()
        self._expect("fi")
        return If(tuple(branches), otherwise)

    def _for(self) -> Node:
        self.at += 1
        name = self._peek()
        self.at += 1
        self._expect("in")
        words: list[str] = []
        while self.at < len(self.words) and self._peek() not in _OPERATORS:
            words.append(self._peek())
            self.at += 1
        while self._peek() in (";", "\n"):
            self.at += 1
        self._expect("do")
        body = self.sequence()
        self._expect("done")
        return For(name, tuple(words), body)

    def _simple(self) -> Node:
        words: list[str] = []
        outputs: list[str] = []
        while self.at < len(self.words):
            word = self._peek()
            if word in _OPERATORS or word in ("|", "(", ")"):
                break
            self.at += 1
            if word not in _REDIRECTIONS:
                words.append(word)
                continue
            errors = words[-1:] == [_ERRORS]
            if words and words[-1] in (_OUTPUT, _ERRORS):
                words.pop()
            target = self._peek()
            self.at += 1
            if word in (">", ">>") and not errors:
                outputs.append(target)
        if not words and not outputs:
            raise self.error("a command expected")
        return Command(tuple(words), tuple(outputs))


LITERAL: Final = "\x04"
"""Stands for a dollar sign between single quotes, which begins nothing."""


def _literal(text: str) -> str:
    quoted = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.")
    return quoted.sub(lambda found: found[0].replace("$", LITERAL) if found[0][0] == "'" else found[0], text)


def _arithmetic(text: str) -> str:
    """`text` with each `$((…))` of numbers in the place of its value."""

    def value(found: re.Match[str]) -> str:
        return str(eval(found[1].replace("/", "//"), {"__builtins__": {}}))

    return re.sub(r"\$\(\(([-+*/%()\d\s]+)\)\)", value, text)


def _marked(text: str) -> str:
    """`text` with marks around what stands in `$(…)`, the innermost first, its separators hidden."""
    while (start := text.rfind("$(")) >= 0:
        end = text.find(")", start)
        if end < 0:
            raise ScriptError(f"`{text.strip()}`: $( without its )")
        inner = text[start + 2 : end].translate(_HIDE)
        text = f"{text[:start]}\x01{inner}\x02{text[end + 1 :]}"
    return text


_HIDE: Final = {ord(char): 0xE000 + ord(char) for char in ";&|<>()\n \t\"'"}
"""What would end a word, moved to where no script has characters."""
_SHOW: Final = {hidden: char for char, hidden in _HIDE.items()}


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_PUNCTUATION)
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return [word.translate(_SHOW) for word in _unglued(lexer)]
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
