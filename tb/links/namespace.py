"""A network namespace of one's own (network_namespaces(7)), as root or as an ordinary user.

The command starts itself again inside it, in the same process: everything that it starts is inside too, and
namespace and TAP are gone when the last of them has ended.
"""

import os
import shutil
import subprocess
import sys
from typing import Final

from tb.links.errors import LinkError

INSIDE: Final = "FDWIRE_NAMESPACE"
"""Set in the environment of the command that runs inside: how the shell of another terminal gets in."""

_AS_ROOT: Final = ("--net",)
_AS_USER: Final = ("--user", "--map-root-user", "--net")


def inside() -> bool:
    """Whether this process is the one that was started again."""
    return INSIDE in os.environ


def enter(arguments: list[str]) -> None:
    """Start `fdwire` with `arguments` again inside a new namespace; does not return.

    LinkError when there is no unshare(1), or the kernel allows no namespace.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        raise LinkError("unshare is not installed: it makes the network namespace (apt install util-linux)")
    flags = _allowed(unshare)
    join = "nsenter --preserve-credentials --user --net" if "--user" in flags else "nsenter --net"
    environment = {**os.environ, INSIDE: f"{join} --target {os.getpid()}"}
    sys.stdout.flush()
    os.execve(unshare, [unshare, *flags, sys.executable, "-m", "tb.cli", *arguments], environment)


def _allowed(unshare: str) -> tuple[str, ...]:
    said = ""
    for flags in (_AS_ROOT, _AS_USER) if os.geteuid() == 0 else (_AS_USER,):
        tried = subprocess.run([unshare, *flags, "true"], capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return flags
        said = tried.stderr.strip().removeprefix("unshare: ")
    raise LinkError(
        f"the kernel allows no network namespace here ({said}): run as root, or allow user namespaces "
        "(sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces)"
    )


def way_in() -> str:
    """The command that takes another terminal's shell in here."""
    return os.environ[INSIDE]
