"""What commands show where a person looks, how Ctrl-C ends them; in a pipe they are quiet."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path

import commands
import pytest
import tap_run
from commands import fdwire
from scapy.utils import RawPcapNgReader

from tb import toolchain

FDWIRE = str(Path(sys.executable).parent / "fdwire")


@dataclass
class Seen:
    """What a command on a terminal has shown, with how it ended (negative: by a signal)."""

    status: int
    text: str

    @property
    def plain(self) -> str:
        """Without what moves the cursor and colours."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.text)


def on_a_terminal(
    *arguments: str, interrupt_at: str = "", limit: float = 240, environment: dict[str, str] | None = None
) -> Seen:
    """Run fdwire on a terminal of its own; the key Ctrl-C is pressed once `interrupt_at` is to be read."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(toolchain.ROOT)
        os.execve(
            FDWIRE, [FDWIRE, *arguments], commands.environment() | {"TERM": "xterm"} | (environment or {})
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    text = b""
    until = time.monotonic() + limit
    pressed = not interrupt_at
    while time.monotonic() < until:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(terminal, 65536)
        except OSError:  # how a terminal ends whose last writer is gone
            break
        if not part:
            break
        text += part
        if not pressed and interrupt_at.encode() in text:
            os.write(terminal, b"\x03")
            pressed = True
    else:
        os.kill(child, signal.SIGKILL)
    os.close(terminal)
    seen = Seen(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text.decode(errors="replace"))
    print(seen)
    assert pressed, f"{interrupt_at} was never shown"
    assert "Traceback" not in seen.text
    return seen


def frames(capture: Path) -> int:
    """How many there are in a capture that is whole."""
    with RawPcapNgReader(str(capture)) as reader:
        return sum(1 for _ in reader)


@pytest.mark.slow
def test_sim_has_a_bar_on_a_terminal_and_only_its_results_in_a_pipe(tmp_path: Path) -> None:
    command = ("sim", "--waves", "off", "--bytes", "100000", "--out", str(tmp_path))
    fdwire(*command)  # what is built is built before, as that is said in a pipe, too
    quiet = fdwire(*command)
    first = quiet.stdout.splitlines()[0]
    assert quiet.returncode == 0
    assert first.startswith("frames ") and "\x1b" not in quiet.stdout and quiet.stderr == ""

    said = on_a_terminal(*command)
    assert said.status == 0
    assert "\x1b[" in said.text and "━" in said.text and "GET random.bin" in said.text
    assert "of 122,716 bytes" in said.text and "SHA-256" in said.text


@pytest.mark.slow
def test_sim_that_is_interrupted_says_so_and_takes_its_bar_away(tmp_path: Path) -> None:
    # Long enough not to be over before the key is pressed, however busy the machine is.
    command = ("sim", "--waves", "off", "--bytes", "20000000", "--out", str(tmp_path))
    said = on_a_terminal(*command, interrupt_at="GET random.bin")
    assert said.status == 130 and said.plain.rstrip().endswith("fdwire: interrupted")
    assert said.text.rindex("\x1b[?25h") > said.text.rindex("\x1b[?25l"), "the cursor is back"
    assert not (tmp_path / "progress").exists() and not (tmp_path / "summary.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_tap_counts_on_a_terminal_until_ctrl_c_and_leaves_its_capture_whole(nic: str, tmp_path: Path) -> None:
    tap_run.needs("ping")
    said = on_a_terminal(
        "tap", "--nic", nic, "--out", str(tmp_path), "--peer", "sleep 1; ping -c 1 10.0.0.1; echo pinged",
        interrupt_at="pinged",
    )  # fmt: skip
    assert said.status == 0
    assert "Ctrl-C ends it." in said.text and "\x1b[2K" in said.text
    counted = [int(a) + int(b) for a, b in re.findall(r"frames +host→\w+ (\d+) +\w+→host (\d+)", said.plain)]
    assert counted[0] == 0 and counted[-1] >= 4  # ARP and ping, each with its answer
    assert frames(tmp_path / "wire.pcapng") == counted[-1]


@pytest.mark.slow
def test_tap_in_a_pipe_says_only_what_came_out(tmp_path: Path) -> None:
    tap_run.needs("ping")
    done = fdwire("tap", "--nic", "golden", "--out", str(tmp_path), "--exec", "ping -c 1 10.0.0.1 >/dev/null")
    assert done.stdout == "" and "\x1b" not in done.stderr
    assert done.returncode == 0 and done.stderr.startswith("frames ") and done.stderr.count("frames ") == 1


@pytest.mark.slow
@pytest.mark.parametrize("nic", ["golden", "rtl"])
def test_vhost_user_counts_on_a_terminal_until_ctrl_c_and_removes_its_socket(
    nic: str, tmp_path: Path
) -> None:
    place = tmp_path / "s"
    said = on_a_terminal(
        "vhost-user", "--nic", nic, "--socket", str(place), "--out", str(tmp_path),
        interrupt_at="simulated time",
    )  # fmt: skip
    assert said.status == 0
    assert f"clients are waited for at {place}" in said.text and "\x1b[2K" in said.text
    assert said.plain.rstrip().endswith(f"capture            {tmp_path}/wire.pcapng")
    assert not place.exists() and frames(tmp_path / "wire.pcapng") == 0


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run -- sleep 100", "vhost-user --socket SOCKET"])
def test_regression_ctrl_c_while_the_simulator_is_built_interrupts(command: str, tmp_path: Path) -> None:
    words = [word.replace("SOCKET", f"{tmp_path}/s") for word in command.split()]
    words[1:1] = ["--nic", "rtl", "--out", str(tmp_path)]
    said = on_a_terminal(*words, interrupt_at="building", environment={"FDWIRE_BUILD": str(tmp_path)})
    assert said.status == 130 and said.plain.rstrip().endswith("fdwire: interrupted")
    assert "failed" not in said.text and not (tmp_path / "s").exists()


@pytest.mark.slow
def test_packetdrill_shows_each_script_as_it_ends_and_how_many_are_through_in_the_simulator() -> None:
    scripts = sorted(str(p) for p in (toolchain.ROOT / "tests" / "packetdrill" / "accecn").glob("*.pkt"))
    said = on_a_terminal("packetdrill", *scripts, interrupt_at="ok ")
    assert said.status == 130 and said.plain.rstrip().endswith("fdwire: interrupted")

    few = scripts[:4]
    quiet = fdwire("packetdrill", "--nic", "rtl", *few)
    assert quiet.returncode == 0 and quiet.stdout.splitlines()[-1] == "4 of 4 passed"
    quiet = fdwire("packetdrill", "--nic", "rtl", *few)  # now it is built
    assert quiet.stderr == "" and "\x1b" not in quiet.stdout
    said = on_a_terminal("packetdrill", "--nic", "rtl", *few)
    assert said.status == 0 and re.search(r"scripts .*[0-4]/4", said.plain) and "4 of 4 passed" in said.text
    said = on_a_terminal("packetdrill", "--nic", "rtl", *scripts, interrupt_at="scripts")
    assert said.status == 130 and said.plain.rstrip().endswith("fdwire: interrupted")


@pytest.mark.slow
def test_bench_says_what_it_is_at_and_leaves_no_figures_when_it_is_interrupted(tmp_path: Path) -> None:
    said = on_a_terminal("bench", interrupt_at="building fdw_tb", environment={"FDWIRE_BUILD": str(tmp_path)})
    assert said.status == 130 and said.plain.rstrip().endswith("fdwire: interrupted")
    assert said.text.rindex("\x1b[?25h") > said.text.rindex("\x1b[?25l"), "the cursor is back"
    assert list((tmp_path / "bench").glob("*.json")) == []
