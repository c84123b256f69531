"""What README.md shows is what the project does."""

import re

import pytest

from tb import toolchain
from tb.sim import table

README = (toolchain.ROOT / "README.md").read_text()


def block_after(mark: str) -> str:
    found = re.search(re.escape(f"<!-- {mark} -->") + r"\n```\w*\n(.*?)```", README, re.DOTALL)
    assert found, mark
    return found[1]


def test_example_shown_is_the_example_in_the_repository() -> None:
    assert block_after("example") == (toolchain.ROOT / "examples" / "test_my_first.py").read_text()


def test_sim_output_shown_has_the_lines_that_sim_prints() -> None:
    file = {"bytes": 1, "sent": "0", "received": "0"}
    summary = {
        **dict.fromkeys(
            ("frames_a_to_b", "frames_b_to_a", "bytes_a_to_b", "bytes_b_to_a", "simulated_ns"), 1
        ),
        **dict.fromkeys(("goodput_bps", "cycles", "cycles_per_wall_second", "comparisons", "mismatches"), 1),
        "files": [{"name": name, **file} for name in ("GET LICENSE", "GET random.bin", "POST LICENSE")],
        "trouble": "",
        "mismatch_reports": [],
    }

    def shape(line: str) -> str:
        return re.sub(r"[0-9a-f]{64}|[0-9][0-9,.]*", "#", line)

    assert [shape(line) for line in table.lines(summary)] == [
        shape(line) for line in block_after("sim output").splitlines()
    ]


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"(?:^|`)(?: {4})?make ([a-z-]+)", README, re.MULTILINE)))
)
def test_make_target_named_exists(target: str) -> None:
    assert re.search(rf"^{target}:.*## ", (toolchain.ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_link_leads_to_a_file(link: str) -> None:
    assert (toolchain.ROOT / link).is_file()


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`((?:rtl|pymodel|tb|tests|docs|examples)/[\w/.]*)`", README)))
)
def test_path_named_exists(name: str) -> None:
    assert (toolchain.ROOT / name).exists()
