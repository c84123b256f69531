"""What several sections of the page have: figures, and the command that opens the waves."""

from dataclasses import dataclass
from html import escape

Section = tuple[str, str, str]
"""(title, what is in it, its name in the page's address)."""


@dataclass(frozen=True)
class Waves:
    """From when to when the waves are (ps), and the command that opens them, but for the time."""

    first: int
    last: int
    command: str


def value(key: str, figure: int | float | str, shown: str) -> str:
    """A figure under the name that it has in summary.json, as it is and as it is `shown`."""
    return f'<data data-key="{key}" value="{escape(str(figure))}">{escape(shown)}</data>'
