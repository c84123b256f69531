"""What one is told where there can be no TAP: one sentence each."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tb import cli
from tb.links import command, namespace, tap
from tb.links.errors import LinkError
from tb.links.options import Options


def test_no_device() -> None:
    with pytest.raises(LinkError, match="there is no /nowhere/tun: load the module"):
        tap.Tap("t0", device="/nowhere/tun")


def test_device_of_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(LinkError, match="may not be opened by this user: run as root"):
        tap.Tap("t0")


@pytest.mark.parametrize(
    ("number", "told"), [(errno.EBUSY, "the name is taken"), (errno.EPERM, "it takes CAP_NET_ADMIN")]
)
def test_interface_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, told: str) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    device = tmp_path / "tun"
    device.touch()
    monkeypatch.setattr("fcntl.ioctl", refuse)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(LinkError, match=told):
        tap.Tap("t0", device=str(device))
    assert len(os.listdir("/proc/self/fd")) == before, "the device is closed again"


def test_no_unshare(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.delenv(namespace.INSIDE, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    monkeypatch.setattr(sys, "argv", ["fdwire", "tap", "--nic", "golden"])
    assert cli.main() == 1
    assert capsys.readouterr().err.startswith("fdwire: unshare is not installed")


def test_kernel_that_allows_no_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(
            command, 1, "", "unshare: unshare failed: Operation not permitted\n"
        )

    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/unshare")
    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(
        LinkError, match=r"no network namespace here \(unshare failed: Operation not permitted\)"
    ):
        namespace.enter(["tap"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--name", "sixteen-letters-"], "invalid name of an interface"),
        (["--name", "a/b"], "invalid name of an interface"),
        (["--serve", "/nowhere"], "invalid directory"),
        (["--loss", "2"], "invalid probability"),
        (["--python"], "nothing follows --python"),
    ],
)
def test_wrong_words_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, words: list[str], told: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["fdwire", "tap", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert told in capsys.readouterr().err


def test_options_survive_the_way_into_the_simulator() -> None:
    options = Options(
        out="/o",
        nic="rtl",
        words=("code", "pass", ("a", "b")),
        peers=("x", "y"),
        loss=0.5,
        environment={"A": "1"},
    )
    assert Options.from_json(options.to_json()) == options


@pytest.mark.parametrize(
    "words", [["tap"], ["vhost-user", "--socket", "s"], ["vhost-user", "--socket", "s", "--tap"]]
)
def test_regression_without_serve_no_directory_is_served(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The current one was, to read and to write, and --tap was refused with it."""
    served: list[str] = []

    def run(options: Options, arguments: list[str]) -> int:
        served.append(options.serve)
        return 0

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(sys, "argv", ["fdwire", *words])
    assert cli.main() == 0
    assert served == [""]
