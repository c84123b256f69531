// fdw_tx_engine between any chains and any DMA: each chain is used once, in its order, and only when the DMA has been asked
// for all that will be read of it and is done with it; what is asked for lies inside buffers that were posted and are
// not used yet, each once and in order; a refused chain is never used.
//
// Assumed of the neighbours: descriptors in any order, whole chains or not (ring-fetch, ring-indirect); one packet_done
// for each packet that was asked for (dma-read; test_tx_path). Buffer number i lies at 64 * i. One life is looked at.
module tx_engine_proof (
    input clk
);
    localparam AW = 9;

    (* anyconst *) reg [47:0] lens;
    (* anyconst *) reg [7:0]  lasts;
    (* anyconst *) reg [2:0]  x;
    (* anyconst *) reg [2:0]  longest;
    (* anyseq *) reg rst, desc_valid, req_ready, len_ready, packet_done, used_ready, used_busy;
    (* anyseq *) reg [15:0] junk;

    reg  [2:0] posted, posted_chains;
    wire [5:0] desc_len = lens[6 * posted +: 6];
    wire       desc_last = lasts[posted];
    wire error, busy, desc_ready, req_valid, req_last, len_valid, unused_steady, used_valid, used_write;
    wire [AW-1:0] req_addr;
    wire [16:0] req_len, len_frame;
    wire [3:0] req_head;
    wire [15:0] used_id, used_count;
    wire [31:0] used_len;

    fdw_tx_engine #(.ADDR_WIDTH(AW), .DESCRIPTORS(4), .CHAINS(2)) dut (
        .clk(clk), .rst(rst), .enable(1'b1), .longest(17'd14 + {14'd0, longest}), .error(error), .busy(busy),
        .desc_valid(desc_valid), .desc_ready(desc_ready), .desc_addr({55'd0, posted, 6'd0}), .desc_len({26'd0, desc_len}),
        .desc_id(desc_last ? {13'd0, posted_chains} : junk), .desc_last(desc_last), .desc_slots(16'd1),
        .req_valid(req_valid), .req_ready(req_ready), .req_addr(req_addr), .req_len(req_len), .req_head(req_head),
        .req_last(req_last), .len_valid(len_valid), .len_ready(len_ready), .len_frame(len_frame),
        .len_steady(unused_steady), .packet_done(packet_done), .used_valid(used_valid), .used_ready(used_ready),
        .used_id(used_id), .used_len(used_len), .used_write(used_write), .used_count(used_count), .used_busy(used_busy)
    );

    reg        started = 1'b0;
    reg [2:0]  chain_of [0:7];
    reg [2:0]  packets;      // asked for whole
    reg [2:0]  finished;     // packet_done
    reg [2:0]  chains_used;
    reg [3:0]  next_at;      // the first buffer that may be asked for
    reg [7:0]  bytes;        // of the present packet
    reg [9:0]  x_bytes;      // of chain x, in buffers
    reg        x_whole, errors;
    wire [2:0] at = req_addr[8:6];
    wire       take = req_valid && req_ready;
    wire       enter = used_valid && used_ready;
    integer    i;

    initial assume (rst);
    always @* begin
        for (i = 0; i < 8; i = i + 1) assume (lens[6*i +: 6] != 6'd0);
        assume (!desc_valid || posted != 3'd7);
        if (packet_done) assume (finished != packets);
    end

    always @(posedge clk) begin
        started <= 1'b1;
        if (rst) begin
            posted <= 3'd0;
            posted_chains <= 3'd0;
            packets <= 3'd0;
            finished <= 3'd0;
            chains_used <= 3'd0;
            next_at <= 4'd0;
            bytes <= 8'd0;
            x_bytes <= 10'd0;
            x_whole <= 1'b0;
            errors <= 1'b0;
        end else begin
            if (desc_valid && desc_ready) begin
                posted <= posted + 3'd1;
                posted_chains <= posted_chains + {2'd0, desc_last};
                chain_of[posted] <= posted_chains;
                if (posted_chains == x) begin
                    x_bytes <= x_bytes + {4'd0, desc_len};
                    x_whole <= desc_last;
                end
            end
            if (take) begin
                next_at <= {1'b0, at} + 4'd1;
                bytes <= req_last ? 8'd0 : bytes + req_len[7:0];
                packets <= packets + {2'd0, req_last};
            end
            finished <= finished + {2'd0, packet_done};
            if (enter) chains_used <= chains_used + 3'd1;
            errors <= errors || error;
        end
        if (started && !rst) begin
            if (take) begin
                assert (at < posted && req_addr[5:0] == 6'd0 && req_len != 17'd0);
                assert (req_len <= {11'd0, lens[6 * at +: 6]});
                assert ({1'b0, at} >= next_at);                  // each buffer once, in order
                assert (chain_of[at] == packets);                // one packet a chain, in order
                assert (chain_of[at] >= chains_used);            // of a chain that is not used yet
                assert (bytes + req_len[7:0] <= 8'd12 + 8'd14 + {5'd0, longest} + 8'd1);
                assert ({13'd0, req_head} == (bytes >= 8'd12 ? 17'd0 : req_len > 17'd12 - {9'd0, bytes} ? 17'd12 - {9'd0, bytes} : req_len));
            end
            if (enter) begin
                assert (used_id == {13'd0, chains_used} && chains_used < posted_chains);
                assert (!used_write && used_len == 32'd0 && used_count == 16'd1);
                assert (finished > chains_used);                 // all of it is read
                if (chains_used == x) assert (x_whole && x_bytes >= 10'd26);
            end
            if (error) assert (!errors && $past(!used_busy && chains_used + 3'd1 == posted_chains)); // behind all before it
            if (errors) assert (!used_valid && !desc_ready);
        end
        cover (started && !rst && enter && chains_used == 3'd1);
        cover (started && !rst && error && chains_used == 3'd1);
        cover (started && !rst && enter && chains_used == x && x_bytes > 10'd60);
    end
endmodule
