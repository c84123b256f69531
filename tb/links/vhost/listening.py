"""Where clients come from: a UNIX socket of ours that they connect to, or one of theirs that we connect
to.
"""

import contextlib
import os
import socket
import stat

from tb.links.errors import LinkError

__all__ = ["connect", "listen", "unlink"]

_LONGEST = 107  # unix(7): sun_path, without the zero at its end


def listen(path: str) -> socket.socket:
    """A socket at `path` that a client may connect to. A socket file that nobody listens to any more is
    replaced.

    LinkError when there can be none.
    """
    _check(path)
    with contextlib.suppress(OSError):  # there is none, or bind says what is wrong
        if stat.S_ISSOCK(os.stat(path).st_mode) and not _answers(path):
            os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        sock.listen(1)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if os.path.exists(path):
            raise LinkError(f"{path} exists already: choose another --socket, or remove it") from None
        raise LinkError(f"there can be no socket {path}: {os.strerror(error.errno or 0)}") from None
    return sock


def connect(path: str) -> socket.socket | None:
    """A connection to the client that listens at `path`; None if nobody does (yet)."""
    _check(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        return None
    return sock


def unlink(path: str) -> None:
    """Remove the socket's file, if it is still there."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def _check(path: str) -> None:
    if len(os.fsencode(path)) > _LONGEST:
        raise LinkError(f"the socket's path has more than {_LONGEST} bytes: choose a shorter --socket")


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True
