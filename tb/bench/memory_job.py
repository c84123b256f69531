"""The cocotb test behind `tb.bench.memory --rtl`: host A on the RTL NIC, host B on a golden one."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import cocotb

from tb.bench.rounds import Rounds, Sample
from tb.testbench import Testbench

ENVIRONMENT: Final = "FDWIRE_MEMORY"
"""The job as JSON: `frames`, and the file for the `result`, a line of JSON for each sample."""


@cocotb.test()
async def memory(dut: Any) -> None:
    """Run the rounds, and leave the samples."""
    job = json.loads(os.environ[ENVIRONMENT])
    bench = await Testbench.start(dut, seed=1, lockstep=False)

    def hear(sample: Sample) -> None:
        # After each round: somebody watches, and a run that is cut short has measured something, too.
        with Path(job["result"]).open("a") as file:
            file.write(json.dumps(asdict(sample)) + "\n")

    rounds = Rounds(bench.world, job["frames"], hear)
    await bench.run(rounds.client, timeout=10**30)  # a minute a round: no limit
    await bench.finish()
