"""The same scripts on this machine's kernel: what Linux does is what they must say."""

from pathlib import Path

import linux_machine
import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted(path for path in HERE.rglob("*.pkt") if "freebsd" not in path.parts)
MISSING = linux_machine.missing()
ACCURATE = "net.ipv4.tcp_ecn"
"""Kernels before 7.0 know AccECN, but not how to switch it on."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MISSING is not None, reason=f"no real Linux to compare with: {MISSING}"),
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(HERE))[:-4])
def test_linux_does_what_the_script_says(script: Path) -> None:
    if script.parent.name == "accecn" and not linux_machine.takes(ACCURATE, "3"):
        pytest.skip("this kernel takes no tcp_ecn=3")
    verdict = linux_machine.run(script.read_text())
    if not verdict.passed:  # real time on a busy machine: a second opinion
        verdict = linux_machine.run(script.read_text())
    assert verdict.passed, f"{script}:{verdict.line}: {verdict.reason}\n" + "\n".join(verdict.log)
