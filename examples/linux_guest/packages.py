"""Fetches what the guest is made of from Debian's packages, without root and without installing them."""

import lzma
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from process import GuestError

KERNEL = "linux-image-cloud-amd64"
"""Depends on the newest of Debian's kernels for virtual machines."""

BUSYBOX = "busybox-static"

MODULES = (
    "virtio_ring", "virtio", "virtio_mmio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
    "failover", "net_failover", "virtio_net",
)  # fmt: skip
"""What the interface needs, in the order in which it is loaded."""

PATIENCE = 300
"""Wall seconds that a package may take to come."""


def fetch(where: Path) -> str:
    """Put kernel (`vmlinuz`), `busybox` and `modules/` into the directory `where`, unless they are there.

    Says which packages with which versions they are of. Raises GuestError.
    """
    versions = where / "versions"
    if not versions.exists():
        for tool in ("apt-get", "apt-cache", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise GuestError(f"{tool} is missing: the guest is made of Debian's packages")
        where.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=where.parent) as directory:
            made = _fetch(Path(directory))
            shutil.rmtree(where, ignore_errors=True)
            made.rename(where)  # whole, or not at all
    return versions.read_text()


def _fetch(directory: Path) -> Path:
    depends = _said("apt-cache", "depends", KERNEL)
    image = re.search(r"Depends: (linux-image-\S+)", depends)
    if image is None:
        raise GuestError(f"apt knows no package {KERNEL}: it takes Debian, and apt-get update before")
    made = directory / "made"
    (made / "modules").mkdir(parents=True)
    versions = []
    for package in (image[1], BUSYBOX):
        _said("apt-get", "download", package, cwd=directory)
        (file,) = directory.glob(f"{package}_*.deb")
        versions.append(f"{package} {_said('dpkg-deb', '--field', str(file), 'Version').strip()}")
        _unpack(file, made)
    lacking = [name for name in ("vmlinuz", "busybox", "modules/virtio_net.ko") if not (made / name).exists()]
    if lacking:
        raise GuestError(f"there is no {' and no '.join(lacking)} in {' and '.join(versions)}")
    (made / "versions").write_text(", ".join(versions))
    return made


def _unpack(package: Path, made: Path) -> None:
    """Take what we need out of a package: as it is read, since a kernel's modules are many."""
    command = ("dpkg-deb", "--fsys-tarfile", str(package))
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as unpacking,
        tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive,
    ):
        for member in archive:
            kept = _kept(PurePosixPath(member.name))
            content = archive.extractfile(member) if kept and member.isfile() else None
            if kept and content:
                data = content.read()
                (made / kept).write_bytes(lzma.decompress(data) if member.name.endswith(".xz") else data)
    if unpacking.returncode:
        raise GuestError(f"dpkg-deb cannot unpack {package.name}")


def _kept(path: PurePosixPath) -> str:
    """Under which name a package's file is kept; empty if it is not."""
    name = path.name.removesuffix(".xz").removesuffix(".ko")
    if name in MODULES and name != path.name:
        return f"modules/{name}.ko"
    if name.startswith("vmlinuz-"):
        return "vmlinuz"
    return "busybox" if path.name == "busybox" and path.parent.name == "bin" else ""


def _said(*command: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise GuestError(f"{' '.join(command)} has not ended in {PATIENCE} s") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it gives no reason"])[-1]
        raise GuestError(f"{' '.join(command)} failed: {last}") from None
    return done.stdout
