"""SystemVerilog that puts the names of values into the wave file itself, where any viewer finds them.

Beside each register with a table of names (`tb.waves.names`) stands its value once more, as an enumeration:
of ``…fetch.state`` it is ``…fetch.state_name.text``. Verilator writes an enumeration's names into an FST
file, and wellen, with which Surfer reads it, has them. A VCD file has no place for them.

The modules of `rtl/` stay as they are: what is made here is bound to them in builds with waves only. For that
a signal has to be in its module's own scope, not in a generate block's.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from tb.waves import fsm, names

BOUND: Final = (
    ("fdw_nic", "s_axil_awaddr", "register"),
    ("fdw_nic", "s_axil_araddr", "register"),
    ("fdw_nic", "s_axil_bresp", "resp"),
    ("fdw_nic", "s_axil_rresp", "resp"),
    ("fdw_nic", "m_axi_arid", "axi_id"),
    ("fdw_nic", "m_axi_rid", "axi_id"),
    ("fdw_nic", "m_axi_rresp", "resp"),
    ("fdw_nic", "m_axi_awid", "axi_id"),
    ("fdw_nic", "m_axi_bid", "axi_id"),
    ("fdw_nic", "m_axi_bresp", "resp"),
    ("fdw_regs", "write_address", "register"),
    ("fdw_regs", "read_address", "register"),
    ("fdw_regs", "status_value", "status"),
    ("fdw_regs", "interrupt_status", "interrupt"),
    ("fdw_ring_fetch", "r_flags", "desc_flags"),
    ("fdw_ring_used", "flags", "desc_flags"),
    ("fdw_ring_event", "flags", "event"),
    ("fdw_tx_header", "flags", "net_hdr_flags"),
    ("fdw_tx_header", "gso_type", "gso_type"),
    ("fdw_rx_fifo", "tap_status", "rx_status"),
)
"""Module, signal and table; the state machines' are read from the sources.

Words of the wire are not among them: most have no name, and Surfer shows such values as errors.
"""


def mirror(path: str) -> str:
    """Where the value of signal `path` is by name."""
    return f"{path}_name.text"


def source(sources: Iterable[Path]) -> str:
    """SystemVerilog to be compiled with `sources`; a signal that their modules do not have is left out.

    Raises ValueError when states of a source contradict each other.
    """
    files = list(sources)
    machines = fsm.read(files)
    tables = names.tables(machines.values())
    bodies = dict(found for file in files for found in fsm.modules(file.read_text()))
    bound = [
        (module, signal, table)
        for module, signal, table in BOUND
        if re.search(rf"\b{signal}\b", bodies.get(module, ""))
    ]
    bound += [(module, signal, f"{module}.{signal}") for module, signal in machines]
    used = dict.fromkeys(table for _, _, table in bound)
    parts = [_enumeration(table, tables) for table in used]
    parts += [
        f"bind {module} {_named(table)} {signal}_name (.bits({signal}));\n" for module, signal, table in bound
    ]
    return "".join(parts)


def _named(table: str) -> str:
    return f"fdw_names_{table.replace('.', '_')}"


def _enumeration(table: str, tables: Mapping[str, names.Names]) -> str:
    """The module that has a value of `table` as text."""
    width = tables[table].width
    members = ",\n".join(_members(tables[table]))
    return (
        f"module {_named(table)} (\n"
        "    /* verilator tracing_off */\n"
        f"    input [{width - 1}:0] bits\n"
        "    /* verilator tracing_on */\n"
        ");\n"
        f"    typedef enum logic [{width - 1}:0] {{\n"
        f"{members}\n"
        "    } names;\n"
        "    names text;\n"
        "    assign text = names'(bits);\n"
        "endmodule\n"
    )


def _members(table: names.Names) -> Iterator[str]:
    """Escaped, as names are not all identifiers; a blank would end them."""
    for value, name in sorted(table.text.items()):
        yield f"        \\{literal(name)} = {table.width}'h{value:x}"


def literal(name: str) -> str:
    """`name` as it is in the wave file."""
    return name.replace(" ", "_")
