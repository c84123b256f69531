"""Ctrl-C and SIGTERM as something to read: a run ends where it is safe to, and its files are whole."""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Heard:
    """The signal that came, 0 if none has."""

    number: int = 0

    def end_early(self) -> None:
        """End the command if it was told to. For when the simulator is not there to do it in order: it was
        about to start, and got the terminal's Ctrl-C itself.
        """
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number:
            sys.exit(128 + self.number)


@contextmanager
def told(write: int) -> Generator["Heard", None, None]:
    """Inside, a signal writes its number, a byte, to `write`; after it SIGINT is a KeyboardInterrupt."""
    heard = Heard()

    def handler(number: int, frame: FrameType | None) -> None:
        heard.number = number
        os.write(write, bytes([number]))
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before: list[Any] = [signal.signal(number, handler) for number in SIGNALS]
    try:
        yield heard
    finally:
        for number, previous in zip(SIGNALS, before, strict=True):
            signal.signal(number, previous)


def overheard() -> None:
    """In the simulator, which the terminal's Ctrl-C reaches too: leave it to the command, which tells us.

    A handler, not SIG_IGN: commands started from here would inherit that.
    """
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: None)
