// Round-robin arbiter over N requesters.
//
// In: request, one bit each; accept, high in a cycle in which the present grant is used.
// Out: valid (somebody requests) and index of the granted one, combinational from request.
// After an accepted grant to i the order of preference is i+1, i+2, ..., i: a requester that keeps
// asking waits for at most N-1 others. The grant may change until it is accepted.
module fdw_arbiter #(
    parameter N = 2,
    parameter INDEX_WIDTH = N > 1 ? $clog2(N) : 1 // or more: the upper bits are 0
) (
    input                        clk,
    input                        rst,
    input      [N-1:0]           request,
    input                        accept,
    output                       valid,
    output reg [INDEX_WIDTH-1:0] index
);
    // Bit i is set when requester i comes before those that have been served since the last turn.
    reg  [N-1:0] preferred;
    wire [N-1:0] first_choice = request & preferred;
    wire [N-1:0] candidates = |first_choice ? first_choice : request;

    assign valid = |request;

    integer i;
    always @* begin
        index = {INDEX_WIDTH{1'b0}};
        for (i = N - 1; i >= 0; i = i - 1)
            if (candidates[i]) index = i[INDEX_WIDTH-1:0];
    end

    always @(posedge clk) begin
        if (rst) preferred <= {N{1'b1}};
        else if (accept && valid) preferred <= {N{1'b1}} << 1 << index;
    end

`ifdef FDW_ARBITER_FORMAL
    // Proof (make formal), for any one requester: while it asks, at most N-1 others are served before it.
    (* anyconst *) reg [INDEX_WIDTH-1:0] me;
    reg          started = 1'b0;
    reg  [7:0]   waited;
    wire [31:0]  mine = {{32-INDEX_WIDTH{1'b0}}, me};
    wire [N-1:0] me_bit = {{N-1{1'b0}}, 1'b1} << me;
    reg  [31:0]  begins; // the requester that comes first now
    integer      j;

    always @* begin
        assume (mine < N);
        begins = N;
        for (j = N - 1; j >= 0; j = j - 1) if (preferred[j]) begins = j;
        if (begins == N) begins = 0;
    end

    initial assume (rst);
    always @(posedge clk) begin
        started <= 1'b1;
        if (rst || !(|(request & me_bit))) waited <= 8'd0;
        else if (accept && valid) waited <= index == me ? 8'd0 : waited + 8'd1;
        cover (started && !rst && waited == N - 1 && accept && index == me);
    end

    always @* if (started) begin
        assert (valid == |request);
        assert (!valid || (request >> index) & 1'b1); // only who asks is granted
        assert (waited < N);
        assert ({24'd0, waited} + (mine >= begins ? mine - begins : mine + N - begins) < N);
        assert (preferred == {N{1'b1}} << begins || (preferred == {N{1'b0}} && begins == 0));
    end
`endif
endmodule
