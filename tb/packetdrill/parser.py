"""From the text of a script to its syntax tree."""

import math

from tb.packetdrill import expressions, packetsyntax
from tb.packetdrill.scanner import Scanner
from tb.packetdrill.syntax import (
    ANYTHING,
    Call,
    Code,
    Command,
    Event,
    EventTime,
    Expression,
    Packet,
    Script,
    TimeKind,
)

_TIME = r"\d+\.\d+|\.\d+|\d+\.(?![.\d])|\d+"
_OPTION = r"--[A-Za-z]\w*"


def parse(text: str) -> Script:
    """The script in `text`. Raises ScriptError with the line where it stops making sense."""
    scanner = Scanner(text)
    options: list[tuple[str, str, int]] = []
    setup: list[tuple[str, int]] = []
    while scanner.peek(_OPTION) or scanner.peek("`"):
        line = scanner.line
        if scanner.take("`"):
            setup.append((scanner.until("`", "a command"), line))
            continue
        name = scanner.expect(_OPTION, "an option")[2:]
        value = scanner.take(r"=[ \t]*(?:\"[^\"\n]*\"|[^\s`]+)") or "="
        options.append((name, value[1:].strip().strip('"'), line))
    events: list[Event] = []
    while not scanner.done:
        events.append(_event(scanner))
    return Script(tuple(options), tuple(setup), tuple(events))


def _event(scanner: Scanner) -> Event:
    scanner.skip()
    line, begin = scanner.line, scanner.at
    time = _event_time(scanner)
    end: int | None = None
    if scanner.take(r"\.\.\."):
        end = _ps(scanner.expect(_TIME, "the time at which the call returns"))
    action = _action(scanner, end)
    if end is not None and not isinstance(action, Call):
        raise scanner.error("only a system call can last (`t...t`)")
    return Event(line, time, action, " ".join(scanner.text[begin : scanner.at].split()))


def _action(scanner: Scanner, end: int | None) -> Call | Command | Code | Packet:
    if scanner.take("`"):
        return Command(scanner.until("`", "a command"))
    if scanner.take(r"%\{"):
        return Code(scanner.until("}%", "code"))
    if scanner.peek(r"[<>]"):
        return packetsyntax.packet(scanner)
    return _call(scanner, end)


def _ps(text: str) -> int:
    return math.floor(float(text) * 1_000_000 + 0.5) * 1_000_000


def _event_time(scanner: Scanner) -> EventTime:
    if scanner.take(r"\*"):
        return EventTime(TimeKind.ANY)
    kind = TimeKind.RELATIVE if scanner.take(r"\+") else TimeKind.ABSOLUTE
    start = _ps(scanner.expect(_TIME, "an event's time (`+0.1`, `0.1` or `*`)"))
    if not scanner.take(r"~"):
        return EventTime(kind, start)
    scanner.take(r"\+")
    end = _ps(scanner.expect(_TIME, "the end of the time range"))
    if end < start:
        raise scanner.error("the time range ends before it begins")
    return EventTime(kind, start, end)


def _call(scanner: Scanner, end: int | None) -> Call:
    name = scanner.expect(r"[A-Za-z_]\w*(?=\s*\()", "a packet, a system call, a `command` or %{ code }%")
    scanner.take(r"\(")
    arguments = expressions.arguments(scanner)
    scanner.expect(r"=(?!=)", "`=` and the call's result")
    result: Expression = ANYTHING if scanner.take(r"\?") else expressions.result(scanner)
    errno = scanner.take(r"E[A-Z][A-Z0-9]+\b")
    if scanner.take(r"\("):
        _note(scanner)
    return Call(name, arguments, result, errno, end)


def _note(scanner: Scanner) -> None:
    """The message behind a result, in parentheses: for the reader only."""
    depth = 1
    while depth:
        bracket = scanner.text[scanner.at : scanner.at + 1]
        if not bracket or bracket == "\n":
            raise scanner.error("the note behind the result has no closing parenthesis")
        depth += {"(": 1, ")": -1}.get(bracket, 0)
        scanner.at += 1
