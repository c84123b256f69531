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
        rtl=("lib/fdw_byte_packer.v",),
        defines=("FDW_BYTE_PACKER_FORMAL",),
        depth=2,
        cover_depth=8,
        plant=Plant(
            "lib/fdw_byte_packer.v", "flush <= a_last && total != 6'd16;", "flush <= a_last && total > 6'd17;"
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

PROOFS = LEAVES
"""In the order of the table."""
