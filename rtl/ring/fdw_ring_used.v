// Writes the used entries of one packed virtqueue (virtio 1.2 §2.8.2, §2.8.13), and has fdw_ring_event decide
// on the interrupt once they are visible.
//
// In: used_*, valid/ready, one per chain, in the order of the ring; whoever asks has waited for the
// chain's payload. used_count (1..ring_size) is the number of slots that the chain takes: the used index skips so
// many. Each entry {addr 0, len, id, flags} is one aligned 16-byte write, so that flags are never
// visible before id and len; AVAIL and USED both equal the wrap counter, WRITE is used_write. Its slots
// count as passed when its B response has come.
//
// Several chains that the driver must see at once (MRG_RXBUF, §5.1.6.3.1): the first is offered with
// used_hold, which passes its slots and writes nothing; the next ones as usual; then used_release, with the
// first one's id and length and used_count 0, writes the entry that was held back, after the B responses
// of all others, and with its own the slots of all of them count as passed.
//
// `enable`, ring_addr, ring_size as in fdw_ring_fetch; driver_event_addr is 4-byte aligned. With `enable`
// low the used index is 0 and the wrap counter 1, nothing is taken; `busy` falls when the transfers in
// flight have ended, and a new life takes nothing before that. An AXI error response gives a pulse on
// `error`; what follows is up to the top. `busy` is high from an entry's acceptance to its interrupt.
`include "fdwire_regs.vh"
module fdw_ring_used #(
    parameter ADDR_WIDTH = 64,
    parameter OUTSTANDING = 32 // entries whose B response has not come, 1..255
) (
    input                       clk,
    input                       rst,

    input                       enable,
    input      [63:0]           ring_addr,
    input      [15:0]           ring_size,
    input      [63:0]           driver_event_addr,
    input                       event_idx,
    // Waiver: the name is the contract's; in Verilator's C++ it clashes with nothing that is used.
    // verilator lint_off SYMRSVDWORD
    output                      interrupt,
    // verilator lint_on SYMRSVDWORD
    output reg                  error,
    output                      busy,

    input                       used_valid,
    output                      used_ready,
    input      [15:0]           used_id,
    input      [31:0]           used_len,
    input                       used_write,
    input      [15:0]           used_count,
    input                       used_hold,
    input                       used_release,

    output reg                  m_axi_awvalid,
    input                       m_axi_awready,
    output reg [ADDR_WIDTH-1:0] m_axi_awaddr,
    output     [7:0]            m_axi_awlen,
    output     [2:0]            m_axi_awsize,
    output     [1:0]            m_axi_awburst,
    output reg                  m_axi_wvalid,
    input                       m_axi_wready,
    output reg [127:0]          m_axi_wdata,
    output     [15:0]           m_axi_wstrb,
    output                      m_axi_wlast,
    input                       m_axi_bvalid,
    output                      m_axi_bready,
    input      [1:0]            m_axi_bresp,

    output                      m_axi_arvalid,
    input                       m_axi_arready,
    output     [ADDR_WIDTH-1:0] m_axi_araddr,
    output     [7:0]            m_axi_arlen,
    output     [2:0]            m_axi_arsize,
    output     [1:0]            m_axi_arburst,
    input                       m_axi_rvalid,
    output                      m_axi_rready,
    input      [127:0]          m_axi_rdata,
    input      [1:0]            m_axi_rresp
);
    generate
        if (OUTSTANDING < 1 || OUTSTANDING > 255) begin : g_check_outstanding
            fdw_rule_OUTSTANDING_must_be_1_to_255 violated ();
        end
    endgenerate
    localparam [31:0] LIMIT = OUTSTANDING;

    reg        alive;       // enabled, and nothing of an earlier life is in flight
    reg [15:0] idx;
    reg        wrap;
    reg [7:0]  outstanding;

    // ---------------------------------------------------------------- used entries
    reg        holding;     // an entry is held back:
    reg [15:0] held_idx;    // for this slot,
    reg        held_wrap;
    reg [15:0] held_count;  // with the slots of so many descriptors, its own and those after it

    wire take = used_valid && used_ready;
    wire enter = take && !used_hold;
    wire b = m_axi_bvalid;
    wire visible = alive && enable && b && !m_axi_bresp[1];
    wire [15:0] slot = used_release ? held_idx : idx;
    wire        slot_wrap = used_release ? held_wrap : wrap;
    wire [59:0] unit = ring_addr[63:4] + {44'd0, slot};
    wire [63:0] entry_addr = {unit, 4'd0};
    wire [16:0] idx_next = {1'b0, idx} + {1'b0, used_count};
    wire        turn = idx_next >= {1'b0, ring_size};
    wire [15:0] idx_turned = idx_next[15:0] - ring_size;
    wire [15:0] flags = (slot_wrap ? `FDW_DESC_FLAG_AVAIL | `FDW_DESC_FLAG_USED : 16'd0)
        | (used_write ? `FDW_DESC_FLAG_WRITE : 16'd0);

    assign used_ready = alive && enable && outstanding != LIMIT[7:0] && (!m_axi_awvalid || m_axi_awready)
        && (!m_axi_wvalid || m_axi_wready) && (!used_release || outstanding == 8'd0);
    assign m_axi_awlen = 8'd0;
    assign m_axi_awsize = 3'd4;
    assign m_axi_awburst = 2'b01;
    assign m_axi_wstrb = 16'hffff;
    assign m_axi_wlast = 1'b1;
    assign m_axi_bready = 1'b1;

    always @(posedge clk) begin
        if (rst) begin
            alive <= 1'b0;
            idx <= 16'd0;
            wrap <= 1'b1;
            outstanding <= 8'd0;
            holding <= 1'b0;
            held_idx <= 16'd0;
            held_wrap <= 1'b1;
            held_count <= 16'd0;
            m_axi_awvalid <= 1'b0;
            m_axi_awaddr <= {ADDR_WIDTH{1'b0}};
            m_axi_wvalid <= 1'b0;
            m_axi_wdata <= 128'd0;
        end else begin
            alive <= enable && (alive || !busy);
            outstanding <= outstanding + {7'd0, enter} - {7'd0, b};
            if (!enable) begin
                idx <= 16'd0;
                wrap <= 1'b1;
                holding <= 1'b0;
            end else if (take) begin
                idx <= turn ? idx_turned : idx_next[15:0];
                wrap <= wrap ^ turn;
                holding <= used_hold || (holding && !used_release);
                held_count <= used_hold ? used_count : held_count + used_count;
                if (used_hold) begin
                    held_idx <= idx;
                    held_wrap <= wrap;
                end
            end
            if (enter) begin
                m_axi_awvalid <= 1'b1;
                m_axi_awaddr <= entry_addr[ADDR_WIDTH-1:0];
                m_axi_wvalid <= 1'b1;
                m_axi_wdata <= {flags, used_id, used_len, 64'd0};
            end else begin
                if (m_axi_awready) m_axi_awvalid <= 1'b0;
                if (m_axi_wready) m_axi_wvalid <= 1'b0;
            end
        end
    end

    // ---------------------------------------------------------------- what a B response makes visible
    wire        shows;      // the slots of this entry: not while one before it is held back
    wire [15:0] shown_count;
    wire        unused_entries_ready; // as deep as entries may be outstanding
    wire        unused_entries_valid;
    wire [$clog2(OUTSTANDING+2)-1:0] unused_level;

    fdw_fifo #(
        .WIDTH(17),
        .DEPTH(OUTSTANDING + 1) // at least 2
    ) entries (
        .clk(clk),
        .rst(rst || !(alive && enable)),
        .s_valid(enter),
        .s_ready(unused_entries_ready),
        .s_data({!holding || used_release, used_release ? held_count : used_count}),
        .m_valid(unused_entries_valid),
        .m_ready(b),
        .m_data({shows, shown_count}),
        .level(unused_level)
    );

    // ---------------------------------------------------------------- interrupt
    wire event_error;
    wire event_busy;

    fdw_ring_event #(
        .ADDR_WIDTH(ADDR_WIDTH)
    ) driver_event (
        .clk(clk),
        .rst(rst),
        .enable(alive && enable),
        .event_idx(event_idx),
        .ring_size(ring_size),
        .driver_event_addr(driver_event_addr),
        .passed(visible && shows),
        .passed_count(shown_count),
        .interrupt(interrupt),
        .error(event_error),
        .busy(event_busy),
        .m_axi_arvalid(m_axi_arvalid),
        .m_axi_arready(m_axi_arready),
        .m_axi_araddr(m_axi_araddr),
        .m_axi_arlen(m_axi_arlen),
        .m_axi_arsize(m_axi_arsize),
        .m_axi_arburst(m_axi_arburst),
        .m_axi_rvalid(m_axi_rvalid),
        .m_axi_rready(m_axi_rready),
        .m_axi_rdata(m_axi_rdata),
        .m_axi_rresp(m_axi_rresp)
    );

    assign busy = outstanding != 8'd0 || event_busy;

    always @(posedge clk) begin
        if (rst) error <= 1'b0;
        else error <= (alive && enable && b && m_axi_bresp[1]) || event_error;
    end

    // Alignment bits (zero by contract) and EXOKAY.
    wire unused_bits = ^{ring_addr[3:0], m_axi_bresp[0]};
endmodule
