"""`fdwire run --nic rtl --python …`: the command's side, which starts the simulator."""

from functools import partial
from typing import TYPE_CHECKING

from tb import toolchain
from tb.cosim import errand
from tb.cosim.build import run_cocotb
from tb.run.words import Words

if TYPE_CHECKING:
    from tb.run.command import Settings


def run(words: Words, settings: "Settings") -> int:
    """Run the program with host A on the RTL NIC; its exit status. Raises PlaceUnusable, ToolMissing,
    BuildFailed, EndedEarly.
    """
    told = errand.run(
        "tb.run.rtl_job",
        {"words": [words.kind, words.target, list(words.arguments)], "settings": vars(settings)},
        where=toolchain.BUILD / "run",
        seed=settings.seed,
        simulate=partial(run_cocotb, announce=toolchain.say),
    )
    return int(told["status"])
