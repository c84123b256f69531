"""From an expression's syntax tree to its value."""

import ipaddress
import operator
from collections.abc import Callable
from typing import Any, Final

from tb.packetdrill.constants import CONSTANTS, SIZES
from tb.packetdrill.errors import ScriptError
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

_BINARY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "|": operator.or_,
    "&": operator.and_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
    "%": operator.mod,
}
_UNARY: Final[dict[str, Callable[[Any], Any]]] = {
    "-": operator.neg,
    "~": operator.invert,
    "!": lambda value: int(not value),
}


def integer(expression: Expression) -> int:
    """An integer. ScriptError for anything else; `[5]` and `...` are no integers."""
    value = number(expression)
    if isinstance(value, float):
        if not value.is_integer():
            raise ScriptError(f"{value} where an integer is needed")
        return int(value)
    return value


def number(expression: Expression) -> int | float:
    """An integer or a fraction."""
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Name):
        try:
            return CONSTANTS[expression.name]
        except KeyError:
            raise ScriptError(f"{expression.name} is no constant known here") from None
    if isinstance(expression, Unary):
        operand = number(expression.operand)
        return int(_UNARY[expression.operator](operand if expression.operator == "-" else int(operand)))
    if isinstance(expression, Binary):
        return int(_BINARY[expression.operator](integer(expression.left), integer(expression.right)))
    if isinstance(expression, Apply):
        return _apply(expression)
    raise ScriptError(f"a number expected, not {describe(expression)}")


def _apply(expression: Apply) -> int:
    if len(expression.arguments) != 1:
        raise ScriptError(f"{expression.function}() takes one argument")
    (argument,) = expression.arguments
    if expression.function == "sizeof":
        assert isinstance(argument, Text)
        name = argument.value.decode().replace(" *", "*")
        if name not in SIZES:
            raise ScriptError(f"sizeof({name}) is not known here")
        return SIZES[name]
    if expression.function in ("htons", "htonl", "ntohs", "ntohl"):
        return integer(argument)  # addresses are kept in host order here
    if expression.function in ("inet_addr", "inet_aton") and isinstance(argument, Text):
        try:
            return int(ipaddress.IPv4Address(argument.value.decode()))
        except ValueError:
            raise ScriptError(f"{argument.value.decode()} is no IPv4 address") from None
    if expression.function in ("inet6_addr", "inet_pton"):
        raise ScriptError("IPv6 is not there yet")
    raise ScriptError(f"{expression.function}() is no function known here")


def unwrap(expression: Expression) -> Expression:
    """What a pointer points to: the one element of `[x]`, or the thing itself."""
    if isinstance(expression, Array) and len(expression.items) == 1:
        return expression.items[0]
    return expression


def array(expression: Expression) -> tuple[Expression, ...]:
    """The elements of `[a, b]`; a structure stands for an array of one."""
    if isinstance(expression, Array):
        return expression.items
    if isinstance(expression, Structure):
        return (expression,)
    raise ScriptError(f"an array expected, not {describe(expression)}")


def structure(expression: Expression) -> Structure:
    """`{…}`, perhaps behind a pointer."""
    inner = unwrap(expression)
    if not isinstance(inner, Structure):
        raise ScriptError(f"a structure expected, not {describe(expression)}")
    return inner


def member(value: Structure, default: int | None, *names: str) -> int:
    """An integer member by any of its `names`; `default` where it is missing or `...`."""
    found = value.get(*names)
    if found is None or found is ANYTHING:
        if default is None:
            raise ScriptError(f"the structure has no {names[0]}")
        return default
    return integer(unwrap(found))


def describe(expression: Expression) -> str:
    """What kind of expression it is, for messages."""
    return {Array: "an array", Structure: "a structure", Text: "a string"}.get(
        type(expression), repr(expression)
    )
