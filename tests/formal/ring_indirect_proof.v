// fdw_ring_indirect over tables that may hold anything and a memory that answers at any time: what comes out is each
// direct descriptor and each table's entries, in order, once, unchanged; nothing but the tables is read.
//
// The byte at any one address is looked at, wherever it is in an entry; of its bits the one that is WRITE in an entry's flags.
// With DEVICE_WRITES every entry handed on has WRITE; without, some that have it are.
module ring_indirect_proof #(
    parameter DEVICE_WRITES = 0
) (
    input clk
);
    localparam AW = 16;
    localparam [63:0] BASE = 64'h1fd0; // three entries below a 4 KiB boundary
    localparam [127:0] OTHERS = {16{8'hfd}};

    (* anyconst *) reg [6:0] place; // of the byte that is looked at, above BASE
    (* anyconst *) reg       value;
    (* anyconst *) reg [2:0] unit; // of 16 bytes above BASE: read only if a table lies there
    (* anyseq *) reg rst, enable, settled, s_valid, s_indirect, s_first, s_last, m_ready, arready, rvalid, rlast;
    (* anyseq *) reg [4:0]   at;    // of a table, above BASE
    (* anyseq *) reg [1:0]   count; // its entries
    (* anyseq *) reg [1:0]   id;
    (* anyseq *) reg [127:0] rdata;
    (* anyseq *) reg [1:0]   rresp;

    wire error, pending, busy, s_ready, m_valid, m_first, m_last, arvalid, rready;
    wire [63:0] m_addr;
    wire [31:0] m_len;
    wire [15:0] m_id, m_slots;
    wire [AW-1:0] araddr, address;
    wire [7:0] arlen;
    wire [2:0] arsize;
    wire [1:0] arburst, flying;

    fdw_ring_indirect #(.ADDR_WIDTH(AW), .DEVICE_WRITES(DEVICE_WRITES), .BURST(2), .DEPTH(3), .TABLES(2)) dut (
        .clk(clk), .rst(rst), .enable(enable), .settled(settled), .error(error), .pending(pending), .busy(busy),
        .s_valid(s_valid), .s_ready(s_ready), .s_addr(BASE + {59'd0, at}), .s_len({26'd0, count, 4'd0}),
        .s_id({14'd0, id}), .s_indirect(s_indirect), .s_first(s_first), .s_last(s_last), .s_slots({14'd0, count}),
        .m_valid(m_valid), .m_ready(m_ready), .m_addr(m_addr), .m_len(m_len), .m_id(m_id), .m_first(m_first),
        .m_last(m_last), .m_slots(m_slots), .m_axi_arvalid(arvalid), .m_axi_arready(arready), .m_axi_araddr(araddr),
        .m_axi_arlen(arlen), .m_axi_arsize(arsize), .m_axi_arburst(arburst), .m_axi_rvalid(rvalid),
        .m_axi_rready(rready), .m_axi_rdata(rdata), .m_axi_rresp(rresp)
    );

    axi_read_rules #(.ADDR_WIDTH(AW)) reads (
        .clk(clk), .rst(rst), .arvalid(arvalid), .arready(arready), .araddr(araddr), .arlen(arlen), .arsize(arsize),
        .arburst(arburst), .rvalid(rvalid), .rready(rready), .rlast(rlast), .flying(flying), .address(address)
    );

    reg        started = 1'b0;
    // What went in and has not all come out, the oldest first: at, count, id, indirect, first, last.
    reg [11:0] put [0:3];
    reg [2:0]  waiting;
    reg [1:0]  come;      // entries of the oldest, if it is a table, that have come out
    reg        covered;   // `unit` was in a table
    reg        dead;      // an error was reported

    wire       take = s_valid && s_ready;
    wire       give = m_valid && m_ready && enable;
    wire [11:0] now = waiting == 3'd0 ? {at, count, id, s_indirect, s_first, s_last} : put[0];
    wire [4:0] now_at = now[11:7];
    wire [1:0] now_count = now[6:5];
    wire [1:0] now_id = now[4:3];
    wire       now_table = now[2];
    wire       is_end = !now_table || come + 2'd1 == now_count;
    wire       over = give && is_end;
    wire [6:0] entry_at = {2'd0, now_at} + {1'b0, come, 4'd0};
    wire [6:0] ahead = place - entry_at;
    wire [AW-1:0] place_addr = BASE[AW-1:0] + {9'd0, place};
    wire [AW-1:0] table_addr = BASE[AW-1:0] + {11'd0, at};
    wire [AW-1:0] table_end = table_addr + {10'd0, count, 4'd0} - 16'd1;
    wire [AW-1:0] unit_addr = BASE[AW-1:0] + {9'd0, unit, 4'd0};
    wire       covers = table_addr[AW-1:4] <= unit_addr[AW-1:4] && unit_addr[AW-1:4] <= table_end[AW-1:4];
    wire       reads_unit = araddr <= unit_addr && unit_addr <= araddr + {4'd0, arlen, 4'd0};
    wire       beat = rvalid && rready;
    wire [2:0] spot = waiting - {2'd0, over};

    initial assume (rst);
    always @* begin
        assume (count != 2'd0 && place < 7'd80);
        assume ((rdata & OTHERS) == 128'd0);
        assume (!s_indirect || (s_first && s_last)); // an indirect descriptor stands alone
        if (beat && address[AW-1:4] == place_addr[AW-1:4]) assume (rdata[{place_addr[3:0], 3'd1}] == value);
    end

    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) covered <= 1'b0;
        else if (take && s_indirect && covers) covered <= 1'b1;
        if (rst || !enable) begin
            waiting <= 3'd0;
            come <= 2'd0;
            dead <= 1'b0;
        end else begin
            dead <= dead || error;
            waiting <= spot + {2'd0, take};
            if (over) begin
                put[0] <= put[1];
                put[1] <= put[2];
                put[2] <= put[3];
            end
            if (take) put[spot[1:0]] <= {at, count, id, s_indirect, s_first, s_last};
            if (give) come <= is_end ? 2'd0 : come + 2'd1;
        end
        if (started && !rst) begin
            if ($past(!rst && s_valid && !s_ready && enable)) // AXI-Stream rules of who feeds it
                assume (s_valid && at == $past(at) && count == $past(count) && id == $past(id)
                        && s_indirect == $past(s_indirect) && s_first == $past(s_first) && s_last == $past(s_last));
            if (m_valid && enable) begin
                assert (waiting != 3'd0 || (s_valid && !s_indirect)); // nothing out of nowhere, nothing twice
                assert (m_id == {14'd0, now_id} && m_slots == {14'd0, now_count});
                assert (m_first == (now_table ? come == 2'd0 : now[1]) && m_last == (now_table ? is_end : now[0]));
                if (!now_table) assert (m_addr == BASE + {59'd0, now_at} && m_len == {26'd0, now_count, 4'd0});
                else begin
                    assert (m_len != 32'd0); // and bad ones are not handed on
                    if (ahead < 7'd8) assert (m_addr[{ahead[2:0], 3'd1}] == value);
                    if (ahead >= 7'd8 && ahead < 7'd12) assert (m_len[{ahead[1:0], 3'd1}] == value);
                    if (ahead == 7'd14 && DEVICE_WRITES) assert (value); // WRITE
                end
            end
            if (m_valid && enable && waiting == 3'd0) assert (take == m_ready);
            assert (rready);
            assert (!(dead && (m_valid || error)));
            if (flying != 2'd0) assert (busy);
            if (arvalid && reads_unit) assert (covered);
        end
        cover (started && !rst && give && now_table && come == 2'd2 && now_at == 5'd9);
        cover (started && !rst && give && now_table && ahead == 7'd14 && value);
        cover (started && !rst && give && !now_table && waiting == 3'd1);
    end
endmodule
