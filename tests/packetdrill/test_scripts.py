"""Every script here, over the simulated host with a golden NIC. Each states one rule."""

from pathlib import Path

import pytest

from tb.packetdrill.session import run_golden

HERE = Path(__file__).parent
SCRIPTS = sorted(HERE.rglob("*.pkt"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(HERE))[:-4])
def test_the_stack_does_what_the_script_says(script: Path) -> None:
    profile = "freebsd" if "freebsd" in script.parts else "linux"
    verdict = run_golden(script.read_text(), profile=profile)
    assert verdict.passed, f"{script}:{verdict.line}: {verdict.reason}\n" + "\n".join(verdict.log)


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 200
