// fdw_axi_read_mux with three masters: any one request of any one master, and any one answer for it, are followed. Master
// 0 is preferred for two bursts in a row.
module axi_read_mux_proof (
    input clk
);
    localparam N = 3;
    localparam AW = 4;
    localparam DW = 4;
    localparam P = AW + 8 + 3 + 2;
    localparam PREFERRED = 2;
    // While a master asks others go before it so often: of master 0 one, of others each of the rest and as many of
    // master 0 before each and before itself.
    localparam [3:0] MOST_0 = 4'd1, MOST = (N - 2) * (PREFERRED + 1) + PREFERRED;

    (* anyconst *) reg [1:0] me;
    (* anyconst *) reg [2:0] n;
    (* anyseq *) reg rst, arready, rvalid, rlast;
    (* anyseq *) reg [N*AW-1:0] s_araddr;
    (* anyseq *) reg [N*8-1:0] s_arlen;
    (* anyseq *) reg [N*3-1:0] s_arsize;
    (* anyseq *) reg [N*2-1:0] s_arburst;
    (* anyseq *) reg [N-1:0] s_arvalid, s_rready;
    (* anyseq *) reg [1:0] rid, rresp;
    (* anyseq *) reg [DW-1:0] rdata;

    wire [N-1:0] s_arready, s_rvalid;
    wire [DW-1:0] s_rdata;
    wire [1:0] s_rresp, arid, arburst;
    wire s_rlast, arvalid, rready;
    wire [AW-1:0] araddr;
    wire [7:0] arlen;
    wire [2:0] arsize;

    fdw_axi_read_mux #(.N(N), .ADDR_WIDTH(AW), .DATA_WIDTH(DW), .AXI_ID_WIDTH(2), .PREFERRED(PREFERRED)) dut (
        .clk(clk), .rst(rst), .s_axi_araddr(s_araddr), .s_axi_arlen(s_arlen), .s_axi_arsize(s_arsize),
        .s_axi_arburst(s_arburst), .s_axi_arvalid(s_arvalid), .s_axi_arready(s_arready), .s_axi_rdata(s_rdata),
        .s_axi_rresp(s_rresp), .s_axi_rlast(s_rlast), .s_axi_rvalid(s_rvalid), .s_axi_rready(s_rready),
        .m_axi_arid(arid), .m_axi_araddr(araddr), .m_axi_arlen(arlen), .m_axi_arsize(arsize),
        .m_axi_arburst(arburst), .m_axi_arvalid(arvalid), .m_axi_arready(arready), .m_axi_rid(rid),
        .m_axi_rdata(rdata), .m_axi_rresp(rresp), .m_axi_rlast(rlast), .m_axi_rvalid(rvalid), .m_axi_rready(rready)
    );

    reg started = 1'b0;
    reg [3:0] asked, passed, came, given; // requests of `me` in and out, answers for `me` in and out
    reg [3:0] waited;
    reg ask_known, answer_known;
    reg [P-1:0] request;
    reg [DW+2:0] answer;
    wire [P-1:0] mine = {s_araddr[me*AW +: AW], s_arlen[me*8 +: 8], s_arsize[me*3 +: 3], s_arburst[me*2 +: 2]};
    wire [P-1:0] out = {araddr, arlen, arsize, arburst};
    wire [DW+2:0] shown = {s_rdata, s_rresp, s_rlast};

    initial assume (rst);
    always @* begin
        assume (me < N);
        assume (asked != 4'd15 && came != 4'd15);
    end
    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            {asked, passed, came, given} <= 16'd0;
            {ask_known, answer_known} <= 2'b00;
            waited <= 4'd0;
        end else begin
            if (!s_arvalid[me] || s_arready[me]) waited <= 4'd0;
            else if (|(s_arvalid & s_arready)) waited <= waited + 4'd1;
            asked <= asked + {3'd0, s_arvalid[me] && s_arready[me]};
            passed <= passed + {3'd0, arvalid && arready && arid == me};
            came <= came + {3'd0, rvalid && rready && rid == me};
            given <= given + {3'd0, s_rvalid[me] && s_rready[me]};
            if (s_arvalid[me] && s_arready[me] && asked == {1'b0, n}) {ask_known, request} <= {1'b1, mine};
            if (rvalid && rready && rid == me && came == {1'b0, n}) {answer_known, answer} <= {1'b1, rdata, rresp, rlast};
        end
        if (started && !rst) begin
            assert (waited <= (me == 2'd0 ? MOST_0 : MOST));
            assert (passed + {3'd0, arvalid && arid == me} <= asked); // nothing made up, nothing twice
            if (arvalid) assert (arid < N);
            if (arvalid && arid == me && passed == {1'b0, n}) assert (ask_known && out == request);
            assert (given + {3'd0, s_rvalid[me]} <= came);
            assert ((s_rvalid & (s_rvalid - 1'b1)) == {N{1'b0}}); // an answer is for one master only
            if (s_rvalid[me] && given == {1'b0, n}) assert (answer_known && shown == answer);
            if (!$past(rst)) begin
                if ($past(arvalid && !arready)) assert (arvalid && arid == $past(arid) && out == $past(out));
                if ($past(s_rvalid[me] && !s_rready[me])) assert (s_rvalid[me] && shown == $past(shown));
            end
        end
        cover (started && !rst && arvalid && arready && arid == me && passed == 4'd2 && n == 3'd2);
        cover (started && !rst && me == 2'd2 && waited == MOST);
        cover (started && !rst && s_rvalid[me] && s_rready[me] && given == 4'd2);
    end
endmodule
