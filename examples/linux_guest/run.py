"""A Linux guest in stock QEMU, whose unmodified virtio_net drives the NIC: it boots, pings, loads a file
down and up, takes its interface down and up, and reboots.

python examples/linux_guest/run.py [--nic rtl|golden] [--machine microvm|q35] [--tap] [options of vhost-user]

Needs qemu-system-x86_64 and Debian's apt (docs/vhost-user.md). Status 0: every step did what it should.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archive import initramfs
from guest import QEMU, Guest, command
from packages import fetch
from process import GuestError, Process
from story import tell

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

BUILD = 600.0
"""Wall seconds until the NIC waits for clients; the first time the RTL is compiled."""


@contextmanager
def nic(words: list[str], log: Path) -> Iterator[Process]:
    """`fdwire vhost-user` for the guest's life. Raises GuestError if it does not end as it should."""
    process = Process("the NIC", [sys.executable, "-m", "tb.cli", "vhost-user", *words], log, ROOT)
    try:
        process.until("Ctrl-C ends it", BUILD)
        yield process
    finally:
        status = process.end(signal.SIGINT)
        print(process.said, end="")
    if status:
        raise GuestError(f"the NIC ended with status {status}")


def run(arguments: argparse.Namespace, further: list[str]) -> None:
    """All of it. Raises GuestError."""
    if shutil.which(QEMU) is None:
        raise GuestError(f"{QEMU} is missing (Debian/Ubuntu: apt install qemu-system-x86)")
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    parts = ROOT / "build" / "guest"
    print(f"made of {fetch(parts)}", flush=True)
    (out / "initramfs").write_bytes(initramfs(parts))
    version = subprocess.run((QEMU, "--version"), capture_output=True, text=True, check=True).stdout
    print(f"{version.splitlines()[0]}; machine {arguments.machine}; NIC {arguments.nic}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        socket, served = Path(directory) / "s", Path(directory) / "served"
        served.mkdir()
        words = ["--nic", arguments.nic, "--socket", str(socket), "--out", str(out), *further]
        if arguments.tap:
            words += ["--tap", "--peer", f"{sys.executable} {HERE / 'server.py'} {served}"]
        else:
            words += ["--serve", str(served)]
        if arguments.nic == "rtl":
            print("the RTL is compiled now, if it is not yet: a minute or two", flush=True)
        with nic(words, out / "nic.log") as device:
            qemu = command(arguments.machine, parts / "vmlinuz", out / "initramfs", socket)
            machine = Process("QEMU", qemu, out / "console.log", ROOT)
            try:
                tell(Guest(machine, device.check), served, arguments.bytes, not arguments.no_reboot)
            finally:
                machine.end()


def main() -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(description=" ".join((__doc__ or "").split("\n\n")[0].split()))
    parser.add_argument("--nic", choices=("rtl", "golden"), default="rtl", help="what the guest drives (rtl)")
    parser.add_argument("--machine", choices=("microvm", "q35"), default="microvm", help="QEMU's (microvm)")
    parser.add_argument(
        "--tap", action="store_true", help="the kernel at the far end, not the simulated host"
    )
    parser.add_argument("--no-reboot", action="store_true", help="one boot only")
    parser.add_argument(
        "--bytes", type=int, default=10_000_000, help="of the file that is loaded (10,000,000)"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "linux_guest", help="for capture and logs"
    )
    try:
        run(*parser.parse_known_args())
    except GuestError as error:
        print(f"linux_guest: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
