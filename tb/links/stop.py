"""Ctrl-C and SIGTERM as something to read: a run ends where it is safe to, and its files are whole."""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tb.cosim.errand import EndedEarly

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def told(write: int) -> Generator[None, None, None]:
    """Inside, a signal writes its number, a byte, to `write`; after it SIGINT is a KeyboardInterrupt.

    An errand that ended early after a signal ended by it: its simulator was about to start, and got the
    terminal's Ctrl-C itself. So does the command then.
    """
    heard = 0

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        heard = number
        os.write(write, bytes([number]))
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before: list[Any] = [signal.signal(number, handler) for number in SIGNALS]
    try:
        yield
    except EndedEarly:
        if heard == signal.SIGINT:
            raise KeyboardInterrupt from None
        if heard:
            sys.exit(128 + heard)
        raise
    finally:
        for number, previous in zip(SIGNALS, before, strict=True):
            signal.signal(number, previous)


def overheard() -> None:
    """In the simulator, which the terminal's Ctrl-C reaches too: leave it to the command, which tells us.

    A handler, not SIG_IGN: commands started from here would inherit that.
    """
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: None)
