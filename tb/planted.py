"""Bugs planted in a copy of the RTL by replacing one passage, to show that something notices."""

from dataclasses import dataclass
from pathlib import Path


class StalePlant(Exception):
    """The passage to be replaced is not there exactly once: the RTL has changed, the plant must follow."""


@dataclass(frozen=True)
class Plant:
    """In `file` (below rtl/) the passage `find`, which stands there once, becomes `replace`."""

    file: str
    find: str
    replace: str

    def spoil(self, text: str) -> str:
        """The file's `text` with the bug in it. Raises StalePlant."""
        count = text.count(self.find)
        if count != 1 or self.find == self.replace:
            raise StalePlant(f"{self.file}: {self.find!r} stands there {count} times instead of once")
        return text.replace(self.find, self.replace)

    def apply(self, rtl: Path) -> None:
        """Spoil the file below the directory `rtl` in place. Raises StalePlant."""
        path = rtl / self.file
        path.write_text(self.spoil(path.read_text()))
