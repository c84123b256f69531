// N AXI4 write masters on one AXI4 write port.
//
// Slave side: N masters, master 0 in the low bits of every vector. A master has no ID here: its bursts
// carry its index as AWID. The B payload (s_axi_bresp) is shared by all; s_axi_bvalid[i] says for whom.
// AW is granted round-robin, one burst a cycle; W follows in the order of the granted AWs (AXI4 A5.2
// has no WID), without a gap between bursts. A master must be able to give the data of a burst without
// waiting for anything else once its AW is valid: until its wlast nobody else's data passes. It must
// mark the end of each burst with wlast. B is routed by BID; one with the BID of nobody is dropped.
// No combinational path from any input to any output. lock, cache, prot are added by the top.
module fdw_axi_write_mux #(
    parameter N = 2,
    parameter ADDR_WIDTH = 64,
    parameter DATA_WIDTH = 128,
    parameter AXI_ID_WIDTH = 4,
    parameter ORDER_DEPTH = 16 // bursts granted whose data has not passed yet
) (
    input                       clk,
    input                       rst,

    input  [N*ADDR_WIDTH-1:0]   s_axi_awaddr,
    input  [N*8-1:0]            s_axi_awlen,
    input  [N*3-1:0]            s_axi_awsize,
    input  [N*2-1:0]            s_axi_awburst,
    input  [N-1:0]              s_axi_awvalid,
    output [N-1:0]              s_axi_awready,
    input  [N*DATA_WIDTH-1:0]   s_axi_wdata,
    input  [N*DATA_WIDTH/8-1:0] s_axi_wstrb,
    input  [N-1:0]              s_axi_wlast,
    input  [N-1:0]              s_axi_wvalid,
    output [N-1:0]              s_axi_wready,
    output [1:0]                s_axi_bresp,
    output [N-1:0]              s_axi_bvalid,
    input  [N-1:0]              s_axi_bready,

    output [AXI_ID_WIDTH-1:0]   m_axi_awid,
    output [ADDR_WIDTH-1:0]     m_axi_awaddr,
    output [7:0]                m_axi_awlen,
    output [2:0]                m_axi_awsize,
    output [1:0]                m_axi_awburst,
    output                      m_axi_awvalid,
    input                       m_axi_awready,
    output [DATA_WIDTH-1:0]     m_axi_wdata,
    output [DATA_WIDTH/8-1:0]   m_axi_wstrb,
    output                      m_axi_wlast,
    output                      m_axi_wvalid,
    input                       m_axi_wready,
    input  [AXI_ID_WIDTH-1:0]   m_axi_bid,
    input  [1:0]                m_axi_bresp,
    input                       m_axi_bvalid,
    output                      m_axi_bready
);
    localparam INDEX_WIDTH = N > 1 ? $clog2(N) : 1;
    localparam STRB_WIDTH = DATA_WIDTH / 8;
    localparam AW_WIDTH = ADDR_WIDTH + 8 + 3 + 2;

    generate
        if (N < 1 || N > (1 << AXI_ID_WIDTH)) begin : g_check_n
            fdw_rule_N_must_be_1_to_2_to_the_AXI_ID_WIDTH violated ();
        end
        if (ORDER_DEPTH < 2) begin : g_check_depth
            fdw_rule_ORDER_DEPTH_must_be_at_least_2 violated ();
        end
    endgenerate

    // AW: one skid buffer for each master, so that awready depends on no awvalid, then the arbiter.
    wire [N-1:0]          aw_valid;
    wire [N-1:0]          aw_taken;
    wire [N*AW_WIDTH-1:0] aw_payload;
    wire                   grant_valid;
    wire [AXI_ID_WIDTH-1:0] grant_id;
    wire [INDEX_WIDTH-1:0] grant = grant_id[INDEX_WIDTH-1:0];
    wire                  out_ready;
    wire                  order_ready;
    wire                  accept = out_ready && order_ready;

    genvar g;
    generate
        for (g = 0; g < N; g = g + 1) begin : g_aw
            fdw_skid #(
                .WIDTH(AW_WIDTH)
            ) skid (
                .clk(clk),
                .rst(rst),
                .s_valid(s_axi_awvalid[g]),
                .s_ready(s_axi_awready[g]),
                .s_data({
                    s_axi_awaddr[g*ADDR_WIDTH +: ADDR_WIDTH],
                    s_axi_awlen[g*8 +: 8],
                    s_axi_awsize[g*3 +: 3],
                    s_axi_awburst[g*2 +: 2]
                }),
                .m_valid(aw_valid[g]),
                .m_ready(aw_taken[g]),
                .m_data(aw_payload[g*AW_WIDTH +: AW_WIDTH])
            );
            assign aw_taken[g] = accept && grant == g;
        end
    endgenerate

    fdw_arbiter #(
        .N(N),
        .INDEX_WIDTH(AXI_ID_WIDTH)
    ) arbiter (
        .clk(clk),
        .rst(rst),
        .request(aw_valid),
        .accept(accept),
        .valid(grant_valid),
        .index(grant_id)
    );

    fdw_skid #(
        .WIDTH(AXI_ID_WIDTH + AW_WIDTH)
    ) aw_out (
        .clk(clk),
        .rst(rst),
        .s_valid(grant_valid && order_ready),
        .s_ready(out_ready),
        .s_data({grant_id, aw_payload[grant*AW_WIDTH +: AW_WIDTH]}),
        .m_valid(m_axi_awvalid),
        .m_ready(m_axi_awready),
        .m_data({m_axi_awid, m_axi_awaddr, m_axi_awlen, m_axi_awsize, m_axi_awburst})
    );

    // W, in the order in which the AWs were granted. A grant goes around the FIFO while that is empty.
    wire                   order_valid;
    wire [INDEX_WIDTH-1:0] order_turn;
    wire                   granted = grant_valid && out_ready;
    wire                   turn_valid = order_valid || granted;
    wire [INDEX_WIDTH-1:0] turn = order_valid ? order_turn : grant;
    wire                   w_ready;
    wire [$clog2(ORDER_DEPTH+1)-1:0] unused_level;
    wire                   w_valid = turn_valid && s_axi_wvalid[turn];
    wire                   at_once = !order_valid && w_valid && w_ready && s_axi_wlast[turn]; // nothing of it is left

    fdw_fifo #(
        .WIDTH(INDEX_WIDTH),
        .DEPTH(ORDER_DEPTH)
    ) order (
        .clk(clk),
        .rst(rst),
        .s_valid(granted && !at_once),
        .s_ready(order_ready),
        .s_data(grant),
        .m_valid(order_valid),
        .m_ready(w_valid && w_ready && s_axi_wlast[turn]),
        .m_data(order_turn),
        .level(unused_level)
    );

    fdw_skid #(
        .WIDTH(DATA_WIDTH + STRB_WIDTH + 1)
    ) w_out (
        .clk(clk),
        .rst(rst),
        .s_valid(w_valid),
        .s_ready(w_ready),
        .s_data({
            s_axi_wdata[turn*DATA_WIDTH +: DATA_WIDTH],
            s_axi_wstrb[turn*STRB_WIDTH +: STRB_WIDTH],
            s_axi_wlast[turn]
        }),
        .m_valid(m_axi_wvalid),
        .m_ready(m_axi_wready),
        .m_data({m_axi_wdata, m_axi_wstrb, m_axi_wlast})
    );

    // B
    wire                    b_valid;
    wire [AXI_ID_WIDTH-1:0] b_id;
    wire [N-1:0]            b_for;

    fdw_skid #(
        .WIDTH(AXI_ID_WIDTH + 2)
    ) b_in (
        .clk(clk),
        .rst(rst),
        .s_valid(m_axi_bvalid),
        .s_ready(m_axi_bready),
        .s_data({m_axi_bid, m_axi_bresp}),
        .m_valid(b_valid),
        .m_ready(~|(b_for & ~s_axi_bready)),
        .m_data({b_id, s_axi_bresp})
    );

    generate
        for (g = 0; g < N; g = g + 1) begin : g_w_b
            assign s_axi_wready[g] = turn_valid && turn == g && w_ready;
            assign b_for[g] = b_id == g;
        end
    endgenerate

    assign s_axi_bvalid = {N{b_valid}} & b_for;
endmodule
