"""sysctl(8) names of Linux and FreeBSD, on a simulated host's settings."""

from pymodel.host import Host
from tb.packetdrill.errors import ScriptError


def write(host: Host, name: str, value: str) -> None:
    """Set `name`. ScriptError if it is unknown, or the value one that nothing here would heed."""
    raise ScriptError(f"sysctl {name}={value} is not known here")


def read(host: Host, name: str) -> str:
    """The value of `name` as sysctl prints it."""
    raise ScriptError(f"sysctl {name} is not known here")
