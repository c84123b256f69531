"""The command behind `make sim`, as a user runs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import fdwire
from scapy.utils import RawPcapNgReader

from tb import toolchain

BYTES = 100_000


def sim(out: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, object]]:
    result = fdwire("sim", "--waves", "off", "--bytes", str(BYTES), "--out", str(out), *arguments)
    summary = out / "summary.json"
    return result, json.loads(summary.read_text()) if summary.is_file() else {}


@pytest.fixture(scope="module")
def clean_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, object]]:
    out = tmp_path_factory.mktemp("clean")
    result, summary = sim(out)
    assert result.returncode == 0, result.stdout + result.stderr
    return out, result.stdout, summary


def test_clean_run_delivers_every_file_and_agrees_with_the_golden_model(
    clean_run: tuple[Path, str, dict[str, object]],
) -> None:
    _, printed, summary = clean_run
    assert summary["ok"] is True and summary["mismatches"] == 0
    assert int(str(summary["comparisons"])) > 1000
    files = summary["files"]
    assert isinstance(files, list)
    assert [f["name"] for f in files] == ["GET LICENSE", "GET random.bin", "POST LICENSE"]
    assert [f["bytes"] for f in files][1] == BYTES
    for file in files:
        assert file["sent"] == file["received"]
        assert file["sent"] in printed


def test_clean_runs_page_is_there_and_says_how_to_have_the_journeys_that_it_has_not(
    clean_run: tuple[Path, str, dict[str, object]],
) -> None:
    out, printed, _ = clean_run
    page = (out / "report.html").read_text()
    assert "report.html, " in printed.splitlines()[-1]
    assert ">passed<" in page and "fdwire sim --trace" in page and "Journey of" not in page


def test_clean_runs_capture_holds_every_frame_with_rising_times(
    clean_run: tuple[Path, str, dict[str, object]],
) -> None:
    out, _, summary = clean_run
    with RawPcapNgReader(str(out / "wire.pcapng")) as reader:
        records = list(reader)
    assert len(records) == int(str(summary["frames_a_to_b"])) + int(str(summary["frames_b_to_a"]))
    stamps = [(meta.tshigh << 32) + meta.tslow for _, meta in records]
    assert stamps == sorted(stamps)
    assert stamps[-1] <= int(str(summary["simulated_ns"]))
    assert sum(len(data) for data, _ in records) == int(str(summary["bytes_a_to_b"])) + int(
        str(summary["bytes_b_to_a"])
    )


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed (apt install tshark)")
def test_clean_runs_capture_has_no_bad_checksum_and_no_retransmission_by_tshark(
    clean_run: tuple[Path, str, dict[str, object]],
) -> None:
    out, _, _ = clean_run
    options = [f"-o{name}:TRUE" for name in ("tcp.check_checksum", "ip.check_checksum", "eth.check_fcs")]

    def count(condition: str) -> int:
        command = ["tshark", *options, "-r", str(out / "wire.pcapng"), "-Y", condition]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        return len(shown.splitlines())

    assert count("tcp.checksum.status == 1 && eth.fcs.status == 1") > 100
    assert count("tcp.checksum.status == 0 || ip.checksum.status == 0 || eth.fcs.status == 0") == 0
    assert count("tcp.analysis.retransmission || tcp.analysis.fast_retransmission") == 0


def test_same_seed_gives_the_same_bytes_and_another_seed_others(
    clean_run: tuple[Path, str, dict[str, object]], tmp_path: Path
) -> None:
    first = (clean_run[0] / "wire.pcapng").read_bytes()
    sim(tmp_path / "again")
    assert (tmp_path / "again" / "wire.pcapng").read_bytes() == first
    sim(tmp_path / "other", "--seed", "2")
    assert (tmp_path / "other" / "wire.pcapng").read_bytes() != first


@pytest.mark.parametrize(
    "impairments",
    [
        pytest.param(["--loss", "0.03"], marks=pytest.mark.slow),
        pytest.param(["--reorder", "0.05", "--duplicate", "0.05"], marks=pytest.mark.slow),
        pytest.param(["--corrupt", "0.03"], marks=pytest.mark.slow),
        ["--loss", "0.02", "--reorder", "0.02", "--duplicate", "0.02", "--corrupt", "0.02"],
    ],
    ids=lambda v: "".join(v),
)
@pytest.mark.parametrize("seed", ["3", pytest.param("4", marks=pytest.mark.slow)])
def test_bad_wire_still_delivers_every_byte_in_lockstep(
    tmp_path: Path, impairments: list[str], seed: str
) -> None:
    result, summary = sim(tmp_path, "--seed", seed, *impairments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert summary["mismatches"] == 0


def test_features_left_out_and_what_needs_them_are_not_negotiated_and_every_byte_arrives(
    clean_run: tuple[Path, str, dict[str, object]], tmp_path: Path
) -> None:
    result, summary = sim(tmp_path, "--without", "CSUM,event_idx")
    assert result.returncode == 0, result.stdout + result.stderr
    all_of_them, these = clean_run[2]["features"], summary["features"]
    assert isinstance(all_of_them, list) and isinstance(these, list)
    assert {*all_of_them} - {*these} == {"CSUM", "HOST_TSO4", "HOST_ECN", "EVENT_IDX"}


def test_planted_bug_fails_the_run_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDWIRE_FAILURES", str(tmp_path / "failures"))
    result, summary = sim(tmp_path, "--plant", "used length")
    assert result.returncode == 1
    report = tmp_path / "failures" / "sim.main_job" / "REPORT.md"
    assert f"explained in {report}" in result.stdout
    assert f".venv/bin/fdwire sim --seed=1 --bytes={BYTES} '--plant=used length'" in report.read_text()
    assert summary["ok"] is False and int(str(summary["mismatches"])) > 0
    assert "mismatch: " in result.stdout and "used entry" in result.stdout


def test_regression_planted_lost_interrupt_is_reported_although_the_program_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FDWIRE_FAILURES", "off")
    result, summary = sim(tmp_path, "--plant", "interrupt")
    assert result.returncode == 1 and int(str(summary["mismatches"])) > 0
    assert "trouble: GET LICENSE" in result.stdout and "lost interrupt" in result.stdout


def test_regression_variable_waves_of_make_is_not_mistaken_for_cocotbs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAVES", "all")
    result, _ = sim(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_second_run_rebuilds_nothing(clean_run: tuple[Path, str, dict[str, object]], tmp_path: Path) -> None:
    def builds() -> dict[str, int]:
        return {str(p): p.stat().st_mtime_ns for p in (toolchain.BUILD / "nic").glob("*/fdw_tb")}

    before = builds()
    assert before
    result, _ = sim(tmp_path)
    assert result.returncode == 0
    assert "building" not in result.stdout
    # Other tests may build other variants beside this one.
    assert before.items() <= builds().items()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--waves", "soon"],
        ["--waves", "-5"],
        ["--loss", "2"],
        ["--bytes", "-1"],
        ["--plant", "gremlins"],
        ["--without", "GREMLINS"],
    ],
    ids=lambda v: "".join(v),
)
def test_absurd_option_is_refused_in_one_sentence(arguments: list[str]) -> None:
    result = fdwire("sim", *arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("fdwire sim: error: argument")


@pytest.mark.parametrize(("missing", "package"), [("g++", "g++"), ("perl", "perl"), ("make", "make")])
def test_missing_tool_is_one_sentence_naming_the_package(tmp_path: Path, missing: str, package: str) -> None:
    for tool in {"g++", "perl", "make"} - {missing}:
        (tmp_path / tool).symlink_to(shutil.which(tool) or "/nowhere")
    result = subprocess.run(
        [sys.executable, str(toolchain.ROOT / "tb" / "toolchain.py")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("fdwire: ") and f"apt install {package})" in sentence
