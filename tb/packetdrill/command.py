"""`fdwire packetdrill`: runs scripts, tells how each ended."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from tb.packetdrill import rtl
from tb.packetdrill.config import Config, apply
from tb.packetdrill.errors import ScriptError
from tb.packetdrill.session import DEFINE, Verdict, run_golden


def options_from(words: Sequence[str], defines: Sequence[str] = ()) -> dict[str, str]:
    """Options for every script, from words like ``--mtu=9000``, and `defines` like ``NAME=VALUE``.

    Raises ScriptError for what is none.
    """
    found: dict[str, str] = {}
    for word in words:
        if not word.startswith("--"):
            raise ScriptError(f"{word}: no option of a script (they look like --mtu=1400)")
        name, _, value = word[2:].partition("=")
        apply(Config(), name, value)
        found[name] = value
    for word in defines:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise ScriptError(f"-D {word}: NAME=VALUE expected")
        found[DEFINE + name] = value
    return found


def run(
    files: Sequence[Path],
    *,
    nic: str,
    profile: str,
    options: dict[str, str],
    as_json: bool,
    verbose: bool,
    console: Console,
) -> int:
    """Run `files`; 0 if all pass, else 1.

    `as_json`: only ``{"results": [{"file", "passed", "reason"}]}`` goes to standard output.
    """
    results: list[dict[str, object]] = []
    passed = 0
    verdicts = _on_golden(files, profile, options) if nic == "golden" else rtl.run(files, profile, options)
    for file, verdict in verdicts:
        passed += verdict.passed
        where = f"line {verdict.line}: " if verdict.line else ""
        results.append(
            {"file": str(file), "passed": verdict.passed, "reason": f"{where}{verdict.reason}".strip()}
        )
        if as_json:
            continue
        if verbose:
            for line in verdict.log:
                console.print(line, markup=False, highlight=False)
        if verdict.passed:
            console.print(f"ok      {file}", markup=False, highlight=False)
        else:
            at = f":{verdict.line}" if verdict.line else ""
            console.print(f"FAILED  {file}{at}: {verdict.reason}", markup=False, highlight=False)
    if as_json:
        json.dump({"results": results}, sys.stdout, indent=1)
        print()
    elif len(files) > 1:
        console.print(f"{passed} of {len(files)} passed", highlight=False)
    return int(passed != len(files))


def _on_golden(
    files: Sequence[Path], profile: str, options: dict[str, str]
) -> Iterator[tuple[Path, Verdict]]:
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            yield file, Verdict(False, f"cannot be read: {error.strerror}")
            continue
        yield file, run_golden(text, options, profile, file.parent)
