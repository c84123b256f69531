"""What the guest does, each step said; a GuestError tells which of them failed."""

import hashlib
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

from guest import Guest
from process import GuestError

FAR = "10.0.0.1"
NEAR = "10.0.0.2"

RING_PACKED = 34
"""The feature's bit (virtio 1.2 §6)."""

PUT = "printf 'PUT /back HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: {0}\\r\\nConnection: close\\r\\n\\r\\n'"

TRANSFER = 400.0
"""Wall seconds that a transfer may take: 10 MB took 10 s through the RTL where nothing else ran."""


def tell(guest: Guest, served: Path, size: int, reboots: bool) -> None:
    """The whole story, with a file of `size` bytes; `served`: the directory of the far host's web server."""
    blob = random.Random(1).randbytes(size)
    boot(guest, guest.boot)
    up(guest)
    ping(guest)
    transfer(guest, served, blob)
    guest.run("ip link set eth0 down")
    say("ip link set eth0 down")
    up(guest)
    ping(guest)
    if reboots:
        say("reboots")
        boot(guest, guest.reboot)
        up(guest)
        ping(guest)
        transfer(guest, served, blob[: size // 10])
    guest.power_off()
    say("powers off")


def say(text: str) -> None:
    """A line about the guest."""
    print(f"guest: {text}", flush=True)


def boot(guest: Guest, how: Callable[[], None]) -> None:
    """Boot it by `how`, and look what its driver has found."""
    began = time.monotonic()
    how()
    say(f"Linux {guest.run('uname -r')} has booted in {time.monotonic() - began:.0f} s")
    device = "/sys/class/net/eth0/device"
    driver = Path(guest.run(f"readlink {device}/driver")).name
    behind = Path(guest.run(f"readlink {device}/../driver || readlink {device}/../../driver")).name
    bits = guest.run(f"cat {device}/features")
    features = [number for number, bit in enumerate(bits) if bit == "1"]
    say(f"eth0 is {driver}'s, behind {behind}; features {', '.join(map(str, features))}")
    if RING_PACKED not in features:
        raise GuestError("the guest's driver has not accepted packed rings")


def up(guest: Guest) -> None:
    """Bring the interface up."""
    guest.run(f"ip link set eth0 up && ip address replace {NEAR}/24 dev eth0")
    say(f"ip link set eth0 up, {NEAR}")


def ping(guest: Guest) -> None:
    """Three pings, each of which must be answered."""
    said = guest.run(f"ping -c 3 -W 10 {FAR}", 120)
    (counted,) = re.findall(r".*packets transmitted.*", said)
    say(counted)
    if "3 packets transmitted, 3 packets received" not in counted:
        raise GuestError("not every ping was answered")


def transfer(guest: Guest, served: Path, blob: bytes) -> None:
    """Download `blob`, and upload what has come."""
    (served / "blob").write_bytes(blob)
    began = time.monotonic()
    guest.run(f"wget -q -O /tmp/blob http://{FAR}/blob", TRANSFER)
    took = time.monotonic() - began
    digest = guest.run("sha256sum < /tmp/blob").split()[0]
    say(f"has downloaded {len(blob):,} bytes in {took:.1f} s, SHA-256 {digest}")
    if digest != hashlib.sha256(blob).hexdigest():
        raise GuestError("that is not what was served")
    back = served / "back"
    back.unlink(missing_ok=True)
    began = time.monotonic()
    answer = guest.run(f"({PUT.format(len(blob))}; cat /tmp/blob) | nc {FAR} 80", TRANSFER)
    took = time.monotonic() - began
    if " 201 " not in answer:
        raise GuestError(f"the upload was not answered by 201, but by {answer!r}")
    digest = hashlib.sha256(back.read_bytes()).hexdigest()
    say(f"has uploaded {back.stat().st_size:,} bytes in {took:.1f} s, SHA-256 {digest}")
    if back.read_bytes() != blob:
        raise GuestError("that is not what the guest had downloaded")
    guest.run("rm /tmp/blob")
