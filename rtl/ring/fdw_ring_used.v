// Writes the used entries of one packed virtqueue (virtio 1.2 §2.8.2, §2.8.13) and decides on the interrupt.
//
// In: used_*, valid/ready, one per chain, in the order of the ring; whoever asks has waited for the
// chain's payload. used_count (1..ring_size) is the number of its descriptors: the used index skips so
// many slots. Each entry {addr 0, len, id, flags} is one aligned 16-byte write, so that flags are never
// visible before id and len; AVAIL and USED both equal the wrap counter, WRITE is used_write.
// After the B response of an entry the driver event suppression structure (§2.8.10) is read and, unless
// its flags say DISABLE, `interrupt` pulses. A read that begins after several responses serves them all.
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
    // Waiver: the name is the contract's; in Verilator's C++ it clashes with nothing that is used.
    // verilator lint_off SYMRSVDWORD
    output reg                  interrupt,
    // verilator lint_on SYMRSVDWORD
    output reg                  error,
    output                      busy,

    input                       used_valid,
    output                      used_ready,
    input      [15:0]           used_id,
    input      [31:0]           used_len,
    input                       used_write,
    input      [15:0]           used_count,

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

    output reg                  m_axi_arvalid,
    input                       m_axi_arready,
    output reg [ADDR_WIDTH-1:0] m_axi_araddr,
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
    reg        look;        // entries became visible that no event read has been begun for
    reg        reading;

    // ---------------------------------------------------------------- used entries
    wire take = used_valid && used_ready;
    wire b = m_axi_bvalid;
    wire [59:0] unit = ring_addr[63:4] + {44'd0, idx};
    wire [63:0] entry_addr = {unit, 4'd0};
    wire [16:0] idx_next = {1'b0, idx} + {1'b0, used_count};
    wire        turn = idx_next >= {1'b0, ring_size};
    wire [15:0] idx_turned = idx_next[15:0] - ring_size;
    wire [15:0] flags = (wrap ? `FDW_DESC_FLAG_AVAIL | `FDW_DESC_FLAG_USED : 16'd0)
        | (used_write ? `FDW_DESC_FLAG_WRITE : 16'd0);

    assign used_ready = alive && enable && outstanding != LIMIT[7:0] && (!m_axi_awvalid || m_axi_awready)
        && (!m_axi_wvalid || m_axi_wready);
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
            m_axi_awvalid <= 1'b0;
            m_axi_awaddr <= {ADDR_WIDTH{1'b0}};
            m_axi_wvalid <= 1'b0;
            m_axi_wdata <= 128'd0;
        end else begin
            alive <= enable && (alive || !busy);
            outstanding <= outstanding + {7'd0, take} - {7'd0, b};
            if (!enable) begin
                idx <= 16'd0;
                wrap <= 1'b1;
            end else if (take) begin
                idx <= turn ? idx_turned : idx_next[15:0];
                wrap <= wrap ^ turn;
            end
            if (take) begin
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

    // ---------------------------------------------------------------- driver event suppression
    reg  [1:0]  lane; // of 32 bits
    wire        ask = enable && look && !reading;
    wire [63:0] event_addr = {driver_event_addr[63:2], 2'd0};
    wire [31:0] event_word = m_axi_rdata[{lane, 5'd0} +: 32];
    wire [15:0] event_field = event_word[`FDW_EVENT_FLAGS_RANGE];
    wire [1:0]  event_flags = event_field[1:0];
    // Alignment bits (zero by contract), EXOKAY, the reserved flags, and off_wrap, which only DESC uses.
    wire unused_bits = ^{ring_addr[3:0], driver_event_addr[1:0], m_axi_rresp[0], m_axi_bresp[0], event_word,
        event_field};

    assign m_axi_arlen = 8'd0;
    assign m_axi_arsize = 3'd2;
    assign m_axi_arburst = 2'b01;
    assign m_axi_rready = 1'b1;
    assign busy = outstanding != 8'd0 || look || reading || interrupt;

    always @(posedge clk) begin
        if (rst) begin
            look <= 1'b0;
            reading <= 1'b0;
            lane <= 2'd0;
            interrupt <= 1'b0;
            error <= 1'b0;
            m_axi_arvalid <= 1'b0;
            m_axi_araddr <= {ADDR_WIDTH{1'b0}};
        end else begin
            look <= alive && enable && ((b && !m_axi_bresp[1]) || (look && !ask));
            if (ask) begin
                reading <= 1'b1;
                lane <= event_addr[3:2];
                m_axi_arvalid <= 1'b1;
                m_axi_araddr <= event_addr[ADDR_WIDTH-1:0];
            end else begin
                if (m_axi_rvalid) reading <= 1'b0;
                if (m_axi_arready) m_axi_arvalid <= 1'b0;
            end
            // DESC needs EVENT_IDX, which is not offered, and counts as ENABLE.
            interrupt <= alive && enable && m_axi_rvalid && !m_axi_rresp[1]
                && event_flags != `FDW_EVENT_FLAG_DISABLE;
            error <= alive && enable && ((b && m_axi_bresp[1]) || (m_axi_rvalid && m_axi_rresp[1]));
        end
    end
endmodule
