"""The bare loop: the NIC driven by C++ alone (tb/cpp/bare_main.cpp)."""

import json
import subprocess

from tb import toolchain, verilate
from tb.cosim.build import spec


def run(
    frame_bytes: int, cycles: int, direction: str = "both", latency_cycles: int | None = None
) -> dict[str, float]:
    """Run `cycles` clock cycles of frames of `frame_bytes` (with FCS) back to back; what was counted.

    `direction`: tx, rx or both. `latency_cycles`: of host memory, reads and writes. Raises ToolMissing,
    BuildFailed, or subprocess.SubprocessError when the NIC does not work.
    """
    _, directory = verilate.build(spec(bare=True), where=toolchain.BUILD / "nic")
    command = [str(directory / "fdw_tb"), str(frame_bytes), str(cycles), direction]
    if latency_cycles is not None:
        command.append(str(latency_cycles))
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    result: dict[str, float] = json.loads(output)
    return result
