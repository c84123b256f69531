"""The lwIP library, or a skipped test that says why."""

import pytest

from tb import lwip, toolchain


@pytest.fixture(scope="session")
def library():
    try:
        return lwip.load()
    except toolchain.ToolMissing as missing:
        pytest.skip(str(missing))
