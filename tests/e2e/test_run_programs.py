"""`fdwire run -- PROGRAM`: ordinary programs, preloaded, against each other and against the kernel."""

import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import fdwire
from tap_run import PACKAGES, assert_clean, found

from tb import toolchain

pytestmark = pytest.mark.slow

STORY = Path(__file__).with_name("errno_story.py")
PYTHON = shutil.which("python3") or sys.executable
"""Not the environment's: a program as any other."""


def needs(*tools: str) -> None:
    for tool in ("cc", *tools):
        if shutil.which(tool) is None:
            package = {"cc": "gcc", "redis-server": "redis-server", "redis-cli": "redis-tools"}.get(
                tool, tool
            )
            pytest.skip(f"{tool} is not installed (apt install {PACKAGES.get(tool, package)})")


def words(out: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tb.cli", "run", "--out", str(out), *arguments]


def run(out: Path, *arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
    return fdwire("run", "--out", out, *arguments, timeout=timeout)


@functools.cache
def told_by_the_kernel() -> list[str]:
    done = subprocess.run([PYTHON, STORY], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_every_call_says_what_it_says_on_this_kernel(tmp_path: Path, nic: str) -> None:
    needs()
    assert len(told_by_the_kernel()) > 50
    for settle in ("0.3", "2"):  # on a busy machine what was sent may take longer to arrive
        done = run(tmp_path, "--nic", nic, "--", PYTHON, str(STORY), settle)
        assert done.returncode == 0
        if done.stdout.splitlines() == told_by_the_kernel():
            break
    assert done.stdout.splitlines() == told_by_the_kernel()


@pytest.mark.parametrize(("nic", "size"), [("golden", 3_000_000), ("rtl", 100_000)])
def test_curl_fetches_from_pythons_server(tmp_path: Path, nic: str, size: int) -> None:
    needs("curl", "tshark")
    blob = os.urandom(size)
    (tmp_path / "blob").write_bytes(blob)
    server = f"{PYTHON} -m http.server -d {tmp_path} 80"
    done = run(
        tmp_path,
        "--nic",
        nic,
        "--peer",
        server,
        "--",
        "curl",
        "-sS",
        "-o",
        f"{tmp_path}/got",
        "http://b/blob",
    )
    assert done.returncode == 0
    assert (tmp_path / "got").read_bytes() == blob
    assert '"GET /blob HTTP/1.1" 200' in done.stderr
    assert_clean(tmp_path / "wire.pcapng")
    assert found(tmp_path / "wire.pcapng", 'http.request.uri == "/blob" and ip.src == 10.0.0.1')


@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_redis_serves_its_client_and_benchmark_of_the_other_host(tmp_path: Path, nic: str) -> None:
    needs("redis-server", "redis-cli")
    server = f"redis-server --save '' --protected-mode no --dir {tmp_path} --logfile {tmp_path}/log"
    client = "redis-cli -h b set key value && redis-cli -h b get key"
    client += " && redis-benchmark -h b -n 100 -c 5 -t set --csv"
    done = run(tmp_path, "--nic", nic, "--peer", server, "--", "sh", "-c", client)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == ["OK", "value"]
    assert done.stdout.splitlines()[-1].startswith('"SET","')


@pytest.mark.parametrize(("nic", "way"), [("golden", ()), ("rtl", ()), ("rtl", ("-R",))])
def test_iperf3_runs_between_the_hosts(tmp_path: Path, nic: str, way: tuple[str, ...]) -> None:
    needs("iperf3")
    client = ("iperf3", "-c", "a", "-n", "1M", *way)
    done = run(tmp_path, "--nic", nic, "--host", "b", "--peer", "iperf3 -s -1", "--", *client)
    assert done.returncode == 0
    assert "connected to 10.0.0.1 port 5201" in done.stdout
    assert "iperf Done." in done.stdout


def test_last_bytes_of_a_program_arrive_after_its_end(tmp_path: Path) -> None:
    needs("nc")
    (tmp_path / "sent").write_bytes(os.urandom(1_000_000))
    peer = f"nc -l 80 > {tmp_path}/came"
    done = run(tmp_path, "--peer", peer, "--", "sh", "-c", f"nc -N b 80 < {tmp_path}/sent")
    assert done.returncode == 0
    assert (tmp_path / "came").read_bytes() == (tmp_path / "sent").read_bytes()


def test_datagrams_of_nc_arrive(tmp_path: Path) -> None:
    needs("nc")
    done = run(tmp_path, "--peer", "nc -u -l 53", "--", "sh", "-c", "echo packet | nc -u -w 1 b 53")
    assert done.stdout == "packet\n"


@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_c_programs_of_the_example_talk(nic: str) -> None:
    needs()
    done = subprocess.run(
        [toolchain.ROOT / "examples/c/run.sh", "--nic", nic],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert sorted(done.stdout.splitlines()) == ["FROM C", "HELLO", "server: a client from 10.0.0.1"], done


@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        (("curl", "-sS", "http://b/"), 7, "curl: (7)"),
        (("curl", "-sS", "http://elsewhere.example/"), 6, "Could not resolve host"),
        (("sh", "-c", "kill -9 $$"), 137, ""),
        (("sh", "-c", "exit 9"), 9, ""),
        (("no-such-program",), 1, "fdwire: no-such-program is not a program here"),
    ],
)
def test_status_is_the_programs(tmp_path: Path, program: tuple[str, ...], status: int, said: str) -> None:
    needs("curl")
    done = run(tmp_path, "--", *program)
    assert done.returncode == status
    assert said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_run_and_every_program(tmp_path: Path, number: signal.Signals) -> None:
    needs("nc")
    program = f"echo $$ > {tmp_path}/pid; exec nc -l 80"
    with subprocess.Popen(
        words(tmp_path, "--", "sh", "-c", program),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=toolchain.ROOT,
    ) as process:
        try:
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
                time.sleep(0.05)
            process.send_signal(number)
            assert process.wait(30) == 128 + number
        finally:
            process.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
