"""Stock QEMU with the guest in it: the machines, and what is typed at the guest's console."""

from collections.abc import Callable
from pathlib import Path

from clock import tsc_khz
from process import GuestError, Process

QEMU = "qemu-system-x86_64"

MAC = "02:00:00:00:00:01"

BOOT = 180.0
"""Wall seconds until the guest has booted: 4 s where nothing else runs."""


def machine(kind: str) -> list[str]:
    """QEMU's arguments for the machine `kind` and its virtio-net device."""
    if kind == "microvm":
        # It has no clock to find out its processor's with, and Debian's kernel cannot do without: it is told.
        words = f" tsc_early_khz={tsc_khz()} tsc=reliable"
        device = ["-global", "virtio-mmio.force-legacy=false", "-device", "virtio-net-device,"]
    else:
        # Without MSI-X: with it QEMU 7.2 ended by SIGSEGV where there is no KVM.
        words = ""
        device = ["-device", "virtio-net-pci,disable-legacy=on,vectors=0,"]
    device[-1] += f"packed=on,netdev=net,mac={MAC}"
    return ["-M", f"{kind},memory-backend=memory", *device, "-append", f"{KERNEL_SAYS}{words}"]


KERNEL_SAYS = "console=ttyS0 quiet loglevel=3 reboot=t panic=-1"


def command(kind: str, kernel: Path, initramfs: Path, socket: Path) -> list[str]:
    """QEMU's command line. TCG: the NIC is slower than any processor. Memory that can be shared."""
    return [
        *(QEMU, "-accel", "tcg", "-cpu", "max", "-m", "256", "-nodefaults", "-no-user-config"),
        *("-display", "none", "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(initramfs)),
        *("-object", "memory-backend-memfd,id=memory,size=256M,share=on"),
        *("-chardev", f"socket,id=nic,path={socket}", "-netdev", "vhost-user,id=net,chardev=nic"),
        *machine(kind),
    ]


class Guest:
    """A guest whose console is `process`'s input and output; `check` is called while it is waited for."""

    def __init__(self, process: Process, check: Callable[[], None]) -> None:
        self._process = process
        self._check = check

    def boot(self) -> None:
        """Wait until it has booted. Raises GuestError."""
        self._process.until("guest: ready\n", BOOT, self._check)

    def run(self, line: str, patience: float = 60) -> str:
        """Run a line of shell in it; what it says. Raises GuestError if its status is not 0."""
        self._process.type(line)
        found = self._process.until(r"([^\0]*?)guest: status (\d+)\n", patience, self._check)
        if found[2] != "0":
            raise GuestError(f"the guest's `{line}` ended with status {found[2]}: {found[1].strip()}")
        return found[1].strip()

    def reboot(self) -> None:
        """Reboot it: the machine is reset, QEMU stays. Raises GuestError."""
        self._process.type("reboot -f")
        self.boot()

    def power_off(self) -> None:
        """Switch it off; QEMU ends. Raises GuestError."""
        self._process.type("poweroff -f")
        self._process.wait(60)
