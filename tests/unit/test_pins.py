"""Everything that an installation brings in is pinned in pyproject.toml, indirect packages too."""

import re
import tomllib
from importlib import metadata

import pytest

from tb import toolchain

PROJECT = tomllib.loads((toolchain.ROOT / "pyproject.toml").read_text())["project"]
RUN: list[str] = PROJECT["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(names: set[str]) -> set[str]:
    """What `names` need, directly or not, on this Python and platform; extras left out."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(canonical(requirement.name))
    return found


def installed(pins: list[str]) -> bool:
    names = {distribution.name for distribution in metadata.distributions()}
    return {canonical(pin.partition("==")[0]) for pin in pins} <= {canonical(name) for name in names}


@pytest.mark.parametrize("extra", ["", *EXTRAS], ids=["run", *EXTRAS])
def test_every_package_is_pinned_and_installed_as_pinned(extra: str) -> None:
    more = EXTRAS[extra] if extra else []
    if extra not in ("", "dev") and not installed(more):
        pytest.skip(f"the extra {extra} is not installed (make {extra} installs it)")
    pinned = {}
    for pin in RUN + more:
        name, separator, version = pin.partition("==")
        assert separator, f"{pin} is not pinned"
        pinned[canonical(name)] = version
    assert required(set(pinned)) - set(pinned) == set()
    for name, version in pinned.items():
        assert metadata.version(name) == version


def test_build_backend_is_pinned() -> None:
    build = tomllib.loads((toolchain.ROOT / "pyproject.toml").read_text())["build-system"]
    assert all("==" in requirement for requirement in build["requires"])
