"""Random rounds against the RTL in lockstep, in the simulator; FDWIRE_SEED and FDWIRE_ROUNDS choose them."""

import os
import random
import time
from typing import Any

import cocotb
from lockstep_attack import Attacker
from lockstep_bench import Bench
from lockstep_stops import round_of

SEED = int(os.environ["FDWIRE_SEED"])
FIRST, LAST = (int(n) for n in os.environ["FDWIRE_ROUNDS"].split("-"))
FRAMES = 500


@cocotb.test()
@cocotb.parametrize(number=range(FIRST, LAST))
async def round_(dut: Any, number: int) -> None:
    print(f"FDWIRE_SEED={SEED} FDWIRE_ROUNDS={number}-{number + 1}")
    bench = Bench(dut)
    attacker = Attacker(bench, random.Random(SEED * 1000 + number))
    began = time.monotonic()
    try:
        await round_of(attacker, FRAMES)
        await bench.finish()
    except BaseException:
        print("the last steps:", *bench.log, sep="\n  ")
        print("the checker:", *bench.checker.mismatches[:10], sep="\n  ")
        raise
    print(
        f"{attacker.frames} frames, {bench.checker.comparisons} comparisons, {time.monotonic() - began:.1f} s"
    )
