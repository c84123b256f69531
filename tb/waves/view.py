"""What is shown of the NIC, as data: groups of the most telling signals, and the moments worth a marker.

Paths are below the test bench `fdw_tb`. Every vector named here is declared ``[width-1:0]``.
"""

from dataclasses import dataclass
from enum import IntEnum

TOP = "fdw_tb"


class Radix(IntEnum):
    """How a value is shown: GTKWave's trace flags."""

    HEX = 0x2
    DEC = 0x4
    BIN = 0x8


class Colour(IntEnum):
    """GTKWave's trace colours."""

    NORMAL = 0
    RED = 1
    ORANGE = 2
    YELLOW = 3


@dataclass(frozen=True)
class Trace:
    """One signal: its `path` below the test bench. `names`: which table of `names.tables` explains it."""

    path: str
    radix: Radix = Radix.BIN
    names: str = ""
    colour: Colour = Colour.NORMAL

    @property
    def label(self) -> str:
        """What stands beside the wave: block and signal. Without a dot, at which GTKWave would cut it."""
        return self.path.removeprefix("nic.").rsplit("].", 1)[-1].replace(".", " ")


@dataclass(frozen=True)
class Lane:
    """One lane of XGMII: eight bits of vector `data` and one of `control` above them."""

    label: str
    lane: int
    data: str
    control: str
    names: str = "xgmii_lane"

    @property
    def bits(self) -> tuple[tuple[str, int], ...]:
        """Its nine bits as (vector, bit number), most significant first."""
        data = ((self.data, 8 * self.lane + bit) for bit in range(7, -1, -1))
        return ((self.control, self.lane), *data)


@dataclass(frozen=True)
class Comment:
    """A line of text between the traces."""

    text: str


@dataclass(frozen=True)
class Group:
    """A named group; `closed`: collapsed until it is clicked."""

    name: str
    items: tuple["Item", ...]
    closed: bool = False


Item = Trace | Lane | Comment | Group


@dataclass(frozen=True)
class Moment:
    """A marker: when signal `path` is first other than `rest`, after it has been that."""

    path: str
    name: str
    rest: int = 0


def _signals(scope: str, names: str, radix: Radix = Radix.BIN) -> tuple[Trace, ...]:
    """Several signals of one scope, separated by spaces."""
    return tuple(Trace(f"{scope}.{name}", radix) for name in names.split())


def _hex(scope: str, names: str) -> tuple[Trace, ...]:
    return _signals(scope, names, Radix.HEX)


def _dec(scope: str, names: str) -> tuple[Trace, ...]:
    return _signals(scope, names, Radix.DEC)


def _text(path: str, names: str, colour: Colour = Colour.NORMAL) -> Trace:
    return Trace(path, Radix.HEX, names, colour)


def _state(path: str, machine: str) -> Trace:
    return _text(path, machine, Colour.ORANGE)


def _error(path: str) -> Trace:
    """High only when something is wrong."""
    return Trace(path, colour=Colour.RED)


def _event(path: str) -> Trace:
    """A pulse to look for."""
    return Trace(path, colour=Colour.YELLOW)


def _queue(name: str, queue: int) -> Group:
    """Where the driver has put a ring (virtio 1.2 §4.2.2)."""
    scope = f"nic.regs.queue[{queue}].registers"
    return Group(name, (*_dec(scope, "num"), *_hex(scope, "desc driver_area device_area")))


_REGISTERS = Group(
    "registers",
    (
        _event("nic.regs.write"),
        _text("nic.regs.write_address", "register"),
        *_hex("nic.regs", "write_value"),
        _event("nic.regs.read"),
        _text("nic.regs.read_address", "register"),
        *_hex("nic", "s_axil_rdata"),
        Group(
            "AXI-Lite",
            (
                *_signals("nic", "s_axil_awvalid s_axil_awready"),
                _text("nic.s_axil_awaddr", "register"),
                *_signals("nic", "s_axil_wvalid s_axil_wready"),
                *_hex("nic", "s_axil_wdata"),
                *_signals("nic", "s_axil_wstrb s_axil_bvalid s_axil_bready"),
                _text("nic.s_axil_bresp", "resp"),
                *_signals("nic", "s_axil_arvalid s_axil_arready"),
                _text("nic.s_axil_araddr", "register"),
                *_signals("nic", "s_axil_rvalid s_axil_rready"),
                _text("nic.s_axil_rresp", "resp"),
            ),
            closed=True,
        ),
        _text("nic.regs.status_value", "status", Colour.ORANGE),
        *_signals("nic.regs", "resetting"),
        _error("nic.regs.needs_reset"),
        Comment("bit 1: TX, bit 0: RX"),
        *_signals("nic.regs", "queue_ready queue_enable"),
        _event("nic.regs.notify"),
        *_signals("nic.regs", "kick used_interrupt"),
        _text("nic.regs.interrupt_status", "interrupt"),
        Group(
            "queues and configuration",
            (
                *_dec("nic.regs", "mtu"),
                _queue("TX queue", 1),
                _queue("RX queue", 0),
            ),
            closed=True,
        ),
    ),
)


def _ring(queue: int) -> tuple[Item, ...]:
    """What both directions have: ring registers, descriptor prefetch, used entries."""
    fetch, used = f"nic.ring[{queue}].fetch", f"nic.ring[{queue}].used"
    return (
        *_signals(fetch, "enable"),
        *_hex(fetch, "ring_addr"),
        *_dec(fetch, "ring_size"),
        Comment("descriptors fetched"),
        _event(f"{fetch}.kick"),
        _state(f"{fetch}.state", "fdw_ring_fetch.state"),
        *_dec(fetch, "ask_idx take_idx"),
        *_signals(fetch, "take_wrap"),
        *_dec(fetch, "chain_count bursts window stored"),
        *_hex(fetch, "ev_value"),
        *_signals(fetch, "ev_waiting busy"),
        _error(f"{fetch}.error"),
        *_signals(fetch, "desc_valid desc_ready"),
        *_hex(fetch, "desc_addr"),
        *_dec(fetch, "desc_len desc_id"),
        *_signals(fetch, "desc_first desc_last"),
        Comment("descriptor as it is read"),
        *_signals(fetch, "m_axi_rvalid m_axi_rready"),
        *_hex(fetch, "r_addr"),
        *_dec(fetch, "r_len r_id"),
        _text(f"{fetch}.r_flags", "desc_flags", Colour.YELLOW),
        Comment("chains used"),
        *_signals(used, "used_valid used_ready"),
        *_dec(used, "used_id used_len used_count idx"),
        *_signals(used, "wrap"),
        _text(f"{used}.flags", "desc_flags", Colour.YELLOW),
        *_dec(used, "outstanding"),
        *_signals(f"{used}.driver_event", "look reading"),
        _text(f"{used}.driver_event.flags", "event"),
        *_signals(used, "busy"),
        _event(f"{used}.interrupt"),
        _error(f"{used}.error"),
    )


_TX_RING = Group(
    "TX ring",
    (
        *_ring(1),
        Comment("chains under way"),
        *_dec("nic.tx.engine", "total done"),
        *_signals("nic.tx.engine", "packet_done busy"),
        _error("nic.tx.engine.refused"),
        Comment("virtio_net_hdr"),
        *_signals("nic.tx.offload.header", "hdr_valid hdr_ready"),
        _text("nic.tx.offload.header.flags", "net_hdr_flags", Colour.YELLOW),
        _text("nic.tx.offload.header.gso_type", "gso_type"),
        *_dec("nic.tx.offload.header", "gso_size start offset"),
        Comment("TSO"),
        _state("nic.tx.offload.with_tso.segment.state", "fdw_tx_segment.state"),
    ),
)

_RX_RING = Group(
    "RX ring",
    (
        *_ring(0),
        Comment("frames under way"),
        _state("nic.rx.engine.frame.state", "fdw_rx_frame.state"),
        *_dec("nic.rx.engine.frame", "chains slots capacity earlier total"),
        *_signals("nic.rx.engine.frame", "complete lost wrong desc_commit desc_rollback"),
        _state("nic.rx.engine.used.state", "fdw_rx_used.state"),
        *_dec("nic.rx.engine.used", "acknowledged"),
        _error("nic.rx.engine.truncated"),
    ),
)

_DMA = Group(
    "DMA",
    (
        Comment("AR, R"),
        *_signals("nic", "m_axi_arvalid m_axi_arready"),
        _text("nic.m_axi_arid", "axi_id"),
        *_hex("nic", "m_axi_araddr"),
        *_dec("nic", "m_axi_arlen"),
        *_signals("nic", "m_axi_rvalid m_axi_rready"),
        _text("nic.m_axi_rid", "axi_id"),
        _text("nic.m_axi_rresp", "resp"),
        *_signals("nic", "m_axi_rlast"),
        *_hex("nic", "m_axi_rdata"),
        Comment("AW, W, B"),
        *_signals("nic", "m_axi_awvalid m_axi_awready"),
        _text("nic.m_axi_awid", "axi_id"),
        *_hex("nic", "m_axi_awaddr"),
        *_dec("nic", "m_axi_awlen"),
        *_signals("nic", "m_axi_wvalid m_axi_wready m_axi_wlast"),
        *_hex("nic", "m_axi_wstrb m_axi_wdata"),
        *_signals("nic", "m_axi_bvalid m_axi_bready"),
        _text("nic.m_axi_bid", "axi_id"),
        _text("nic.m_axi_bresp", "resp"),
        Group(
            "by master",
            (
                Comment("6, 5: indirect tables TX, RX (reads)"),
                Comment("4, 3: used TX, RX"),
                Comment("2, 1: fetch TX, RX"),
                Comment("0: frames"),
                *_signals("nic", "arvalid arready rvalid awvalid awready wvalid wready bvalid"),
            ),
            closed=True,
        ),
        Comment("read: TX frames"),
        *_signals("nic.tx.dma", "req_valid req_ready"),
        *_hex("nic.tx.dma", "req_addr"),
        *_dec("nic.tx.dma", "req_len req_head"),
        *_signals("nic.tx.dma", "req_last"),
        *_dec("nic.tx.dma", "outstanding room"),
        *_signals("nic.tx.dma", "m_valid m_ready m_last"),
        *_hex("nic.tx.dma", "m_keep m_data"),
        _error("nic.tx.dma.error"),
        Comment("write: RX frames"),
        *_signals("nic.rx.dma", "req_valid req_ready"),
        *_hex("nic.rx.dma", "req_addr"),
        *_dec("nic.rx.dma", "req_len"),
        *_signals("nic.rx.dma", "s_valid s_ready s_last s_more cut ended"),
        *_hex("nic.rx.dma", "s_keep s_data"),
        *_signals("nic.rx.dma", "done"),
        _error("nic.rx.dma.error"),
    ),
)

_MAC = Group(
    "MAC",
    (
        Comment("transmit"),
        *_signals("nic.tx.fifo", "s_valid s_ready s_last"),
        *_dec("nic.tx.fifo", "len frames"),
        *_signals("nic.tx.mac", "s_tvalid s_tready s_tlast"),
        *_hex("nic.tx.mac", "s_tkeep s_tdata"),
        _state("nic.tx.mac.state", "fdw_mac_tx.state"),
        *_dec("nic.tx.mac", "words gap deficit"),
        *_signals("nic.tx.mac", "lane4"),
        _event("nic.tx.mac.stat_frame"),
        *_dec("nic.tx.mac", "stat_bytes"),
        _error("nic.tx.mac.underflow"),
        _error("nic.tx.offload.stat_oversize"),
        Comment("receive"),
        _state("nic.rx.mac.state", "fdw_mac_rx.state"),
        *_signals("nic.rx.mac", "lane4 m_valid m_last"),
        *_hex("nic.rx.mac", "m_keep m_data"),
        _event("nic.rx.fifo.tap_valid"),
        _text("nic.rx.fifo.tap_status", "rx_status"),
        *_dec("nic.rx.fifo", "tap_bytes"),
        _error("nic.rx.fifo.overflow"),
        *_dec("nic.rx.fifo", "unused_frames"),
        *_signals("nic.rx.fifo", "m_valid m_ready m_last m_bad m_whole m_tag"),
        *_dec("nic.rx.fifo", "m_len"),
        *_hex("nic.rx.fifo", "m_keep m_data"),
    ),
)


def _xgmii(direction: str) -> tuple[Item, ...]:
    """One direction of the wire: words, and each lane as its control bit and byte (IEEE 802.3 §46.3)."""
    control, data = f"nic.xgmii_{direction}c", f"nic.xgmii_{direction}d"
    lanes = tuple(Lane(f"{direction} lane {lane}", lane, data, control) for lane in range(8))
    return (
        _text(data, "xgmii_word"),
        *_hex("nic", f"xgmii_{direction}c"),
        Group(f"{direction} lanes", lanes, closed=True),
    )


_WIRE = Group("wire", (Comment("sent"), *_xgmii("tx"), Comment("received"), *_xgmii("rx")))

ITEMS: tuple[Item, ...] = (
    *_signals("nic", "clk rst link_up irq"),
    _REGISTERS,
    _TX_RING,
    _RX_RING,
    _DMA,
    _MAC,
    _WIRE,
)
"""Everything, from top to bottom."""

XGMII_IDLE = 0xFF
"""All eight lanes are control characters."""

MARKERS = (
    Moment("nic.regs.notify", "first doorbell"),
    Moment("nic.m_axi_arvalid", "first DMA"),
    Moment("nic.xgmii_txc", "first word sent", XGMII_IDLE),
    Moment("nic.rx.fifo.tap_valid", "first frame received"),
    Moment("nic.irq", "first interrupt"),
)
"""Named markers A, B, …; the first is where the view opens."""
