"""Parses what stands in system calls: C expressions, arrays, structures."""

import ast
import re

from tb.packetdrill.scanner import Scanner
from tb.packetdrill.syntax import (
    ANYTHING,
    Apply,
    Array,
    Binary,
    Expression,
    Name,
    Number,
    Structure,
    Text,
    Unary,
)

_NUMBER = r"0[xX][0-9a-fA-F]+|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uUlL]*"
_IDENTIFIER = r"[A-Za-z_]\w*"
_LEVELS = (r"\|(?!\|)", r"\^", r"&(?!&)", r"<<|>>", r"[+-]", r"[*/%](?!\{)")
_CASTS = (
    r"\(\s*(?:(?:const|unsigned|signed|struct|void|char|short|int|long|size_t|u?int\d+_t)\s*)+\w*\s*\**\s*\)"
)


def expression(scanner: Scanner) -> Expression:
    """The expression at the scanner's place."""
    return _binary(scanner, 0)


def result(scanner: Scanner) -> Expression:
    """What a call returns. No arithmetic: the `+` or `*` behind it begins the next event's time."""
    left = _plain(scanner)
    while scanner.take(r"\|(?!\|)"):
        left = Binary("|", left, _plain(scanner))
    return left


def _plain(scanner: Scanner) -> Expression:
    """A constant, whose parenthesis (a note) is no call; anything else as elsewhere."""
    name = scanner.take(_IDENTIFIER)
    return _unary(scanner) if name is None else Name(name)


def arguments(scanner: Scanner, close: str = r"\)") -> tuple[Expression, ...]:
    """Expressions with commas in between, up to and including `close`."""
    found: list[Expression] = []
    while not scanner.take(close):
        if found:
            scanner.expect(r",", "a comma or a closing bracket")
            if scanner.take(close):
                break
        found.append(expression(scanner))
    return tuple(found)


def _binary(scanner: Scanner, level: int) -> Expression:
    if level == len(_LEVELS):
        return _unary(scanner)
    left = _binary(scanner, level + 1)
    while operator := scanner.take(_LEVELS[level]):
        left = Binary(operator, left, _binary(scanner, level + 1))
    return left


def _unary(scanner: Scanner) -> Expression:
    operator = scanner.take(r"[-~!]")
    if operator:
        return Unary(operator, _unary(scanner))
    if scanner.take(_CASTS) or scanner.take(r"&"):
        return _unary(scanner)
    return _primary(scanner)


def _primary(scanner: Scanner) -> Expression:
    if scanner.take(r"\.\.\."):
        return ANYTHING
    number = scanner.take(_NUMBER)
    if number is not None:
        return Number(_number(number))
    if scanner.peek(r'"'):
        return _text(scanner)
    if scanner.take(r"\["):
        return Array(arguments(scanner, r"\]"))
    if scanner.take(r"\{"):
        return _structure(scanner)
    if scanner.take(r"\("):
        inner = expression(scanner)
        scanner.expect(r"\)", "a closing parenthesis")
        return inner
    name = scanner.expect(_IDENTIFIER, "a value")
    if name == "sizeof":
        return _sizeof(scanner)
    if scanner.take(r"\("):
        return Apply(name, arguments(scanner))
    return Name(name)


def _number(text: str) -> int | float:
    if re.match(r"0[xX]", text):
        return int(text, 16)
    text = text.rstrip("uUlL")
    if re.fullmatch(r"\d+", text):
        return (
            int(text, 8)
            if len(text) > 1 and text[0] == "0" and "8" not in text and "9" not in text
            else int(text)
        )
    return float(text)


def _text(scanner: Scanner) -> Expression:
    value = b""
    while (literal := scanner.take(r'"(?:[^"\\\n]|\\.)*"')) is not None:
        try:
            value += ast.literal_eval("b" + literal)
        except (SyntaxError, ValueError):
            value += literal[1:-1].encode()
    if not value and scanner.peek(r'"'):
        raise scanner.error("this string has no end")
    return Text(value)


def _sizeof(scanner: Scanner) -> Expression:
    scanner.expect(r"\(", "an opening parenthesis")
    words = scanner.expect(r"[\w\s*]+", "a type")
    scanner.expect(r"\)", "a closing parenthesis")
    return Apply("sizeof", (Text(" ".join(words.split()).encode()),))


def _structure(scanner: Scanner) -> Structure:
    members: list[tuple[str, Expression]] = []
    while not scanner.take(r"\}"):
        if members:
            scanner.expect(r",", "a comma or a closing brace")
            if scanner.take(r"\}"):
                break
        # `msg_iov(2)=[…]`: the count is the array's own.
        name = scanner.peek(rf"\.?({_IDENTIFIER})\s*(?:\(\s*(?:\d+|\.\.\.)\s*\))?\s*=(?!=)")
        if name:
            scanner.at = name.end()
            members.append((name.group(1), expression(scanner)))
        else:
            members.append((str(len(members)), expression(scanner)))
    return Structure(tuple(members))
