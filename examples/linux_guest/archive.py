"""The guest's root directory, as the kernel unpacks it into memory: a cpio archive (newc), compressed."""

import gzip
from pathlib import Path

from packages import MODULES


def initramfs(parts: Path) -> bytes:
    """Made of `init` beside this file, and of what `packages.fetch` has put into the directory `parts`."""
    entries = [(name, 0o40755, b"") for name in ("bin", "dev", "modules")]
    entries.append(("dev/console", 0o20600, b""))
    entries.append(("init", 0o100755, (Path(__file__).parent / "init").read_bytes()))
    entries.append(("bin/busybox", 0o100755, (parts / "busybox").read_bytes()))
    for number, module in enumerate(MODULES, 10):
        file = parts / "modules" / f"{module}.ko"
        if file.exists():  # else it is in the kernel itself
            entries.append((f"modules/{number}-{module}.ko", 0o100644, file.read_bytes()))
    entries.append(("TRAILER!!!", 0, b""))
    return gzip.compress(b"".join(_entry(number, *entry) for number, entry in enumerate(entries, 1)), 1)


def _entry(number: int, name: str, mode: int, data: bytes) -> bytes:
    """One file, as Linux's Documentation/driver-api/early-userspace/buffer-format.rst describes it."""
    device = (5, 1) if name == "dev/console" else (0, 0)
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
