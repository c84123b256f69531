// Register window: virtio-mmio version 2 (virtio 1.2 §4.2.2), virtio-net configuration (§5.1.4), statistics.
//
// In:  an AXI-Lite slave. AW and W may come in either order and at any distance; WSTRB is honoured; every
//      access is answered OKAY. A register whose write is an action (QUEUE_NOTIFY, QUEUE_READY, STATUS) acts
//      if byte lane 0 is strobed; lanes that are not strobed count as 0 there.
// Out: control of the rings. `queue_enable[q]` is high while the ring of queue q may be used: ready,
//      DRIVER_OK, no DEVICE_NEEDS_RESET, no reset. It falls in the cycle after the cause. It rises only
//      when `queue_idle[q]` says that nothing of the ring's former life is in flight, and at the earliest
//      SETTLE cycles after it fell, so that `queue_idle` may lag behind `queue_enable` by so many cycles.
//      `queue_size`, `desc_addr`, `driver_addr` and `device_addr` (queue q in slice q) do not change
//      while it is high. `kick[q]` is a pulse, only while `queue_enable[q]` is high.
//
// Device reset: writing 0 to STATUS raises `device_reset`; everything is dropped. It falls, and STATUS
// reads 0, when `device_idle` is high, at the earliest after SETTLE cycles.
//
// `feat_*` are the negotiated features and `max_frame` the longest frame without FCS, by the MTU register (MTU
// and 18 bytes for Ethernet header and VLAN tag): none of them changes while a queue is enabled.
//
// Events (one-cycle pulses): `used_interrupt` (a used buffer deserves an interrupt), `fatal` (an error that
// only a reset mends), `stat_*` (see fdw_stats). `link_up` is a level. `irq` is a level.

`include "fdwire_regs.vh"

module fdw_regs #(
    parameter [47:0] MAC_ADDRESS = 48'h02_00_00_00_00_01, // first byte on the wire is bits 47:40
    parameter MTU = 1500,     // what the MTU register holds after rst
    parameter MTU_MAX = 9000, // and the greatest that it takes
    parameter QUEUE_NUM_MAX = 256,
    parameter QUEUES = 2, // receiveq1, transmitq1, receiveq2, ...
    parameter [63:0] FEATURES = `FDW_FEATURES_OFFERED, // offered
    parameter STATISTICS = 1 // 0: every counter reads 0
) (
    input  wire                  clk,
    input  wire                  rst,

    input  wire [12:0]           s_axil_awaddr,
    input  wire [2:0]            s_axil_awprot,
    input  wire                  s_axil_awvalid,
    output wire                  s_axil_awready,
    input  wire [31:0]           s_axil_wdata,
    input  wire [3:0]            s_axil_wstrb,
    input  wire                  s_axil_wvalid,
    output wire                  s_axil_wready,
    output wire [1:0]            s_axil_bresp,
    output reg                   s_axil_bvalid,
    input  wire                  s_axil_bready,
    input  wire [12:0]           s_axil_araddr,
    input  wire [2:0]            s_axil_arprot,
    input  wire                  s_axil_arvalid,
    output wire                  s_axil_arready,
    output reg  [31:0]           s_axil_rdata,
    output wire [1:0]            s_axil_rresp,
    output reg                   s_axil_rvalid,
    input  wire                  s_axil_rready,

    output wire                  device_reset,
    input  wire                  device_idle,

    output wire [QUEUES-1:0]     queue_enable,
    input  wire [QUEUES-1:0]     queue_idle,
    output wire [QUEUES*16-1:0]  queue_size,
    output wire [QUEUES*64-1:0]  desc_addr,
    output wire [QUEUES*64-1:0]  driver_addr,
    output wire [QUEUES*64-1:0]  device_addr,
    output wire [QUEUES-1:0]     kick,

    output wire                  feat_csum,
    output wire                  feat_guest_csum,
    output wire                  feat_tso4,
    output wire                  feat_tso6,
    output wire                  feat_mrg_rxbuf,
    output wire                  feat_indirect,
    output wire                  feat_event_idx,
    output wire [15:0]           max_frame,

    input  wire [QUEUES-1:0]     used_interrupt,
    input  wire                  fatal,
    input  wire                  link_up,
    output wire                  irq,

    input  wire                  stat_rx_valid,
    input  wire [3:0]            stat_rx_status,
    input  wire [15:0]           stat_rx_bytes,
    input  wire                  stat_rx_multicast,
    input  wire                  stat_rx_broadcast,
    input  wire                  stat_rx_fcs_wrong,
    input  wire                  stat_rx_truncated,
    input  wire                  stat_tx_valid,
    input  wire [15:0]           stat_tx_bytes,
    input  wire                  stat_tx_multicast,
    input  wire                  stat_tx_broadcast,
    input  wire                  stat_tx_oversize,
    input  wire                  stat_tx_bad_offload,
    input  wire                  stat_tx_tso,
    input  wire                  stat_tx_underflow
);
    localparam [2:0] SETTLE = 3'd7;

    // An illegal parameter instantiates a module that does not exist, named after the rule.
    generate
        if (QUEUE_NUM_MAX < 1 || QUEUE_NUM_MAX > 32768) begin : check_queue_num_max
            fdw_rule_QUEUE_NUM_MAX_must_be_1_to_32768 violated ();
        end
        if (QUEUES < 2 || QUEUES > 16 || QUEUES % 2 != 0) begin : check_queues
            fdw_rule_QUEUES_must_be_even_and_2_to_16 violated ();
        end
        if (MTU_MAX < 68 || MTU_MAX > 65500) begin : check_mtu_max
            fdw_rule_MTU_MAX_must_be_68_to_65500 violated ();
        end
        if (MTU < 68 || MTU > MTU_MAX) begin : check_mtu
            fdw_rule_MTU_must_be_68_to_MTU_MAX violated ();
        end
        if ((FEATURES & ~`FDW_FEATURES_OFFERED) != 64'd0) begin : check_features
            fdw_rule_FEATURES_must_be_of_those_there_are violated ();
        end
        if ((FEATURES & `FDW_FEATURES_REQUIRED) != `FDW_FEATURES_REQUIRED) begin : check_required
            fdw_rule_FEATURES_must_have_the_required_ones violated ();
        end
        if (!`FDW_FEATURES_NEEDS_MET(FEATURES)) begin : check_needs
            fdw_rule_FEATURES_must_have_what_others_need violated ();
        end
        if (MAC_ADDRESS[40] || MAC_ADDRESS == 48'd0) begin : check_mac_address
            fdw_rule_MAC_ADDRESS_must_be_a_unicast_address violated ();
        end
    endgenerate

    // ------------------------------------------------------------------ AXI-Lite

    reg         aw_held;
    reg  [12:2] aw_word;
    reg         w_held;
    reg  [31:0] w_data;
    reg  [3:0]  w_strb;
    reg         ar_held;
    reg  [12:2] ar_word;

    assign s_axil_awready = !aw_held;
    assign s_axil_wready = !w_held;
    assign s_axil_arready = !ar_held;
    assign s_axil_bresp = 2'b00;
    assign s_axil_rresp = 2'b00;

    // The one cycle in which a write, or a read, takes effect.
    wire write = aw_held && w_held && (!s_axil_bvalid || s_axil_bready);
    wire read = ar_held && (!s_axil_rvalid || s_axil_rready);

    wire [12:0] write_address = {aw_word, 2'b00};
    wire [12:0] read_address = {ar_word, 2'b00};
    wire [31:0] write_mask = {{8{w_strb[3]}}, {8{w_strb[2]}}, {8{w_strb[1]}}, {8{w_strb[0]}}};
    wire [31:0] write_value = w_data & write_mask;
    wire        act = write && w_strb[0];
    reg  [31:0] read_value;

    always @(posedge clk) begin
        if (s_axil_awvalid && s_axil_awready) begin
            aw_held <= 1'b1;
            aw_word <= s_axil_awaddr[12:2];
        end
        if (s_axil_wvalid && s_axil_wready) begin
            w_held <= 1'b1;
            w_data <= s_axil_wdata;
            w_strb <= s_axil_wstrb;
        end
        if (s_axil_bready)
            s_axil_bvalid <= 1'b0;
        if (write) begin
            aw_held <= 1'b0;
            w_held <= 1'b0;
            s_axil_bvalid <= 1'b1;
        end
        if (s_axil_arvalid && s_axil_arready) begin
            ar_held <= 1'b1;
            ar_word <= s_axil_araddr[12:2];
        end
        if (s_axil_rready)
            s_axil_rvalid <= 1'b0;
        if (read) begin
            ar_held <= 1'b0;
            s_axil_rvalid <= 1'b1;
            s_axil_rdata <= read_value;
        end
        if (rst) begin
            aw_held <= 1'b0;
            w_held <= 1'b0;
            ar_held <= 1'b0;
            s_axil_bvalid <= 1'b0;
            s_axil_rvalid <= 1'b0;
            s_axil_rdata <= 32'd0;
        end
    end

    function [31:0] merged(input [31:0] old, input [31:0] value, input [31:0] mask);
        merged = (old & ~mask) | value;
    endfunction

    // ------------------------------------------------------------------ device status and reset

    reg       acknowledge;
    reg       driver;
    reg       driver_ok;
    reg       features_ok;
    reg       needs_reset;
    reg       failed;
    reg       resetting;
    reg [2:0] reset_settle;
    wire      features_legal;

    wire status_write = act && write_address == `FDW_REG_STATUS;
    wire start_reset = status_write && !resetting && write_value == 32'd0;
    wire status_set = status_write && !resetting;
    wire features_ok_next = features_ok || (write_value[`FDW_STATUS_FEATURES_OK_BIT] && features_legal);
    wire reset_done = resetting && reset_settle == 3'd0 && device_idle;
    wire new_fatal = fatal && !needs_reset && !resetting;
    wire running = driver_ok && !needs_reset && !resetting;

    assign device_reset = resetting;

    wire [31:0] status_value;
    assign status_value[`FDW_STATUS_ACKNOWLEDGE_BIT] = acknowledge;
    assign status_value[`FDW_STATUS_DRIVER_BIT] = driver;
    assign status_value[`FDW_STATUS_DRIVER_OK_BIT] = driver_ok;
    assign status_value[`FDW_STATUS_FEATURES_OK_BIT] = features_ok;
    assign status_value[5:4] = 2'b00;
    assign status_value[`FDW_STATUS_DEVICE_NEEDS_RESET_BIT] = needs_reset;
    assign status_value[`FDW_STATUS_FAILED_BIT] = failed;
    assign status_value[31:8] = 24'd0;

    always @(posedge clk) begin
        if (status_set) begin
            // virtio 1.2 §2.1.1: a driver never clears a bit, save all of them by reset.
            acknowledge <= acknowledge || write_value[`FDW_STATUS_ACKNOWLEDGE_BIT];
            driver <= driver || write_value[`FDW_STATUS_DRIVER_BIT];
            features_ok <= features_ok_next;
            driver_ok <= driver_ok || (write_value[`FDW_STATUS_DRIVER_OK_BIT] && features_ok_next);
            failed <= failed || write_value[`FDW_STATUS_FAILED_BIT];
        end
        if (new_fatal)
            needs_reset <= 1'b1;
        if (start_reset) begin
            resetting <= 1'b1;
            reset_settle <= SETTLE;
        end else if (reset_settle != 3'd0)
            reset_settle <= reset_settle - 3'd1;
        if (rst || reset_done) begin
            acknowledge <= 1'b0;
            driver <= 1'b0;
            driver_ok <= 1'b0;
            features_ok <= 1'b0;
            needs_reset <= 1'b0;
            failed <= 1'b0;
            resetting <= 1'b0;
        end
        if (rst)
            reset_settle <= 3'd0;
    end

    // ------------------------------------------------------------------ features

    reg  [31:0] device_features_sel;
    reg  [31:0] driver_features_sel;
    reg  [63:0] driver_features;
    reg         accepted_beyond; // something in windows 2 and up, where nothing is offered
    wire        features_open = !features_ok || resetting;

    assign features_legal = (driver_features & ~FEATURES) == 64'd0
        && (driver_features & `FDW_FEATURES_REQUIRED) == `FDW_FEATURES_REQUIRED
        && `FDW_FEATURES_NEEDS_MET(driver_features)
        && !accepted_beyond;

    // FEATURES_OK says that nothing else was accepted; FEATURES tells it to the synthesizer.
    assign feat_csum = features_ok && FEATURES[`FDW_FEATURE_CSUM] && driver_features[`FDW_FEATURE_CSUM];
    assign feat_guest_csum = features_ok && FEATURES[`FDW_FEATURE_GUEST_CSUM] && driver_features[`FDW_FEATURE_GUEST_CSUM];
    assign feat_tso4 = features_ok && FEATURES[`FDW_FEATURE_HOST_TSO4] && driver_features[`FDW_FEATURE_HOST_TSO4];
    assign feat_tso6 = features_ok && FEATURES[`FDW_FEATURE_HOST_TSO6] && driver_features[`FDW_FEATURE_HOST_TSO6];
    assign feat_mrg_rxbuf = features_ok && FEATURES[`FDW_FEATURE_MRG_RXBUF] && driver_features[`FDW_FEATURE_MRG_RXBUF];
    assign feat_indirect = features_ok && FEATURES[`FDW_FEATURE_INDIRECT_DESC] && driver_features[`FDW_FEATURE_INDIRECT_DESC];
    assign feat_event_idx = features_ok && FEATURES[`FDW_FEATURE_EVENT_IDX] && driver_features[`FDW_FEATURE_EVENT_IDX];

    always @(posedge clk) begin
        if (write && write_address == `FDW_REG_DEVICE_FEATURES_SEL)
            device_features_sel <= merged(device_features_sel, write_value, write_mask);
        if (write && write_address == `FDW_REG_DRIVER_FEATURES_SEL)
            driver_features_sel <= merged(driver_features_sel, write_value, write_mask);
        if (write && write_address == `FDW_REG_DRIVER_FEATURES && features_open) begin
            case (driver_features_sel)
                32'd0: driver_features[31:0] <= merged(driver_features[31:0], write_value, write_mask);
                32'd1: driver_features[63:32] <= merged(driver_features[63:32], write_value, write_mask);
                default: accepted_beyond <= accepted_beyond || write_value != 32'd0;
            endcase
        end
        if (rst || start_reset) begin
            device_features_sel <= 32'd0;
            driver_features_sel <= 32'd0;
            driver_features <= 64'd0;
            accepted_beyond <= 1'b0;
        end
    end

    // ------------------------------------------------------------------ queues

    reg  [31:0]        queue_sel;
    wire [QUEUES-1:0]  queue_ready;
    wire [QUEUES-1:0]  queue_resetting;
    wire               notify = act && write_address == `FDW_REG_QUEUE_NOTIFY;
    wire [QUEUES-1:0]  notified;
    wire [QUEUES-1:0]  queue_selected;

    always @(posedge clk) begin
        if (write && write_address == `FDW_REG_QUEUE_SEL)
            queue_sel <= merged(queue_sel, write_value, write_mask);
        if (rst || start_reset)
            queue_sel <= 32'd0;
    end

    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : queue
            assign queue_selected[q] = queue_sel == q;
            fdw_regs_queue #(
                .QUEUE_NUM_MAX(QUEUE_NUM_MAX),
                .SETTLE(SETTLE)
            ) registers (
                .clk(clk),
                .rst(rst),
                .clear(start_reset),
                .running(running),
                .may_reset(features_ok && driver_features[`FDW_FEATURE_RING_RESET]),
                .selected(queue_selected[q]),
                .write(write),
                .act(act),
                .address(write_address),
                .value(write_value),
                .mask(write_mask),
                .notify(notify && write_value == q),
                .idle(queue_idle[q]),
                .enable(queue_enable[q]),
                .ready(queue_ready[q]),
                .resetting(queue_resetting[q]),
                .num(queue_size[q*16 +: 16]),
                .desc(desc_addr[q*64 +: 64]),
                .driver_area(driver_addr[q*64 +: 64]),
                .device_area(device_addr[q*64 +: 64]),
                .kick(kick[q]),
                .notified(notified[q])
            );
        end
    endgenerate

    // ------------------------------------------------------------------ configuration and interrupt

    reg        link;
    reg [31:0] generation;
    reg [1:0]  interrupt_status;
    reg [15:0] mtu;

    localparam [31:0] MTU_VALUE = MTU;
    wire        status_zero = status_value[7:0] == 8'd0 && !resetting;
    wire [31:0] mtu_written = merged({16'd0, mtu}, write_value, write_mask);
    wire        mtu_write = write && write_address == `FDW_SIDE_MTU && status_zero
        && mtu_written >= 32'd68 && mtu_written <= MTU_MAX;

    assign max_frame = mtu + 16'd18;

    wire link_changed = link_up != link;
    wire link_matters = driver_ok && driver_features[`FDW_FEATURE_STATUS] && !resetting;
    wire [1:0] interrupt_ack = (write && write_address == `FDW_REG_INTERRUPT_ACK) ? write_value[1:0] : 2'b00;
    wire [1:0] interrupt_set;
    assign interrupt_set[`FDW_INTERRUPT_USED_BUFFER_BIT] = |used_interrupt && driver_ok && !resetting;
    assign interrupt_set[`FDW_INTERRUPT_CONFIG_CHANGE_BIT] =
        (link_changed && link_matters) || (new_fatal && driver_ok);
    assign irq = |interrupt_status;

    always @(posedge clk) begin
        link <= link_up;
        if (link_changed)
            generation <= generation + 32'd1;
        interrupt_status <= (interrupt_status & ~interrupt_ack) | interrupt_set;
        if (rst || start_reset)
            interrupt_status <= 2'b00;
        if (mtu_write)
            mtu <= mtu_written[15:0];
        if (rst) begin
            generation <= 32'd0;
            mtu <= MTU_VALUE[15:0];
        end
    end

    // ------------------------------------------------------------------ statistics

    // Receive queues are the even ones (virtio 1.2 §5.1.2).
    localparam [31:0] EVEN = 32'h5555_5555;
    wire [QUEUES-1:0] receive_queues = EVEN[QUEUES-1:0];
    wire [31:0] stat_value;

    generate
        if (STATISTICS != 0) begin : with_statistics
            fdw_stats stats (
                .clk(clk),
                .rst(rst),
                .rx_valid(stat_rx_valid),
                .rx_status(stat_rx_status),
                .rx_bytes(stat_rx_bytes),
                .rx_multicast(stat_rx_multicast),
                .rx_broadcast(stat_rx_broadcast),
                .rx_fcs_wrong(stat_rx_fcs_wrong),
                .rx_truncated(stat_rx_truncated),
                .rx_kick(|(notified & receive_queues)),
                .tx_valid(stat_tx_valid),
                .tx_bytes(stat_tx_bytes),
                .tx_multicast(stat_tx_multicast),
                .tx_broadcast(stat_tx_broadcast),
                .tx_oversize(stat_tx_oversize),
                .tx_bad_offload(stat_tx_bad_offload),
                .tx_tso(stat_tx_tso),
                .tx_underflow(stat_tx_underflow),
                .tx_kick(|(notified & ~receive_queues)),
                .read(read),
                .address(read_address),
                .data(stat_value)
            );
        end else begin : no_statistics
            assign stat_value = 32'd0;
            wire unused_statistics = &{
                1'b0, stat_rx_valid, stat_rx_status, stat_rx_bytes, stat_rx_multicast, stat_rx_broadcast,
                stat_rx_fcs_wrong, stat_rx_truncated, stat_tx_valid, stat_tx_bytes, stat_tx_multicast,
                stat_tx_broadcast, stat_tx_oversize, stat_tx_bad_offload, stat_tx_tso, stat_tx_underflow,
                notified, receive_queues
            };
        end
    endgenerate

    // ------------------------------------------------------------------ reads

    localparam [31:0] NUM_MAX = QUEUE_NUM_MAX;
    localparam [31:0] PAIRS = QUEUES / 2;

    wire [31:0] features_value = device_features_sel == 32'd0 ? FEATURES[31:0]
        : device_features_sel == 32'd1 ? FEATURES[63:32] : 32'd0;

    always @* begin
        case (read_address)
            `FDW_REG_MAGIC_VALUE: read_value = `FDW_REG_MAGIC_VALUE_RESET;
            `FDW_REG_VERSION: read_value = `FDW_REG_VERSION_RESET;
            `FDW_REG_DEVICE_ID: read_value = `FDW_REG_DEVICE_ID_RESET;
            `FDW_REG_VENDOR_ID: read_value = `FDW_REG_VENDOR_ID_RESET;
            `FDW_REG_DEVICE_FEATURES: read_value = features_value;
            `FDW_REG_QUEUE_NUM_MAX: read_value = |queue_selected ? NUM_MAX : 32'd0;
            `FDW_REG_QUEUE_READY: read_value = {31'd0, |(queue_selected & queue_ready)};
            `FDW_REG_QUEUE_RESET: read_value = {31'd0, |(queue_selected & queue_resetting)};
            `FDW_REG_INTERRUPT_STATUS: read_value = {30'd0, interrupt_status};
            `FDW_REG_STATUS: read_value = status_value;
            `FDW_REG_SHM_LEN_LOW: read_value = `FDW_REG_SHM_LEN_LOW_RESET;
            `FDW_REG_SHM_LEN_HIGH: read_value = `FDW_REG_SHM_LEN_HIGH_RESET;
            `FDW_REG_SHM_BASE_LOW: read_value = `FDW_REG_SHM_BASE_LOW_RESET;
            `FDW_REG_SHM_BASE_HIGH: read_value = `FDW_REG_SHM_BASE_HIGH_RESET;
            `FDW_REG_CONFIG_GENERATION: read_value = generation;
            `FDW_CONFIG_MAC: read_value = {MAC_ADDRESS[23:16], MAC_ADDRESS[31:24], MAC_ADDRESS[39:32], MAC_ADDRESS[47:40]};
            // Two bytes of MAC_ADDRESS, then STATUS.
            `FDW_CONFIG_MAC + 13'd4: read_value = {15'd0, link, MAC_ADDRESS[7:0], MAC_ADDRESS[15:8]};
            `FDW_CONFIG_MAX_VIRTQUEUE_PAIRS: read_value = {mtu, PAIRS[15:0]};
            `FDW_SIDE_ID: read_value = `FDW_SIDE_ID_RESET;
            `FDW_SIDE_MTU: read_value = {16'd0, mtu};
            `FDW_SIDE_VERSION: read_value = `FDW_SIDE_VERSION_RESET;
            default: read_value = stat_value;
        endcase
    end

    wire unused = &{1'b0, s_axil_awaddr[1:0], s_axil_araddr[1:0], s_axil_awprot, s_axil_arprot};
endmodule
