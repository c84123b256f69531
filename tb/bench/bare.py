"""The bare loop: the NIC driven by C++ alone (tb/cpp/bare_main.cpp)."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymodel import regs
from tb import toolchain, verilate
from tb.cosim.build import spec

MTU_DEFAULT = 1500


@dataclass(frozen=True)
class Setup:
    """What a measurement runs with.

    `frame_bytes`: with FCS; `direction`: tx, rx or both; `latency_cycles`: of host memory, reads and writes;
    `features`: bits the driver accepts beside the required ones; `offload`: transmitted frames ask for their
    checksum; `indirect`: transmit chains are tables of two descriptors; `tso`: the driver posts 64 KiB chains
    that become frames of `frame_bytes`.
    """

    frame_bytes: int
    direction: str = "both"
    latency_cycles: int = 32
    features: int = 0
    offload: bool = False
    indirect: bool = False
    tso: bool = False

    def arguments(self) -> list[str]:
        """For the executable."""
        values: dict[str, object] = {
            "frame": self.frame_bytes,
            "direction": self.direction,
            "memory": self.latency_cycles,
            "features": hex(self.features),
            "offload": int(self.offload),
            "indirect": int(self.indirect),
            "tso": int(self.tso),
        }
        mtu = self.frame_bytes - 4 - 14
        if mtu > MTU_DEFAULT:
            values |= {"mtu_register": int(regs.Side.MTU), "mtu": mtu}
        return [f"{name}={value}" for name, value in values.items()]


def _run(*arguments: str) -> Any:
    _, directory = verilate.build(spec(bare=True), where=toolchain.BUILD / "nic")
    command = [str(directory / "fdw_tb"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if result.returncode:
        raise RuntimeError(f"the bare loop failed: {result.stderr.strip() or 'no reason given'}")
    return json.loads(result.stdout)


def rate(setup: Setup, cycles: int) -> dict[str, float]:
    """Run `cycles` clock cycles of frames back to back; what was counted.

    Raises ToolMissing, BuildFailed, or RuntimeError when the NIC does not work.
    """
    result: dict[str, float] = _run(*setup.arguments(), "mode=rate", f"cycles={cycles}")
    return result


def replay(script: Path) -> dict[str, float]:
    """Do again what Python did in the run that left `script` (tb/cpp/script.h), at the same clock edges.

    `cycles` and `seconds` between its two marks; raises as `rate` does, also when the NIC sends other frames.
    """
    result: dict[str, float] = _run("mode=replay", f"script={script}")
    return result


def latency(setup: Setup, count: int) -> list[dict[str, Any]]:
    """One frame at a time through a NIC at rest, `count` times: for each, the moments at its ports.

    `{"direction": str, "moments": [[name, edge], …]}`; raises as `rate` does.
    """
    result: list[dict[str, Any]] = _run(*setup.arguments(), "mode=latency", f"count={count}")
    return result
