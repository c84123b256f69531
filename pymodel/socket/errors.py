"""How a system call fails: `OSError` with the errno that Linux gives (man 2 of each call)."""

import os


def error(number: int) -> OSError:
    """The OSError for `number` (Python picks the subclass, such as ConnectionRefusedError)."""
    return OSError(number, os.strerror(number))
