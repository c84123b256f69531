// N AXI4 read masters on one AXI4 read port.
//
// Slave side: N masters, master 0 in the low bits of every vector. A master has no ID here: its bursts
// carry its index as ARID, so answers come back in its own order (AXI4 A6.1) and others may overtake.
// The R payload (s_axi_rdata, rresp, rlast) is shared by all; s_axi_rvalid[i] says for whom it is.
// AR: one burst a cycle. Master 0 goes first, but after PREFERRED bursts of it in a row while others wait one of those
// goes; among them, and with PREFERRED 0 among all, it is round-robin. R is routed by RID; a master that does not take its
// data blocks the others, so masters ask only for what they have room for. A beat with the RID of
// nobody is dropped.
// s_axi_arready depends on s_axi_arvalid in the same cycle (AXI4 A3.2.1 lets it), so no master's arvalid may
// depend on its arready; there is no other combinational path from an input to an output. lock, cache, prot are added by the top.
module fdw_axi_read_mux #(
    parameter N = 2,
    parameter ADDR_WIDTH = 64,
    parameter DATA_WIDTH = 128,
    parameter AXI_ID_WIDTH = 4,
    parameter PREFERRED = 0 // 0..255
) (
    input                       clk,
    input                       rst,

    input  [N*ADDR_WIDTH-1:0]   s_axi_araddr,
    input  [N*8-1:0]            s_axi_arlen,
    input  [N*3-1:0]            s_axi_arsize,
    input  [N*2-1:0]            s_axi_arburst,
    input  [N-1:0]              s_axi_arvalid,
    output [N-1:0]              s_axi_arready,
    output [DATA_WIDTH-1:0]     s_axi_rdata,
    output [1:0]                s_axi_rresp,
    output                      s_axi_rlast,
    output [N-1:0]              s_axi_rvalid,
    input  [N-1:0]              s_axi_rready,

    output [AXI_ID_WIDTH-1:0]   m_axi_arid,
    output [ADDR_WIDTH-1:0]     m_axi_araddr,
    output [7:0]                m_axi_arlen,
    output [2:0]                m_axi_arsize,
    output [1:0]                m_axi_arburst,
    output                      m_axi_arvalid,
    input                       m_axi_arready,
    input  [AXI_ID_WIDTH-1:0]   m_axi_rid,
    input  [DATA_WIDTH-1:0]     m_axi_rdata,
    input  [1:0]                m_axi_rresp,
    input                       m_axi_rlast,
    input                       m_axi_rvalid,
    output                      m_axi_rready
);
    localparam INDEX_WIDTH = N > 1 ? $clog2(N) : 1;
    localparam AR_WIDTH = ADDR_WIDTH + 8 + 3 + 2;
    localparam [31:0] PREFERRED_BITS = PREFERRED;

    generate
        if (N < 1 || N > (1 << AXI_ID_WIDTH)) begin : g_check_n
            fdw_rule_N_must_be_1_to_2_to_the_AXI_ID_WIDTH violated ();
        end
        if (PREFERRED < 0 || PREFERRED > 255) begin : g_check_preferred
            fdw_rule_PREFERRED_must_be_0_to_255 violated ();
        end
    endgenerate

    // AR: the arbiter, then a skid buffer. No register before it: each would delay a lone packet.
    wire [N*AR_WIDTH-1:0] ar_payload;
    wire                  turn_valid;
    wire [AXI_ID_WIDTH-1:0] turn_id;
    wire [N-1:0]          others = s_axi_arvalid >> 1 << 1;
    reg  [7:0]            run; // bursts of master 0 in a row while others wait
    wire                  prefers = PREFERRED != 0 && s_axi_arvalid[0] && (run != PREFERRED_BITS[7:0] || others == {N{1'b0}});
    wire                  grant_valid = prefers || turn_valid;
    wire [AXI_ID_WIDTH-1:0] grant_id = prefers ? {AXI_ID_WIDTH{1'b0}} : turn_id;
    wire [INDEX_WIDTH-1:0] grant = grant_id[INDEX_WIDTH-1:0];
    wire                  out_ready;

    always @(posedge clk) begin
        if (rst) run <= 8'd0;
        else if (grant_valid && out_ready) run <= prefers && others != {N{1'b0}} ? run + 8'd1 : 8'd0;
    end

    genvar g;
    generate
        for (g = 0; g < N; g = g + 1) begin : g_ar
            assign ar_payload[g*AR_WIDTH +: AR_WIDTH] = {
                s_axi_araddr[g*ADDR_WIDTH +: ADDR_WIDTH],
                s_axi_arlen[g*8 +: 8],
                s_axi_arsize[g*3 +: 3],
                s_axi_arburst[g*2 +: 2]
            };
            assign s_axi_arready[g] = out_ready && grant == g;
        end
    endgenerate

    fdw_arbiter #(
        .N(N),
        .INDEX_WIDTH(AXI_ID_WIDTH)
    ) arbiter (
        .clk(clk),
        .rst(rst),
        .request(PREFERRED != 0 ? others : s_axi_arvalid),
        .accept(out_ready && !prefers),
        .valid(turn_valid),
        .index(turn_id)
    );

    fdw_skid #(
        .WIDTH(AXI_ID_WIDTH + AR_WIDTH)
    ) ar_out (
        .clk(clk),
        .rst(rst),
        .s_valid(grant_valid),
        .s_ready(out_ready),
        .s_data({grant_id, ar_payload[grant*AR_WIDTH +: AR_WIDTH]}),
        .m_valid(m_axi_arvalid),
        .m_ready(m_axi_arready),
        .m_data({m_axi_arid, m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arburst})
    );

    // R
    wire                    r_valid;
    wire [AXI_ID_WIDTH-1:0] r_id;
    wire [N-1:0]            r_for;

    fdw_skid #(
        .WIDTH(AXI_ID_WIDTH + DATA_WIDTH + 3)
    ) r_in (
        .clk(clk),
        .rst(rst),
        .s_valid(m_axi_rvalid),
        .s_ready(m_axi_rready),
        .s_data({m_axi_rid, m_axi_rdata, m_axi_rresp, m_axi_rlast}),
        .m_valid(r_valid),
        .m_ready(~|(r_for & ~s_axi_rready)),
        .m_data({r_id, s_axi_rdata, s_axi_rresp, s_axi_rlast})
    );

    generate
        for (g = 0; g < N; g = g + 1) begin : g_r
            assign r_for[g] = r_id == g;
        end
    endgenerate

    assign s_axi_rvalid = {N{r_valid}} & r_for;
endmodule
