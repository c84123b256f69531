// A NIC of another make: virtio-net over virtio-mmio with packed rings, and nothing that is optional but MAC.
//
// One frame at a time, one word of memory at a time, whole frames only. It knows nothing of this project: its
// ports have names of their own (fdw_nic.v beside it joins them to the bench), its parts are not fdwire's.
// virtio 1.2: registers §4.2.2, rings §2.8, network device §5.1; XGMII as IEEE 802.3 §46, FCS as §3.2.9.
`default_nettype none

module plain_nic #(
    parameter [47:0] STATION = 48'h02_00_00_00_00_01,
    parameter DEPTH = 256
) (
    input wire clock, input wire reset, output wire interrupt,
    // registers, AXI4-Lite
    input wire [12:0] cfg_awaddr, input wire cfg_awvalid, output wire cfg_awready,
    input wire [31:0] cfg_wdata, input wire [3:0] cfg_wstrb, input wire cfg_wvalid, output wire cfg_wready,
    output reg cfg_bvalid, input wire cfg_bready,
    input wire [12:0] cfg_araddr, input wire cfg_arvalid, output wire cfg_arready,
    output reg [31:0] cfg_rdata, output reg cfg_rvalid, input wire cfg_rready,
    // memory, AXI4: single beats of 16 bytes
    output reg [3:0] host_arid, output reg [63:0] host_araddr, output reg host_arvalid, input wire host_arready,
    input wire [127:0] host_rdata, input wire host_rvalid,
    output reg [3:0] host_awid, output reg [63:0] host_awaddr, output reg host_awvalid, input wire host_awready,
    output reg [127:0] host_wdata, output reg [15:0] host_wstrb, output reg host_wvalid, input wire host_wready,
    input wire host_bvalid,
    // XGMII
    output reg [63:0] phy_txd, output reg [7:0] phy_txc, input wire [63:0] phy_rxd, input wire [7:0] phy_rxc
);

    localparam [63:0] IDLES = 64'h0707070707070707;
    localparam RX = 1'b0, TX = 1'b1;

    function [31:0] crc_of(input [31:0] crc, input [7:0] octet);
        integer bit_number;
        begin
            crc_of = crc ^ {24'd0, octet};
            for (bit_number = 0; bit_number < 8; bit_number = bit_number + 1)
                crc_of = (crc_of >> 1) ^ (crc_of[0] ? 32'hedb88320 : 32'd0);
        end
    endfunction

    // ---- registers

    reg [7:0] status;
    reg resetting, features_word;
    reg [1:0] driver_word;
    reg [63:0] accepted;
    reg [31:0] selected;
    reg [15:0] depth [0:1];
    reg [63:0] descriptors [0:1], driver_area [0:1];
    reg [1:0] ready, kicked;
    reg pending;
    assign interrupt = pending;

    wire live = status[2] && !resetting;
    wire queue = selected[0];
    wire known = selected < 2;
    wire write = cfg_awvalid && cfg_wvalid && !cfg_bvalid;
    assign cfg_awready = write;
    assign cfg_wready = write;
    assign cfg_arready = !cfg_rvalid;
    localparam [63:0] OFFERED = 64'h5_0000_0020; // VERSION_1, RING_PACKED, MAC

    reg [31:0] shown;
    always @* begin
        case (cfg_araddr)
            13'h000: shown = 32'h74726976;
            13'h004: shown = 2;
            13'h008: shown = 1;
            13'h010: shown = features_word ? OFFERED[63:32] : OFFERED[31:0];
            13'h034: shown = known ? DEPTH : 0;
            13'h044: shown = {31'd0, known && ready[queue]};
            13'h060: shown = {31'd0, pending};
            13'h070: shown = {24'd0, status};
            13'h100: shown = {STATION[23:16], STATION[31:24], STATION[39:32], STATION[47:40]};
            13'h104: shown = {16'd0, STATION[7:0], STATION[15:8]};
            default: shown = 0;
        endcase
    end

    // ---- the wire's receiving side: eight frames wait here

    reg [7:0] in_bytes [0:16383];
    reg [7:0] in_full;
    reg [10:0] in_length [0:7];
    reg [2:0] in_slot, out_slot;
    reg in_frame, in_good;
    reg [11:0] in_count;
    reg [31:0] in_crc;
    reg in_release; // by the machine below
    integer lane;
    reg [7:0] octet;
    always @(posedge clock) begin
        if (in_release) in_full[out_slot - 3'd1] = 1'b0;
        for (lane = 0; lane < 8; lane = lane + 1) begin
            octet = phy_rxd[8*lane +: 8];
            if (phy_rxc[lane] && octet == 8'hfb) begin
                in_frame = 1'b1;
                in_good = !in_full[in_slot];
                in_count = 0;
                in_crc = 32'hffffffff;
            end else if (in_frame && phy_rxc[lane]) begin
                in_frame = 1'b0;
                // Seven bytes of preamble, at least 64 of frame.
                if (in_good && octet == 8'hfd && in_crc == 32'hdebb20e3 && in_count >= 71) begin
                    in_full[in_slot] = 1'b1;
                    in_length[in_slot] = in_count[10:0] - 11'd11;
                    in_slot = in_slot + 1;
                end
            end else if (in_frame) begin
                if (in_count >= 7) begin
                    in_crc = crc_of(in_crc, octet);
                    in_bytes[{in_slot, in_count[10:0] - 11'd7}] = octet;
                    if (in_count == 12'd2047) in_good = 1'b0;
                end
                if (in_count != 12'd2047) in_count = in_count + 1;
            end
        end
        if (reset) begin
            in_full = 0;
            in_slot = 0;
            in_frame = 0;
        end
    end

    // ---- one machine for both rings

    localparam REST = 0, DESCRIPTOR = 1, DESCRIBED = 2, READ = 3, SEND = 4, WRITE = 5, WRITTEN = 6, USED = 7,
        RETURNED = 8, EVENT = 9, ASKED = 10, NEXT = 11;
    reg [3:0] state;
    reg ring;               // RX or TX
    reg [15:0] slot [0:1];
    reg [1:0] lap;
    reg [15:0] first, ident;
    reg first_lap, more, reached;
    reg [63:0] at;
    reg [31:0] left, total;
    reg [7:0] out_bytes [0:4095];
    reg [31:0] sent, out_crc, stored;
    integer i, place;
    wire [3:0] offset = at[3:0];
    wire [31:0] here = left < 16 - {28'd0, offset} ? left : 16 - {28'd0, offset};
    wire [15:0] flags = host_rdata[127:112];
    wire [31:0] length = total - 12 < 60 ? 60 : total - 12; // padded
    wire [31:0] incoming = {21'd0, in_length[out_slot]} + 12;

    task ask(input [63:0] address, input [3:0] id);
        begin
            host_araddr <= {address[63:4], 4'd0};
            host_arid <= id;
            host_arvalid <= 1'b1;
        end
    endtask

    task put(input [63:0] address, input [3:0] id, input [127:0] data, input [15:0] strobes);
        begin
            host_awaddr <= {address[63:4], 4'd0};
            host_awid <= id;
            host_wdata <= data;
            host_wstrb <= strobes;
            host_awvalid <= 1'b1;
            host_wvalid <= 1'b1;
        end
    endtask

    reg [7:0] octet_out;
    reg [127:0] word;
    reg [15:0] lanes;
    always @(posedge clock) begin
        phy_txd <= IDLES;
        phy_txc <= 8'hff;
        in_release <= 1'b0;
        if (host_arready) host_arvalid <= 1'b0;
        if (host_awready) host_awvalid <= 1'b0;
        if (host_wready) host_wvalid <= 1'b0;
        case (state)
            // Waits for a frame from the wire and a place for it, or for a doorbell.
            REST: begin
                total <= 0;
                stored <= 0;
                more <= 1'b0;
                if (live && ready[RX] && in_full[out_slot] && !in_release && kicked[RX]) begin
                    ring <= RX;
                    state <= DESCRIPTOR;
                end else if (live && ready[TX] && kicked[TX]) begin
                    ring <= TX;
                    state <= DESCRIPTOR;
                end
                if (resetting) begin
                    resetting <= 1'b0;
                    status <= 0;
                    ready <= 0;
                    pending <= 0;
                    accepted <= 0;
                    slot[RX] <= 0;
                    slot[TX] <= 0;
                    lap <= 2'b11;
                end
            end
            DESCRIPTOR: begin
                ask(descriptors[ring] + {44'd0, slot[ring], 4'd0}, ring == TX ? 4'd2 : 4'd1);
                kicked[ring] <= 1'b0;
                state <= DESCRIBED;
            end
            // Available: AVAIL is this lap's, USED is not (§2.8.1). An empty ring is looked at again after a doorbell.
            DESCRIBED: if (host_rvalid) begin
                if (flags[7] != lap[ring] || flags[15] == lap[ring]) state <= REST;
                else begin
                    if (!more) begin
                        first <= slot[ring];
                        first_lap <= lap[ring];
                    end
                    at <= host_rdata[63:0];
                    left <= host_rdata[95:64];
                    ident <= host_rdata[111:96];
                    more <= flags[0];
                    slot[ring] <= slot[ring] + 1 == depth[ring] ? 0 : slot[ring] + 1;
                    if (slot[ring] + 1 == depth[ring]) lap[ring] <= !lap[ring];
                    reached <= 1'b0;
                    state <= ring == TX ? READ : WRITE;
                end
            end
            READ: begin
                if (!reached) ask(at, 4'd0);
                reached <= 1'b1;
                if (host_rvalid) begin
                    for (i = 0; i < 16; i = i + 1)
                        if (i >= offset && i < offset + here) out_bytes[total + i - offset] <= host_rdata[8*i +: 8];
                    at <= at + {32'd0, here};
                    left <= left - here;
                    total <= total + here;
                    reached <= 1'b0;
                    if (left == here) state <= more ? DESCRIPTOR : SEND;
                    sent <= 0;
                    out_crc <= 32'hffffffff;
                end
            end
            // Eight bytes a clock: /S/ and preamble, frame, FCS, /T/, and a gap of idles.
            SEND: begin
                for (i = 0; i < 8; i = i + 1) begin
                    place = sent + i;
                    phy_txc[i] <= place == 0 || place >= length + 12;
                    if (place == 0) octet_out = 8'hfb;
                    else if (place < 7) octet_out = 8'h55;
                    else if (place == 7) octet_out = 8'hd5;
                    else if (place < length + 8) begin
                        octet_out = place + 4 < total ? out_bytes[place + 4] : 8'd0;
                        out_crc = crc_of(out_crc, octet_out);
                    end else if (place < length + 12) octet_out = ~out_crc[8*(place - length - 8) +: 8];
                    else octet_out = place == length + 12 ? 8'hfd : 8'h07;
                    phy_txd[8*i +: 8] <= octet_out;
                end
                sent <= sent + 8;
                if (sent > length + 24) state <= USED;
            end
            // A header of zeros but num_buffers, which is 1 (§5.1.6.4.1), and the frame.
            WRITE: begin
                word = 0;
                lanes = 0;
                for (i = 0; i < 16; i = i + 1)
                    if (i >= offset && i < offset + here && stored + i - offset < incoming) begin
                        place = stored + i - offset;
                        lanes[i] = 1'b1;
                        word[8*i +: 8] = place >= 12 ? in_bytes[{out_slot, place[10:0] - 11'd12}] : {7'd0, place == 10};
                    end
                put(at, 4'd0, word, lanes);
                state <= WRITTEN;
            end
            WRITTEN: if (host_bvalid) begin
                at <= at + {32'd0, here};
                left <= left - here;
                stored <= stored + here;
                if (stored + here >= incoming) state <= more ? NEXT : USED;
                else if (left != here) state <= WRITE;
                else state <= more ? DESCRIPTOR : USED;
            end
            // What is left of a chain is passed over.
            NEXT: begin
                left <= 0;
                state <= DESCRIPTOR;
            end
            USED: begin
                put(descriptors[ring] + {44'd0, first, 4'd0}, ring == TX ? 4'd4 : 4'd3,
                    {first_lap, 7'd0, first_lap, 5'd0, ring == RX, 1'b0, ident,
                     ring == RX ? (stored < incoming ? stored : incoming) : 32'd0, 64'd0}, 16'hffff);
                state <= RETURNED;
            end
            RETURNED: if (host_bvalid) begin
                if (ring == RX) begin
                    in_release <= 1'b1;
                    out_slot <= out_slot + 1;
                end
                kicked[ring] <= 1'b1; // there may be more
                state <= EVENT;
            end
            EVENT: begin
                ask(driver_area[ring], ring == TX ? 4'd2 : 4'd1);
                state <= ASKED;
            end
            // Driver event suppression (§2.8.10): off_wrap, then flags, of which DISABLE is 1.
            ASKED: if (host_rvalid) begin
                if (host_rdata[8*driver_area[ring][3:0] + 16 +: 2] != 2'd1) pending <= 1'b1;
                state <= REST;
            end
            default: state <= REST;
        endcase

        // Registers: later than the machine, so that what the driver writes counts.
        if (cfg_bready) cfg_bvalid <= 1'b0;
        if (write) begin
            cfg_bvalid <= 1'b1;
            case (cfg_awaddr)
                13'h014: features_word <= cfg_wdata[0];
                13'h020: if (driver_word == 0) accepted[31:0] <= cfg_wdata; else if (driver_word == 1) accepted[63:32] <= cfg_wdata;
                13'h024: driver_word <= cfg_wdata > 1 ? 2'd2 : cfg_wdata[1:0];
                13'h030: selected <= cfg_wdata;
                13'h038: if (known) depth[queue] <= cfg_wdata[15:0];
                13'h044: if (known) begin
                    ready[queue] <= cfg_wdata[0];
                    kicked[queue] <= 1'b1;
                end
                13'h050: if (cfg_wdata < 2) kicked[cfg_wdata[0]] <= 1'b1;
                13'h064: if (cfg_wdata[0]) pending <= 1'b0;
                13'h070: if (cfg_wdata[7:0] == 0) resetting <= 1'b1;
                    else status <= cfg_wdata[7:0] & ((accepted & ~OFFERED) == 0 && accepted[34] && accepted[32] ? 8'hff : 8'hf7);
                13'h080: if (known) descriptors[queue][31:0] <= cfg_wdata;
                13'h084: if (known) descriptors[queue][63:32] <= cfg_wdata;
                13'h090: if (known) driver_area[queue][31:0] <= cfg_wdata;
                13'h094: if (known) driver_area[queue][63:32] <= cfg_wdata;
                default: ;
            endcase
        end
        if (cfg_rready) cfg_rvalid <= 1'b0;
        if (cfg_arvalid && cfg_arready) begin
            cfg_rvalid <= 1'b1;
            cfg_rdata <= shown;
        end

        if (reset) begin
            state <= REST;
            resetting <= 1'b1;
            {cfg_bvalid, cfg_rvalid, host_arvalid, host_awvalid, host_wvalid} <= 5'd0;
            out_slot <= 0;
            kicked <= 0;
        end
    end

endmodule
`default_nettype wire
