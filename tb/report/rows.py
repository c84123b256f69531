"""The frames as the page and its script show them: classes, labels, fields, what came of each."""

from typing import Any

from pymodel.simtime import CYCLE, NS, US
from tb.report import journey
from tb.report.connections import Connection, Fate, Step, fates
from tb.report.frames import Seen, fields


def css(step: Step) -> str:
    """The classes of a segment's row."""
    return " ".join((direction(step.frame), step.kind, "lost" if step.frame.fate else "")).strip()


def direction(frame: Seen) -> str:
    """The class of its direction."""
    return "ab" if frame.a_to_b else "ba"


def other(frame: Seen) -> str:
    """What a frame that is no TCP segment is."""
    named = {name: value for _, name, value in fields(frame.head)}
    if "operation" in named:
        return f"ARP {named['operation']}: {named['target']}"
    return f"protocol {named['protocol']}" if "protocol" in named else f"type {named.get('type', '?')}"


def data(
    frames: list[Seen], connections: list[Connection], others: list[Seen], traced: dict[str, Any] | None
) -> dict[str, Any]:
    """For the page's script.

    `frames`: of each its classes, label, start ps, end ps, bytes, fate, number in `shapes`, the frames that
    carried its first byte before and again and that acknowledged it (or null), and the values of the names
    that `shapes` has. `lists`: which frames are of which connection. `first`: the one to begin with.
    """
    steps = {step.frame.index: step for connection in connections for step in connection.steps}
    known = {index: fate for connection in connections for index, fate in fates(connection).items()}
    shapes: dict[tuple[tuple[str, str], ...], int] = {}
    rows = []
    for frame in frames:
        step = steps.get(frame.index)
        decoded = fields(frame.head)
        shape = shapes.setdefault(tuple((layer, name) for layer, name, _ in decoded), len(shapes))
        classes, label = (css(step), step.label) if step else (direction(frame), other(frame))
        fate = known.get(frame.index, Fate())
        values = [value for _, _, value in decoded]
        rows.append(
            [
                *(classes, label, frame.start, frame.end, frame.size, frame.fate, shape),
                *(fate.before, fate.again, fate.acked, *values),
            ]
        )
    lists = [
        [f"Connection {number}", [step.frame.index for step in one.steps]]
        for number, one in enumerate(connections, 1)
    ]
    lists += [["Other frames", [frame.index for frame in others]]] if others else []
    sent = [step.frame.index for step in steps.values() if step.frame.a_to_b and step.payload]
    first = journey.telling(traced, sent) if traced else None
    return {
        "cycle": CYCLE,
        "ns": NS,
        "us": US,
        "shapes": list(shapes),
        "frames": rows,
        "lists": lists,
        "first": first if first is not None else next(iter(sent), 0),
        "traced": journey.hops(traced) if traced else None,
    }
