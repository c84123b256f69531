"""Where lwIP is not installed, one sentence says so; where it does not fit, that is an error, not a skip."""

import pytest

from tb import lwip, toolchain


def test_without_lwip_the_message_names_its_package(monkeypatch, tmp_path):
    monkeypatch.setattr(lwip, "_HEADERS", str(tmp_path))
    with pytest.raises(toolchain.ToolMissing, match="apt install liblwip-dev") as caught:
        lwip.load.__wrapped__()
    assert "\n" not in str(caught.value)


def test_shim_that_does_not_compile_is_an_error_with_the_compilers_words(library, monkeypatch, tmp_path):
    broken = tmp_path / "shim.c"
    broken.write_text("#error out of order\n")
    monkeypatch.setattr(lwip, "SOURCE", broken)
    monkeypatch.setattr(toolchain, "BUILD", tmp_path)
    with pytest.raises(RuntimeError, match="out of order"):
        lwip.load.__wrapped__()
