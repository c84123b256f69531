"""`fdwire packetdrill` as a command: what it prints, its exit status, and scripts through the RTL."""

import json
import subprocess
from pathlib import Path

import pytest
from commands import fdwire

SCRIPTS = Path(__file__).parents[1] / "packetdrill"
GOOD = SCRIPTS / "handshake" / "passive-open.pkt"


def packetdrill(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return fdwire("packetdrill", *arguments)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.pkt"
    path.write_text(GOOD.read_text().replace("win 64240", "win 5"))
    return path


def test_json_is_all_that_goes_to_standard_output_and_one_failure_is_the_status(bad: Path) -> None:
    done = packetdrill("--json", GOOD, bad, "/no/such.pkt")
    results = json.loads(done.stdout)["results"]
    assert [result["file"] for result in results] == [str(GOOD), str(bad), "/no/such.pkt"]
    assert [result["passed"] for result in results] == [True, False, False]
    assert results[0]["reason"] == ""
    assert "window: expected 5, sent 64240" in results[1]["reason"]
    assert "cannot be read" in results[2]["reason"]
    assert done.returncode == 1
    assert packetdrill("--json", GOOD).returncode == 0


def test_people_get_file_line_and_field(bad: Path) -> None:
    done = packetdrill(GOOD, bad)
    assert f"ok      {GOOD}" in done.stdout
    line = bad.read_text()[: bad.read_text().index("win 5")].count("\n") + 1
    assert f"FAILED  {bad}:{line}: another packet was sent" in done.stdout
    assert "1 of 2 passed" in done.stdout
    assert done.returncode == 1


def test_an_unknown_option_or_profile_is_one_sentence() -> None:
    for arguments in (("--zork=1", GOOD), ("--profile", "zork", GOOD)):
        done = packetdrill(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("fdwire: ") and done.stderr.count("\n") == 1


def test_scripts_hold_over_the_rtl_nic() -> None:
    names = ("handshake/passive-open", "send/slow-start", "close/active", "retransmit/tlp", "udp/echo")
    done = packetdrill("--nic", "rtl", "--json", *(SCRIPTS / f"{name}.pkt" for name in names))
    results = json.loads(done.stdout)["results"]
    assert [result for result in results if not result["passed"]] == []
    assert len(results) == len(names) and done.returncode == 0
