// fdw_replay_fifo against a list of all words that were ever written, which is never longer than a trace.
module replay_fifo_proof (
    input clk
);
    localparam WIDTH = 2, DEPTH = 4;

    (* anyseq *) reg             rst, s_valid, m_ready, commit, rollback;
    (* anyseq *) reg [WIDTH-1:0] s_data;
    wire             s_ready, m_valid;
    wire [WIDTH-1:0] m_data;

    fdw_replay_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) dut (
        .clk(clk), .rst(rst), .s_valid(s_valid), .s_ready(s_ready), .s_data(s_data),
        .m_valid(m_valid), .m_ready(m_ready), .m_data(m_data), .commit(commit), .rollback(rollback)
    );

    reg             started = 1'b0;
    reg [WIDTH-1:0] words [0:31];
    reg [4:0]       written, next, kept; // numbers of words: so many came, the one at the output, the oldest kept
    reg             again;               // a word was read a second time
    wire push = s_valid && s_ready;
    wire pop = m_valid && m_ready;
    wire [4:0] after = next + {4'd0, pop};

    always @* begin
        if (!started) assume (rst);
        assume (!(commit && rollback));
    end

    always @(posedge clk) begin
        started <= 1'b1;
        if (push) words[written] <= s_data;
        if (rst) begin
            written <= 5'd0;
            next <= 5'd0;
            kept <= 5'd0;
            again <= 1'b0;
        end else begin
            written <= written + {4'd0, push};
            next <= rollback ? kept : after;
            if (commit) kept <= after;
            again <= again || (rollback && after != kept);
        end
        if (started && !rst) begin
            assert (s_ready == (written - kept != DEPTH));
            assert (m_valid == (next != written));
            if (m_valid) assert (m_data == words[next]);
            cover (again && kept == 5'd5 && m_valid && m_data == 2'd2);
            cover (!s_ready && !m_valid);
        end
    end
endmodule
