"""The proofs, as data. Properties stand in the cells themselves or in the wrappers of tests/formal."""

from tb.formal.prove import Proof
from tb.planted import Plant

LEAVES = (
    Proof(
        name="skid",
        says="in order, unchanged, nothing lost or twice; output holds still",
        top="fdw_skid",
        rtl=("lib/fdw_skid.v",),
        defines=("FDW_SKID_FORMAL",),
        depth=3,
        cover_depth=8,
        plant=Plant("lib/fdw_skid.v", "m_data <= spare_valid ? spare : s_data;", "m_data <= s_data;"),
    ),
    *(
        Proof(
            name=f"fifo-{depth}",
            says=f"{depth} words: in order, unchanged, nothing lost or twice, level right; holds still",
            top="fdw_fifo",
            rtl=("lib/fdw_fifo.v",),
            defines=("FDW_FIFO_FORMAL",),
            parameters={"WIDTH": 2, "DEPTH": depth},
            depth=3,
            cover_depth=2 * depth + 4,
            plant=Plant("lib/fdw_fifo.v", "around <= push && wr_ptr == rd_next;", "around <= 1'b0;"),
        )
        for depth in (2, 5, 8)
    ),
    *(
        Proof(
            name=f"arbiter-{n}",
            says=f"{n} requesters: only who asks is served, nobody waits for more than {n - 1} others",
            top="fdw_arbiter",
            rtl=("lib/fdw_arbiter.v",),
            defines=("FDW_ARBITER_FORMAL",),
            parameters={"N": n},
            depth=2,
            plant=Plant("lib/fdw_arbiter.v", "<< 1 << index;", "<< index;"),
        )
        for n in (2, 5)
    ),
    Proof(
        name="byte-packer",
        says="bytes in order, none lost or twice, each in its packet; whole beats but the last; holds still",
        top="fdw_byte_packer",
        rtl=("lib/fdw_byte_rotate.v", "lib/fdw_byte_packer.v"),
        defines=("FDW_BYTE_PACKER_FORMAL",),
        depth=2,
        cover_depth=8,
        plant=Plant(
            "lib/fdw_byte_packer.v", "flush <= s_last && total > 6'd16;", "flush <= s_last && total > 6'd17;"
        ),
    ),
    Proof(
        name="byte-slicer",
        says="bytes in order, none lost or twice, at the lanes asked for",
        top="fdw_byte_slicer",
        rtl=("lib/fdw_byte_slicer.v",),
        defines=("FDW_BYTE_SLICER_FORMAL",),
        depth=2,
        cover_depth=8,
        plant=Plant("lib/fdw_byte_slicer.v", "assign s_ready = !kept[4];", "assign s_ready = 1'b1;"),
    ),
    Proof(
        name="byte-rotate",
        says="every byte comes out so many lanes further up, modulo 16",
        top="byte_rotate_proof",
        rtl=("lib/fdw_byte_rotate.v",),
        wrappers=("byte_rotate_proof.v",),
        depth=1,
        cover_depth=2,
        plant=Plant("lib/fdw_byte_rotate.v", "{by_1[111:0], by_1[127:112]}", "{by_1[111:0], by_1[111:96]}"),
    ),
    Proof(
        name="sum-words",
        says="the sum of eight words, of which any bytes are left out, without a lost carry",
        top="sum_words_proof",
        rtl=("lib/fdw_sum_words.v",),
        wrappers=("sum_words_proof.v",),
        depth=1,
        cover_depth=2,
        plant=Plant("lib/fdw_sum_words.v", "sum_01 = {1'b0, sum_0}", "sum_01 = {2'b0, sum_0[15:0]}"),
    ),
    Proof(
        name="replay-fifo",
        says="in order, unchanged; what was not committed comes again after a rollback, the rest never",
        top="replay_fifo_proof",
        rtl=("lib/fdw_replay_fifo.v",),
        wrappers=("replay_fifo_proof.v",),
        depth=14,
        induction=False,
        cover_depth=16,
        plant=Plant(
            "lib/fdw_replay_fifo.v",
            "around <= push && wr_ptr == rd_next;",
            "around <= push && wr_ptr == rd_after;",
        ),
    ),
    Proof(
        name="crc32",
        says="equals the bit-serial CRC of IEEE 802.3 §3.2.9 on a basis of its (linear) inputs, each count",
        top="crc32_proof",
        rtl=("mac/fdw_crc32.v",),
        wrappers=("crc32_proof.v",),
        depth=1,
        cover_depth=2,
        plant=Plant("mac/fdw_crc32.v", "rest = {8'd0, crc_in[31:8]};", "rest = {8'd0, crc_in[31:9], 1'b0};"),
    ),
)

_REGS = "regs/fdwire_regs.vh"
_RULES = ("axi_read_rules.v", "axi_write_rules.v")

RINGS = (
    Proof(
        name="ring-fetch",
        says="handed on: only what was made available, once, in order; AXI, 4 KiB; no access beside the ring",
        top="ring_fetch_proof",
        rtl=(_REGS, "lib/fdw_fifo.v", "ring/fdw_ring_fetch.v"),
        wrappers=(*_RULES, "ring_fetch_proof.v"),
        depth=13,
        induction=False,
        cover_depth=12,
        plant=Plant(
            "ring/fdw_ring_fetch.v",
            "take_wrap <= take_wrap ^ ring_end;",
            "take_wrap <= take_wrap && !ring_end;",
        ),
    ),
    *(
        Proof(
            name=f"ring-indirect-{queue}",
            says=f"{says}; nothing else read; AXI, 4 KiB",
            top="ring_indirect_proof",
            rtl=(_REGS, "lib/fdw_fifo.v", "ring/fdw_ring_indirect.v"),
            wrappers=("axi_read_rules.v", "ring_indirect_proof.v"),
            parameters={"DEVICE_WRITES": device_writes},
            depth=11,
            induction=False,
            cover_depth=10,
            plant=Plant("ring/fdw_ring_indirect.v", find, replace),
        )
        for queue, device_writes, says, find, replace in (
            (
                "tx",
                0,
                "the tables' entries in their place, in order, once",
                "(m_axi_rdata << {~lane + 4'd1, 3'b000})",
                "(m_axi_rdata << {~lane, 3'b000})",
            ),
            (
                "rx",
                1,
                "the same, and only such that the device may write to",
                " || (DEVICE_WRITES != 0 && !flags[`FDW_DESC_FLAG_WRITE_BIT]);",
                ";",
            ),
        )
    ),
    Proof(
        name="ring-used",
        says="one entry a chain, at its slot, its lap's flags; merged: the first last; AXI, 4 KiB",
        top="ring_used_proof",
        rtl=(_REGS, "lib/fdw_fifo.v", "ring/fdw_ring_event.v", "ring/fdw_ring_used.v"),
        wrappers=(*_RULES, "ring_used_proof.v"),
        depth=14,
        induction=False,
        cover_depth=16,
        plant=Plant(
            "ring/fdw_ring_used.v",
            "turn = idx_next >= {1'b0, ring_size};",
            "turn = idx_next > {1'b0, ring_size};",
        ),
    ),
)

_MUX = ("lib/fdw_skid.v", "lib/fdw_arbiter.v")

BUS = (
    Proof(
        name="axi-read-mux",
        says="each master's requests and answers: in its order, unchanged, none lost, twice or for another",
        top="axi_read_mux_proof",
        rtl=(*_MUX, "dma/fdw_axi_read_mux.v"),
        wrappers=("axi_read_mux_proof.v",),
        depth=14,
        induction=False,
        cover_depth=12,
        plant=Plant(
            "dma/fdw_axi_read_mux.v", "assign r_for[g] = r_id == g;", "assign r_for[g] = r_id[0] == g[0];"
        ),
    ),
    Proof(
        name="axi-write-mux",
        says="the same for writes, and each burst's data follow its address without another's between",
        top="axi_write_mux_proof",
        rtl=(*_MUX, "lib/fdw_fifo.v", "dma/fdw_axi_write_mux.v"),
        wrappers=("axi_write_mux_proof.v",),
        depth=12,
        induction=False,
        cover_depth=12,
        plant=Plant(
            "dma/fdw_axi_write_mux.v",
            ".m_ready(w_valid && w_ready && s_axi_wlast[turn]),",
            ".m_ready(w_valid && w_ready),",
        ),
    ),
)

DMA = (
    Proof(
        name="dma-read",
        says="each requested byte once, in order, in its packet or head; no other read; abort; AXI, 4 KiB",
        top="dma_read_proof",
        rtl=("lib/fdw_fifo.v", "dma/fdw_dma_read.v"),
        wrappers=("axi_read_rules.v", "byte_packer_open.v", "dma_read_proof.v"),
        depth=10,
        induction=False,
        cover_depth=12,
        plant=Plant(
            "dma/fdw_dma_read.v",
            "draining <= abort || (draining && outstanding != {COUNT_WIDTH{1'b0}});",
            "draining <= abort;",
        ),
    ),
    Proof(
        name="dma-write",
        says="each byte to its place, once, nothing beside; done when all is acknowledged; abort; AXI, 4 KiB",
        top="dma_write_proof",
        rtl=("lib/fdw_fifo.v", "lib/fdw_byte_slicer.v", "dma/fdw_dma_write.v"),
        wrappers=("axi_write_rules.v", "dma_write_proof.v"),
        depth=10,
        induction=False,
        cover_depth=11,
        plant=Plant(
            "dma/fdw_dma_write.v",
            "m_axi_wstrb <= flush ? 16'd0 : strb;",
            "m_axi_wstrb <= strb;",
        ),
    ),
)

ENGINES = (
    Proof(
        name="rx-engine",
        says="chains used once, in order, after their payload; places only in posted buffers, each once",
        top="rx_engine_proof",
        rtl=(
            _REGS,
            "lib/fdw_fifo.v",
            "lib/fdw_replay_fifo.v",
            "rx/fdw_rx_header.v",
            "rx/fdw_rx_frame.v",
            "rx/fdw_rx_used.v",
            "rx/fdw_rx_engine.v",
        ),
        wrappers=("rx_engine_proof.v",),
        depth=10,
        induction=False,
        cover_depth=14,
        plant=Plant(
            "rx/fdw_rx_used.v",
            "state != FIRST || (frame_valid && (done || acknowledged != {PTR_WIDTH + 1{1'b0}}));",
            "state != FIRST || frame_valid;",
        ),
    ),
    Proof(
        name="tx-engine",
        says="chains used once, in order, when read; reads only posted buffers, once; none after a bad one",
        top="tx_engine_proof",
        rtl=(_REGS, "lib/fdw_fifo.v", "tx/fdw_tx_engine.v"),
        wrappers=("tx_engine_proof.v",),
        depth=7,
        induction=False,
        cover_depth=12,
        plant=Plant(
            "tx/fdw_tx_engine.v",
            "chain_valid && done != {LEVEL_WIDTH+1{1'b0}};",
            "chain_valid;",
        ),
    ),
)

PROOFS = (*LEAVES, *RINGS, *BUS, *DMA, *ENGINES)
"""In the order of the table."""
