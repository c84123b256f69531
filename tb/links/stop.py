"""Ctrl-C and SIGTERM as something to read: a run ends where it is safe to, and its files are whole."""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def told(write: int) -> Generator[None, None, None]:
    """Inside, a signal writes its number, a byte, to `write`; after it SIGINT is a KeyboardInterrupt."""

    def handler(number: int, frame: FrameType | None) -> None:
        os.write(write, bytes([number]))
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before: list[Any] = [signal.signal(number, handler) for number in SIGNALS]
    try:
        yield
    finally:
        for number, previous in zip(SIGNALS, before, strict=True):
            signal.signal(number, previous)


def overheard() -> None:
    """In the simulator, which the terminal's Ctrl-C reaches too: leave it to the command, which tells us.

    A handler, not SIG_IGN: commands started from here would inherit that.
    """
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: None)
