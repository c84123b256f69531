"""What `make regress` runs with every seed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tb.regress.job import Job

_PYTEST = (
    "python",
    "-m",
    "pytest",
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-m",
    "slow or not slow",
)
_SIM = ("python", "-m", "tb.cli", "sim", "--waves", "off", "--seed", "{seed}", "--out", "{out}")
_ROUNDS = 8
_FRAMES_OF_A_ROUND = 500


@dataclass(frozen=True)
class Configuration:
    """A `command` for `tb.regress.job.Job`, and what it is about."""

    name: str
    about: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    frames: int = 0


CONFIGURATIONS = (
    Configuration(
        "campaign",
        "random frames, rings, features and faults through the RTL in lockstep with the golden model",
        (*_PYTEST, "tests/campaign/test_campaign_rtl.py::test_20000_frames[0]"),
        {"FDWIRE_ROUNDS": f"0-{_ROUNDS}"},
        _ROUNDS * _FRAMES_OF_A_ROUND,
    ),
    Configuration(
        "campaign-golden",
        "the same against the golden model alone",
        (*_PYTEST, "tests/campaign/test_campaign_golden.py::test_round"),
    ),
    Configuration("sim", "the main job: HTTP both ways, in lockstep", _SIM),
    Configuration(
        "sim-bad-wire",
        "the main job over a wire that loses, repeats, reorders and corrupts",
        (*_SIM, "--loss", "0.02", "--duplicate", "0.02", "--reorder", "0.02", "--corrupt", "0.02"),
    ),
    Configuration(
        "sim-plain",
        "the main job without offloads, merged buffers, indirect tables and event suppression",
        (*_SIM, "--without", "CSUM,GUEST_CSUM,MRG_RXBUF,INDIRECT_DESC,EVENT_IDX"),
    ),
    Configuration(
        "blocks",
        "the block tests of the transmit and receive paths and of the rings",
        (
            *_PYTEST,
            "-k",
            "verilator",
            *(f"tests/rtl/test_{name}.py" for name in ("tx_path", "rx_path", "ring_fetch")),
        ),
    ),
)


def jobs(seeds: Iterable[int], names: Iterable[str] = (), sources: str = "") -> list[Job]:
    """Seed by seed, each configuration of `names` (all, if there are none). Raises ValueError for a name."""
    chosen = list(names)
    known = {configuration.name: configuration for configuration in CONFIGURATIONS}
    for name in chosen:
        if name not in known:
            raise ValueError(f"no configuration {name}; there are {', '.join(known)}")
    return [
        Job(c.name, seed, c.command, c.environment, c.frames, sources=sources)
        for seed in seeds
        for c in (map(known.__getitem__, chosen) if chosen else CONFIGURATIONS)
    ]


def seeds(text: str) -> list[int]:
    """`1-20`, `7,9-12`: in the order given, each once. Raises ValueError with one sentence."""
    found: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"{text} is no list of seeds; 1-20 or 7,9-12 is one")
        if dash and int(last) < int(first):
            raise ValueError(f"{part} has no seeds in it")
        found |= dict.fromkeys(range(int(first), int(last or first) + 1))
    return list(found)
