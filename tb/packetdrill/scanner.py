"""Walks over a script's text: white space, comments, and regular expressions at the present place.

There are no tokens: `.` is a fraction's point, the ACK flag or half an ellipsis, and only the parser knows.
"""

import re

from tb.packetdrill.errors import ScriptError

_BLANK = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/|#[^\n]*)+", re.DOTALL)


class Scanner:
    """`text` and a position in it. Matching skips white space and comments first."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def line(self) -> int:
        """The line of the present place, from 1."""
        return self.text.count("\n", 0, self.at) + 1

    def skip(self) -> None:
        """Over white space and comments. ScriptError for a comment without an end."""
        found = _BLANK.match(self.text, self.at)
        if found:
            self.at = found.end()
        if self.text.startswith("/*", self.at):
            raise self.error("this comment has no end")

    @property
    def done(self) -> bool:
        """Nothing but white space is left."""
        self.skip()
        return self.at >= len(self.text)

    def peek(self, pattern: str) -> re.Match[str] | None:
        """A match of `pattern` here, without moving."""
        self.skip()
        return re.compile(pattern).match(self.text, self.at)

    def take(self, pattern: str) -> str | None:
        """The text matched by `pattern` here, and go past it; None if there is no match."""
        found = self.peek(pattern)
        if found is None:
            return None
        self.at = found.end()
        return found.group()

    def expect(self, pattern: str, what: str) -> str:
        """As `take`; ScriptError("`what` expected") if there is no match."""
        text = self.take(pattern)
        if text is None:
            raise self.error(f"{what} expected")
        return text

    def until(self, end: str, what: str) -> str:
        """Everything up to `end`, and go past that. ScriptError when it never comes."""
        stop = self.text.find(end, self.at)
        if stop < 0:
            raise self.error(f"{what} without its closing {end}")
        text = self.text[self.at : stop]
        self.at = stop + len(end)
        return text

    def error(self, message: str) -> ScriptError:
        """A ScriptError for this place, which it shows."""
        here = self.text[self.at :].split("\n", 1)[0].strip()
        return ScriptError(f"{message}, found {here[:60]!r}" if here else f"{message}", self.line)
