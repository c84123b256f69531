"""The state machines of a Verilog source and the names of their states.

A state machine is a `reg` of literal width that is tested (a label of ``case (reg)``, ``==`` or ``!=``)
against at least two localparams of that width with literal values. Its states are the localparams that it
is tested against, or that are assigned to it or to ``reg_next``. That is how `rtl/` writes every one of
them; a `reg` that is only compared with one constant is not a state machine.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_MODULE = re.compile(r"\bmodule\s+(\w+)(.*?)\bendmodule\b", re.DOTALL)
_LOCALPARAM = re.compile(r"\blocalparam\s+\[\s*(\d+)\s*:\s*0\s*\]([^;]*);")
_VALUE = re.compile(r"(\w+)\s*=\s*(\d+)'([bdh])([0-9a-fA-F_]+)\s*(?:,|$)")
_REG = re.compile(r"\breg\s+\[\s*(\d+)\s*:\s*0\s*\]\s*([^;=\[]*);")
_BASES = {"b": 2, "d": 10, "h": 16}
# A label follows the end of a statement; the name between ? and : of an expression does not.
_LABELS = re.compile(r"(?:\A|;|\bend|\bendcase)\s*(\w+(?:\s*,\s*\w+)*)\s*:")
_TEST = re.compile(r"\w+\s*[!=]=\s*\w+")


@dataclass(frozen=True)
class StateMachine:
    """Register `signal` of `module`, `width` bits; `states` maps its values to their names."""

    module: str
    signal: str
    width: int
    states: dict[int, str]


def modules(source: str) -> list[tuple[str, str]]:
    """The modules of Verilog text, without comments: name, and all up to `endmodule`."""
    return _MODULE.findall(_COMMENT.sub("", source))


def state_machines(source: str) -> list[StateMachine]:
    """The state machines of Verilog text, in the order of their declarations.

    Raises ValueError when two states of one have the same value, or a state's value does not fit.
    """
    found = []
    for module, body in modules(source):
        constants = _constants(module, body)
        for msb, names in _REG.findall(body):
            width = int(msb) + 1
            values = {name: value for name, (bits, value) in constants.items() if bits == width}
            for signal in re.findall(r"\w+", names):
                states = _states(signal, body, values)
                if states:
                    found.append(_machine(module, signal, width, states, values))
    return found


def read(sources: list[Path]) -> dict[tuple[str, str], StateMachine]:
    """The state machines of `sources` by module and signal name."""
    machines = [machine for path in sources for machine in state_machines(path.read_text())]
    return {(machine.module, machine.signal): machine for machine in machines}


def _constants(module: str, body: str) -> dict[str, tuple[int, int]]:
    """Localparams with literal values: name → (width, value)."""
    constants = {}
    for msb, assignments in _LOCALPARAM.findall(body):
        width = int(msb) + 1
        for name, _, base, digits in _VALUE.findall(assignments):
            value = int(digits.replace("_", ""), _BASES[base])
            if value >= 1 << width:
                raise ValueError(f"{module}: {name} = {value} does not fit {width} bits")
            constants[name] = (width, value)
    return constants


def _states(signal: str, body: str, values: dict[str, int]) -> set[str]:
    tested = set(re.findall(rf"\b{signal}\s*[!=]=\s*(\w+)", body))
    for cases in re.findall(rf"\bcase\s*\(\s*{signal}\s*\)(.*?)\bendcase\b", body, re.DOTALL):
        for labels in _LABELS.findall(cases):
            tested |= set(re.findall(r"\w+", labels))
    tested &= values.keys()
    if len(tested) < 2:
        return set()
    assigned: set[str] = set()
    for expression in re.findall(rf"\b{signal}(?:_next)?\s*<?=(?!=)([^;]*);", body):
        assigned |= set(re.findall(r"\w+", _TEST.sub("", expression)))
    return tested | (assigned & values.keys())


def _machine(module: str, signal: str, width: int, states: set[str], values: dict[str, int]) -> StateMachine:
    by_value: dict[int, str] = {}
    for name in sorted(states, key=values.__getitem__):
        if values[name] in by_value:
            raise ValueError(
                f"{module}.{signal}: {name} and {by_value[values[name]]} are both {values[name]}"
            )
        by_value[values[name]] = name
    return StateMachine(module, signal, width, by_value)
