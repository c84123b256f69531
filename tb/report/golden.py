"""The part of the page about the golden model: what was compared, and what differed."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from pymodel.simtime import NS
from tb.report.markup import Waves, value

MEANING: Final = {
    "counters": "reads of a statistics counter, or of half of one",
    "frame bytes": "bytes of the frames sent",
    "frames": "frames sent, each byte of them",
    "frames broken off": "frames that the NIC ended with an error on purpose",
    "interrupts": "changes of the interrupt line, and moments at which it had to rise or to stay low",
    "payload bytes": "bytes of the frames that were stored in receive buffers",
    "payload writes": "DMA writes of data: are they within buffers that the driver has lent?",
    "payloads": "frames in receive buffers, each byte of them",
    "receive status": "frames received: stored, or dropped for the right reason",
    "registers": "reads of a register",
    "ring rules": "steps at the rings that virtio 1.2 §2.8 allows or not",
    "used entries": "used descriptors: place, id, length and flags",
}
"""The kinds of comparisons."""


def section(
    made: int, wrong: int, reports: Sequence[str], compared: Mapping[str, int], waves: Waves | None
) -> str:
    """What is in the section. `reports`: the first mismatches in words; `compared`: comparisons by kind."""
    rows = "".join(
        f"<tr><th>{escape(kind)}</th><td>{value('compared ' + kind, n, format(n, ','))}</td>"
        f"<th>{escape(MEANING.get(kind, ''))}</th></tr>"
        for kind, n in sorted(compared.items())
    )
    told = "".join(f"<li>{escape(report)}{_place(report, waves)}</li>" for report in reports)
    return (
        f"<p>{value('comparisons', made, format(made, ','))} comparisons, "
        f'<span class="{"bad" if wrong else "good"}">{value("mismatches", wrong, format(wrong, ","))} '
        f"mismatch{'' if wrong == 1 else 'es'}</span>. "
        "A model in Python predicted what the Verilog did at its ports, while it ran.</p>"
        + (f'<ol class="reports">{told}</ol>' if told else "")
        + f"<details><summary>What was compared</summary><table>{rows}</table></details>"
    )


def _place(report: str, waves: Waves | None) -> str:
    """The command that opens the waves where `report` says that it was, if they are of then."""
    at = re.match(r"([0-9.]+) ns: ", report)
    if waves is None or at is None or not waves.first <= float(at[1]) * NS <= waves.last:
        return ""
    return f"<br>in the waves: <code>{escape(waves.command)} {at[1]}ns</code>"
