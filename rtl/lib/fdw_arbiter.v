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
endmodule
