"""What a script can set with `--name=value`, in the script or on the command line."""

import ipaddress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from pymodel.simtime import MS, US
from tb.packetdrill.errors import ScriptError


@dataclass(slots=True)
class Config:
    """The defaults are the original's. Times in µs, as they are written.

    `tolerance_usecs` and `tolerance_percent`: an event may be off by the larger of the two; the latter is of
    the time since the event before it.
    """

    ip_version: str = "ipv4"
    local_ip: str = "192.168.0.1"
    remote_ip: str = "192.0.2.1"
    gateway_ip: str = "192.168.0.2"
    netmask_ip: str = "255.255.0.0"
    bind_port: int = 8080
    connect_port: int = 8080
    mtu: int = 1500
    mss: int = 0
    speed: int = 0
    tolerance_usecs: int = 4000
    tolerance_percent: float = 12.5
    tcp_ts_tick_usecs: int = 0
    strict_segments: bool = False
    non_fatal: str = ""
    send_omit_free: bool = False
    verbose: bool = False
    dry_run: bool = False
    directory: Path | None = None
    """Where the script lies, if it is a file; no option."""

    def tolerance(self, elapsed: int) -> int:
        """By how many ps an event may be off that comes `elapsed` ps after the one before it."""
        return max(self.tolerance_usecs * US, int(elapsed * self.tolerance_percent / 100), 0)


_SWITCHES: Final = {"strict_segments", "send_omit_free", "verbose", "dry_run"}
_ADDRESSES: Final = {"local_ip", "remote_ip", "gateway_ip", "netmask_ip"}
_IGNORED: Final = {
    "persistent_tun_dev": "the device is always new",
    "init_scripts": "the state is always that of a machine just started",
    "code_command": "code runs at once, in this Python",
    "code_format": "code is Python",
    "code_sockopt": "code sees TCP_INFO",
    "debug": "",
    "so_filename": "",
}
_REFUSED: Final = {
    "udp_encaps": "packets inside UDP are not there",
    "wire_client": "the machine under test is in this process; there is no second one to talk to",
    "wire_client_dev": "the machine under test is in this process",
    "wire_server": "the machine under test is in this process; there is no second one to talk to",
    "wire_server_ip": "the machine under test is in this process",
    "wire_server_port": "the machine under test is in this process",
    "wire_server_dev": "the machine under test is in this process",
}
TOLERANCE_MIN: Final = 4 * MS


def apply(config: Config, name: str, value: str, line: int = 0) -> None:
    """Set one option. ScriptError for one that is unknown, refused, or has a wrong value."""
    name = name.replace("-", "_")
    if name in _IGNORED:
        return
    if name in _REFUSED:
        raise ScriptError(f"--{name}: {_REFUSED[name]}", line)
    known: dict[str, Any] = {field.name: field.type for field in fields(Config) if field.name != "directory"}
    if name not in known:
        raise ScriptError(f"--{name} is no option of a script", line)
    try:
        setattr(config, name, _value(name, known[name], value))
    except ValueError as error:
        raise ScriptError(f"--{name}={value}: {error}", line) from None


def _value(name: str, kind: object, value: str) -> object:
    if name == "ip_version":
        if value not in ("ipv4", "4"):
            raise ValueError("only ipv4; IPv6 is not there yet")
        return "ipv4"
    if name in _ADDRESSES:
        text = value.split("/")[0]
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise ValueError("an IPv4 address expected") from None
    if name in _SWITCHES:
        if value.lower() in ("", "1", "true", "yes"):
            return True
        if value.lower() in ("0", "false", "no"):
            return False
        raise ValueError("0 or 1 expected")
    if kind is int or kind == "int":
        return int(value.rstrip("Mm") if name == "speed" else value, 0)
    if kind is float or kind == "float":
        return float(value)
    return value
