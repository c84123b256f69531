"""Planted RTL bugs, of the kinds that NICs have been shipped with, and the test that must notice each."""

from dataclasses import dataclass

from tb.planted import Plant

RTL_TESTS = "tests/rtl/"


@dataclass(frozen=True)
class Mutant:
    """`story`: what is wrong; `plant`: how; `test`: the pytest node, with a place for the simulator, and
    `case`: the cocotb test in it that must fail."""

    name: str
    story: str
    plant: Plant
    test: str
    case: str


def _mutant(name: str, story: str, file: str, find: str, replace: str, module: str, case: str) -> Mutant:
    return Mutant(name, story, Plant(file, find, replace), f"{RTL_TESTS}{module}", case)


FETCH = ("ring/fdw_ring_fetch.v", "test_ring_fetch.py::test_ring_fetch[{simulator}]")
TABLES = ("ring/fdw_ring_indirect.v", "test_ring_indirect.py::test_ring_indirect[transmit-{simulator}]")
TABLES_RX = ("ring/fdw_ring_indirect.v", "test_ring_indirect.py::test_ring_indirect[receive-{simulator}]")
USED = ("ring/fdw_ring_used.v", "test_ring_used.py::test_ring_used[{simulator}]")
EVENT = ("ring/fdw_ring_event.v", "test_ring_used.py::test_ring_used[{simulator}]")
REGS = ("regs/fdw_regs.v", "test_regs.py::test_regs[default-{simulator}]")
LIFE = ("regs/fdw_regs.v", "test_regs_queues.py::test_regs_queues[default-{simulator}]")
QUEUE = ("regs/fdw_regs_queue.v", "test_regs_queues.py::test_regs_queues[default-{simulator}]")
STATS = ("regs/fdw_stats.v", "test_regs_bus.py::test_regs_bus[{simulator}]")
DMA_READ = ("dma/fdw_dma_read.v", "test_dma_read.py::test_dma_read[{simulator}]")
DMA_WRITE = ("dma/fdw_dma_write.v", "test_dma_write.py::test_dma_write[{simulator}]")
READ_MUX = ("dma/fdw_axi_read_mux.v", "test_axi_read_mux.py::test_axi_read_mux[0-{simulator}]")
WRITE_MUX = ("dma/fdw_axi_write_mux.v", "test_axi_write_mux.py::test_axi_write_mux[{simulator}]")
ARBITER = ("lib/fdw_arbiter.v", "test_axi_read_mux.py::test_axi_read_mux[0-{simulator}]")
FIFO = ("lib/fdw_fifo.v", "test_mac_leaf.py::test_mac_leaf[{simulator}]")
CRC = ("mac/fdw_crc32.v", "test_mac_leaf.py::test_mac_leaf[{simulator}]")
MAC_TX = ("mac/fdw_mac_tx.v", "test_mac_tx.py::test_mac_tx[{simulator}]")
MAC_RX = ("mac/fdw_mac_rx.v", "test_mac_rx.py::test_mac_rx[{simulator}]")
ENGINE = ("tx/fdw_tx_engine.v", "test_tx_path.py::test_tx_path[{simulator}]")
ENGINE_NIC = ("tx/fdw_tx_engine.v", "test_nic_traffic.py::test_nic_traffic[{simulator}]")
CHECKSUM = ("tx/fdw_tx_checksum.v", "test_tx_path.py::test_tx_path[{simulator}]")
TX_FIFO = ("mac/fdw_tx_fifo.v", "test_tx_path.py::test_tx_path[{simulator}]")
TX_FIFO_EARLY = ("mac/fdw_tx_fifo.v", "test_tx_path.py::test_tx_path_cut_through_otherwise[1]")
TX_FIFO_DRY = ("mac/fdw_tx_fifo.v", "test_tx_cut_through.py::test_tx_cut_through[{simulator}]")
READ_MUX_FIRST = ("dma/fdw_axi_read_mux.v", "test_axi_read_mux.py::test_axi_read_mux[3-{simulator}]")
NIC_RESET = ("fdw_nic.v", "test_nic_resets.py::test_nic_resets[verilator]")
SEGMENT = ("tx/fdw_tx_segment.v", "test_tx_segment.py::test_tx_segment[{simulator}]")
PARSE = ("tx/fdw_tx_segment_parse.v", "test_tx_segment.py::test_tx_segment[{simulator}]")
RX_FRAME = ("rx/fdw_rx_frame.v", "test_rx_path.py::test_rx_path[{simulator}]")
RX_USED = ("rx/fdw_rx_used.v", "test_rx_path.py::test_rx_path[{simulator}]")
RX_USED_NIC = ("rx/fdw_rx_used.v", "test_nic_traffic.py::test_nic_traffic[{simulator}]")
RX_ENGINE = ("rx/fdw_rx_engine.v", "test_nic_faults.py::test_nic_faults[{simulator}]")
RX_SUM = ("rx/fdw_rx_checksum.v", "test_rx_checksum.py::test_rx_checksum[{simulator}]")
REPLAY = ("lib/fdw_replay_fifo.v", "test_replay_fifo.py::test_replay_fifo[16-{simulator}]")
MAC_RX_LONG = ("mac/fdw_mac_rx.v", "test_mac_rx.py::test_mac_rx[verilator]")


def _in(place: tuple[str, str], name: str, story: str, find: str, replace: str, case: str) -> Mutant:
    return _mutant(name, story, place[0], find, replace, place[1], case)


MUTANTS = (
    # ---- the ring, device's side of available descriptors
    _in(FETCH, "fetch-wrap", "the wrap counter never turns",
        "take_wrap <= take_wrap ^ ring_end;", "take_wrap <= take_wrap;",
        "chains_on_rings_of_any_size_come_in_order_across_wraps"),
    _in(FETCH, "fetch-4k", "a burst of descriptors may cross a 4 KiB boundary by one",
        "to_page = 9'd256 - {1'b0, ask_unit[7:0]};", "to_page = 9'd257 - {1'b0, ask_unit[7:0]};",
        "chains_on_rings_of_any_size_come_in_order_across_wraps"),
    _in(FETCH, "lost-wakeup", "a kick on the way to sleep is forgotten",
        "kicked <= enable && (kick || kicked) && !start;", "kicked <= enable && kick && !start;",
        "kick_at_every_cycle_of_the_way_to_sleep_wakes"),
    _in(FETCH, "no-recheck", "the ring is not looked at again after notifications were enabled",
        "if (recheck) begin", "if (recheck && kick) begin",
        "driver_that_kicks_only_when_asked_never_waits_for_ever"),
    _in(FETCH, "stale-prefetch", "what was read behind an unavailable descriptor is used",
        "enable && state == RUN;\n    wire take =",
        "enable && (state == RUN || state == STOP);\n    wire take =",
        "head_published_within_the_burst_that_missed_it_comes_once_and_fresh"),
    _in(FETCH, "avail-xor-used", "available means AVAIL unlike USED, whatever the wrap counter",
        "r_avail == take_wrap && r_used != take_wrap", "r_avail != r_used",
        "only_avail_equal_to_the_wrap_counter_and_used_unlike_it_is_available"),
    _in(FETCH, "length-0", "a descriptor of length 0 is taken",
        "wire bad = r_len == 32'd0 || (", "wire bad = (",
        "bad_descriptor_is_reported_once_settled_and_ends_the_stream"),
    _in(FETCH, "chain-limit", "a chain may be one longer than the ring",
        "+ 17'd1 >= {1'b0, ring_size});\n    wire looked", "+ 17'd1 > {1'b0, ring_size});\n    wire looked",
        "bad_descriptor_is_reported_once_settled_and_ends_the_stream"),
    _in(FETCH, "event-b-ignored", "an error response to a write of the event structure is ignored",
        "(read_failed || write_failed) && state", "read_failed && state",
        "bus_error_on_ring_or_event_area_is_reported_once"),
    _in(FETCH, "restart-index", "a stopped ring goes on at its old index",
        "if (!enable) begin\n                take_idx <= 16'd0;",
        "if (!enable) begin\n                take_idx <= take_idx;",
        "chains_on_rings_of_any_size_come_in_order_across_wraps"),
    _in(FETCH, "kick-event-wrap", "the device's event index carries the wrong wrap counter",
        "`FDW_EVENT_FLAG_DESC, take_wrap, take_idx[14:0]}",
        "`FDW_EVENT_FLAG_DESC, !take_wrap, take_idx[14:0]}",
        "driver_that_kicks_by_event_idx_never_waits_for_ever"),
    _in(TABLES, "table-end", "an indirect table ends one entry early",
        "entries_less_one = head_len[19:4] - 16'd1;", "entries_less_one = head_len[19:4] - 16'd2;",
        "tables_anywhere_among_direct_chains_come_in_order_as_chains_of_one_slot"),
    _in(TABLES, "table-skew", "a table that is not aligned is read one beat short",
        "{1'b0, s_len[19:4]} + {16'd0, skewed};", "{1'b0, s_len[19:4]};",
        "tables_anywhere_among_direct_chains_come_in_order_as_chains_of_one_slot"),
    _in(TABLES, "table-tx-write", "an entry marked WRITE is refused in transmission",
        "(DEVICE_WRITES != 0 && !flags[`FDW_DESC_FLAG_WRITE_BIT]);",
        "flags[`FDW_DESC_FLAG_WRITE_BIT] != (DEVICE_WRITES != 0);",
        "tables_anywhere_among_direct_chains_come_in_order_as_chains_of_one_slot"),
    _in(TABLES_RX, "table-rx-read", "an entry without WRITE is taken for reception",
        " || (DEVICE_WRITES != 0 && !flags[`FDW_DESC_FLAG_WRITE_BIT]);", ";",
        "bad_table_descriptor_or_entry_is_reported_once_settled_and_ends_the_stream"),
    # ---- the ring, used entries and interrupts
    _in(USED, "used-wrap", "used entries never turn their wrap counter",
        "wrap <= wrap ^ turn;", "wrap <= wrap;",
        "entries_go_to_the_next_free_slot_and_flip_flags_at_each_wrap"),
    _in(USED, "used-turn", "the used index turns one slot late",
        "turn = idx_next >= {1'b0, ring_size};", "turn = idx_next > {1'b0, ring_size};",
        "entries_go_to_the_next_free_slot_and_flip_flags_at_each_wrap"),
    _in(USED, "merged-first", "the first of merged buffers is used before the others have their response",
        "&& (!used_release || outstanding == 8'd0);", ";",
        "first_of_several_chains_that_belong_together_becomes_used_last"),
    _in(USED, "used-b-ignored", "an error response to a used entry is ignored",
        "error <= (alive && enable && b && m_axi_bresp[1]) || event_error;", "error <= event_error;",
        "bus_error_on_entry_or_event_area_gives_an_error_and_no_interrupt"),
    _in(EVENT, "event-equality", "EVENT_IDX: only the last slot passed is compared, not the range",
        "wire named = ahead < (ahead[18] ? limit_less : limit)",
        "wire named = ahead == (ahead[18] ? limit_less : limit) - 19'sd1",
        "event_idx_interrupts_when_the_named_slot_is_among_those_passed_and_not_otherwise"),
    _in(EVENT, "event-lost", "an entry that becomes visible while the event structure is read gets no read",
        "look <= enable && (look || passed) && !ask;",
        "look <= enable && (look || passed) && !ask && !reading;",
        "entry_that_becomes_visible_during_an_event_read_gets_one_of_its_own"),
    # ---- registers
    _in(REGS, "ack-race", "an interrupt in the cycle of its acknowledgement is lost",
        "(interrupt_status & ~interrupt_ack) | interrupt_set;",
        "(interrupt_status | interrupt_set) & ~interrupt_ack;",
        "interrupt_in_the_cycle_of_its_acknowledgement_is_not_lost"),
    _in(LIFE, "early-reset", "status reads 0 while transfers are in flight",
        "reset_settle == 3'd0 && device_idle;", "reset_settle == 3'd0;",
        "reset_with_transfers_in_flight_reads_zero_only_when_they_have_ended"),
    _in(REGS, "feature-beyond", "features beyond bit 63 are accepted",
        "\n        && !accepted_beyond;", ";",
        "feature_accepted_beyond_bit_63_is_refused_until_reset"),
    _in(REGS, "feature-needs", "HOST_TSO4 is accepted without CSUM, which it needs",
        "\n        && `FDW_FEATURES_NEEDS_MET(driver_features)", "",
        "illegal_feature_sets_refuse_features_ok_and_driver_ok_until_corrected"),
    _in(QUEUE, "ring-reset-early", "QueueReset reads 0 while transfers of the ring are in flight",
        "resetting <= start_reset || (resetting && (enable || !quiet));", "resetting <= start_reset;",
        "ring_reset_stops_one_queue_and_reads_1_until_its_last_transfer_has_ended"),
    _in(QUEUE, "ring-reset-unasked", "QueueReset works though RING_RESET was not negotiated",
        "value[0] && may_reset && ready;", "value[0] && ready;",
        "ring_reset_without_the_feature_of_a_queue_not_ready_or_with_value_0_is_ignored"),
    _in(QUEUE, "queue-restart", "a ring starts again while transfers of its last life are in flight",
        "started <= wanted && (started || quiet);", "started <= wanted;",
        "ready_queue_stopped_falls_at_once_and_restarts_only_when_its_ring_is_idle"),
    _in(QUEUE, "queue-align", "a misaligned descriptor area is accepted",
        "num != 16'd0 && desc[3:0] == 4'd0 &&", "num != 16'd0 &&",
        "queue_num_out_of_range_or_areas_misaligned_keep_the_queue_not_ready"),
    _in(STATS, "size-class", "frames of 1518 bytes are counted as longer ones",
        "bytes >= 16'd1519,", "bytes >= 16'd1518,",
        "events_every_cycle_on_all_inputs_are_all_counted"),
    # ---- transmit
    _in(ENGINE, "header-split", "only the first descriptor's part of a split header is taken for header",
        "total < HEADER ? HEADER - total : 17'd0;", "total == 17'd0 ? HEADER : 17'd0;",
        "header_split_at_every_byte_understood"),
    _in(ENGINE_NIC, "tx-used-early", "a chain is used before its last byte has been read",
        "chain_valid && done != {LEVEL_WIDTH+1{1'b0}};", "chain_valid;",
        "used_entries_wait_for_the_last_byte_read_and_for_the_last_response"),
    _in(CHECKSUM, "csum-carry", "the second carry of the checksum is dropped",
        "folded_once[15:0] + {15'd0, folded_once[16]};", "folded_once[15:0];",
        "carries_that_ripple_and_results_of_zero_right"),
    _in(CHECKSUM, "csum-zero", "a checksum of 0 is sent as 0, which UDP takes for none",
        "placed == 16'd0 ? 16'hffff : placed;", "placed;",
        "carries_that_ripple_and_results_of_zero_right"),
    _in(CHECKSUM, "csum-odd", "a checksum that begins at an odd byte has its bytes exchanged",
        "all_odd ? {value[7:0], value[15:8]} : value;", "value;",
        "random_checksum_requests_filled_in_as_scapy_does"),
    _in(TX_FIFO, "csum-field-split", "a checksum field over two words gets its first byte only",
        "patch && field_1[15:3] == done[15:3];", "patch && old_field[15:3] == done[15:3];",
        "field_at_every_place_of_a_word_and_a_beat_filled_in"),
    _in(TX_FIFO_EARLY, "underflow-retry", "a frame that was broken off goes on where it stopped",
        "rd_next = dries ? base_ptr : rd_ptr", "rd_next = rd_ptr",
        "frames_of_all_lengths_in_any_chain_with_meaningless_headers_arrive_in_order"),
    _in(TX_FIFO, "early-twice", "a frame that left before it was whole leaves again when it is",
        "owed <= ends ? is_early && !known : owed && !old_valid;", "owed <= 1'b0;",
        "frames_of_all_lengths_in_any_chain_with_meaningless_headers_arrive_in_order"),
    _in(TX_FIFO_DRY, "underflow-unheeded", "a frame that ran dry changes nothing for the next ones",
        "else if (starves && threshold < ALL) threshold <= threshold << 1;", "",
        "each_frame_that_runs_dry_doubles_what_the_next_ones_need_until_they_must_be_whole"),
    _in(TX_FIFO_DRY, "underflow-unforgiven", "one underflow costs every later frame its latency",
        "else if (forgives) threshold <= threshold >> 1;", "",
        "need_halves_after_so_many_frames_that_did_not_run_dry_and_goes_no_lower_than_it_began"),
    _in(TX_FIFO_DRY, "underflow-blamed", "a frame that a stopped queue broke off counts as slow memory",
        "starves = dries && !lost;", "starves = dries;",
        "frame_broken_off_by_a_stopped_queue_does_not_come_again_and_the_need_stays"),
    _in(READ_MUX_FIRST, "starvation", "the preferred master is preferred for ever",
        "(run != PREFERRED_BITS[7:0] || others == {N{1'b0}})", "1'b1",
        "masters_that_always_ask_get_their_turns_and_one_burst_every_cycle"),
    _in(NIC_RESET, "reset-before-write", "a reset of the receive queue is over before its last write",
        "&& !used_busy[RX] && !rx_dma_busy;", "&& !used_busy[RX];",
        "ring_reset_at_any_point_of_a_transfer_waits_for_its_end_and_the_other_queue_goes_on"),
    _in(SEGMENT, "tso-fin", "every segment carries FIN and PSH",
        "~(last ? 16'd0 : FIN_PSH)", "~16'd0",
        "fin_psh_cwr_urg_go_where_they_belong"),
    _in(SEGMENT, "tso-cwr", "every segment carries CWR",
        " & ~(first ? 16'd0 : CWR)", "",
        "fin_psh_cwr_urg_go_where_they_belong"),
    _in(SEGMENT, "tso-id", "all segments have the same IPv4 identification",
        "identification <= identification + 16'd1;", "identification <= identification;",
        "every_shape_of_headers_cut_as_scapy_would"),
    _in(SEGMENT, "tso-sequence", "the sequence number does not carry into its upper half",
        "sequence_number + {16'd0, job_size};", "{sequence_number[31:16], sequence_number[15:0] + job_size};",
        "random_super_frames_among_other_frames_keep_order_and_payload"),
    _in(SEGMENT, "tso-last", "payload that fills its last segment is followed by an empty one",
        "is_last = left <= {1'b0, job_size};", "is_last = left < {1'b0, job_size};",
        "every_shape_of_headers_cut_as_scapy_would"),
    _in(PARSE, "tso-fragment", "an IPv4 fragment is cut into segments",
        "&& fragment == 14'd0 && protocol", "&& protocol",
        "headers_that_are_not_plain_tcp_over_ipv4_refused"),
    _in(PARSE, "tso6-chain", "an IPv6 packet is cut whatever its headers lead to",
        "kind == TCP && place", "place",
        "headers_that_are_not_tcp_over_ipv6_refused"),
    _in(PARSE, "tso6-second", "of two extension headers in one beat the second is not followed",
        "stands(place_between[7:3], kind_between)", "1'b0",
        "every_shape_of_ipv6_headers_cut_as_scapy_would"),
    _in(PARSE, "tso6-length", "an extension header's length is taken modulo 256 bytes",
        "word[7:5] != 3'd0 ? {NOTHING, at} : ", "",
        "headers_that_are_not_tcp_over_ipv6_refused"),
    _in(SEGMENT, "tso-pseudo", "the driver's sum keeps the super-frame's length",
        " + {6'd0, ~tcp_whole[15:0]}", "",
        "every_shape_of_headers_cut_as_scapy_would"),
    _in(SEGMENT, "tso6-counted", "IPv6's payload length counts the IPv6 header",
        " - (job_ipv6 ? 16'd40 : 16'd0);", ";",
        "every_shape_of_ipv6_headers_cut_as_scapy_would"),
    _in(SEGMENT, "tso-odd", "TCP may begin at an odd byte",
        "|| job_start[0] ", "",
        "regression_odd_start_within_the_tcp_header_refused"),
    _in(PARSE, "tso-qinq", "a service tag (0x88a8) is not known",
        " || words[96 +: 16] == 16'h88a8;", ";",
        "every_shape_of_headers_cut_as_scapy_would"),
    # ---- receive
    _in(RX_FRAME, "mrg-limit", "a frame may take one chain more than can be kept",
        "chains >= CHAIN_LIMIT[15:0]", "chains > CHAIN_LIMIT[15:0]",
        "frame_over_64_chains_merged_and_over_65_given_up"),
    _in(RX_FRAME, "mrg-slots", "a frame may take more slots than the ring has",
        " || slots >= ring_size;", " || slots > ring_size;",
        "frame_larger_than_all_slots_of_the_ring_given_up"),
    _in(RX_FRAME, "mrg-length", "the last buffer's length is the whole frame's",
        "closes ? total - earlier : capacity[15:0];", "closes ? total : capacity[15:0];",
        "merged_frames_fill_chains_of_all_sizes_and_the_first_is_released_last"),
    _in(RX_USED, "mrg-order", "the first buffer of several is used first",
        "used_hold = state == FIRST && !last;", "used_hold = 1'b0;",
        "merged_frames_fill_chains_of_all_sizes_and_the_first_is_released_last"),
    _in(RX_USED, "mrg-first-id", "the first buffer of several is used under the next one's id",
        "used_release ? first_id : id;", "id;",
        "merged_frames_fill_chains_of_all_sizes_and_the_first_is_released_last"),
    _in(RX_USED_NIC, "rx-used-early", "a frame's chains are used before its bytes are acknowledged",
        "(frame_valid && (done || acknowledged != {PTR_WIDTH + 1{1'b0}}));", "frame_valid;",
        "used_entries_wait_for_the_last_byte_read_and_for_the_last_response"),
    _in(RX_FRAME, "valid-unchecked", "DATA_VALID whatever the checksum",
        "right_good = checks && good;", "right_good = checks;",
        "frame_in_one_chain_of_any_shape_lies_behind_a_right_header"),
    _in(RX_FRAME, "valid-guessed", "DATA_VALID stays what was guessed from the frame before",
        "guess_good != right_good || guess_chains != right_chains;", "guess_chains != right_chains;",
        "frame_in_one_chain_of_any_shape_lies_behind_a_right_header"),
    _in(RX_SUM, "valid-sum", "a checksum is right when its sum is, or is one less",
        "folded == 17'h0ffff;", "(folded | 17'd1) == 17'h0ffff;",
        "right_checksum_of_any_length_right_and_with_any_bit_flipped_wrong"),
    _in(RX_SUM, "valid-no-sum", "UDP without a checksum is right",
        "bytes[16*i +: 16] == 16'd0) udp_ok_next = 1'b0;",
        "bytes[16*i +: 16] == 16'd0) udp_ok_next = udp_ok_next;",
        "udp_checksum_that_comes_out_as_zero_is_sent_as_ones_and_right"),
    _in(RX_FRAME, "rollback-chains", "the chains of a frame that broke off are used",
        "frame_drop = breaks;", "frame_drop = 1'b0;",
        "frames_that_break_off_leave_no_trace_and_take_no_buffer"),
    _in(RX_FRAME, "rollback-buffers", "the buffers of a frame that broke off are lost",
        "desc_rollback = breaks;", "desc_rollback = 1'b0;",
        "frames_that_break_off_leave_no_trace_and_take_no_buffer"),
    _in(RX_FRAME, "rollback-bytes", "the bytes of a frame that broke off stay before those of the next",
        "m_cut = give_up || (breaks && state == COPY);", "m_cut = give_up;",
        "frames_that_break_off_leave_no_trace_and_take_no_buffer"),
    _in(REPLAY, "rollback-read", "a word read in the cycle of the rollback is not read again",
        "rd_next = rollback ? kept_ptr : rd_after;", "rd_next = rollback ? kept_ptr + pop : rd_after;",
        "words_come_in_order_and_again_from_the_last_commit_after_a_rollback"),
    _in(RX_ENGINE, "ring-reset-frame", "a queue that starts again uses chains of its last life",
        ".rst(rst || !enable),\n        .chain_valid(", ".rst(rst),\n        .chain_valid(",
        "queue_not_ready_in_the_middle_of_traffic_stops_that_ring_only"),
    _in(QUEUE, "ring-reset-ready", "QueueReset leaves the queue ready",
        "if (start_reset)\n            ready <= 1'b0;\n        else if (act", "if (act",
        "ring_reset_stops_one_queue_and_reads_1_until_its_last_transfer_has_ended"),
    # ---- the bus
    _in(DMA_READ, "read-4k", "a read burst ends one beat beyond a 4 KiB boundary",
        "to_boundary = BURST_MAX - ", "to_boundary = BURST_MAX + 14'd1 - ",
        "random_requests_with_pauses_everywhere_give_the_bytes_of_memory"),
    _in(DMA_READ, "read-error", "an error response in the middle of a burst is forgotten",
        "m_axi_rvalid && m_axi_rresp[1] && !error_seen", "burst_in && m_axi_rresp[1] && !error_seen",
        "bus_error_gives_one_pulse_per_burst_and_the_stream_goes_on"),
    _in(DMA_WRITE, "write-more", "a packet is done although another, which corrects it, is to follow",
        "new_last = ended && !s_more;", "new_last = ended;",
        "packets_with_more_behind_them_are_done_with_the_last_of_them"),
    _in(DMA_WRITE, "write-abort", "a burst that an abort overtakes writes stale bytes",
        "m_axi_wstrb <= flush ? 16'd0 : strb;", "m_axi_wstrb <= strb;",
        "abort_at_any_moment_ends_bursts_legally_and_the_next_packet_is_whole"),
    _in(DMA_WRITE, "write-done-error", "a packet of which a burst failed is done",
        "&& !flush && !fails && !failed;", "&& !flush && !fails;",
        "bus_error_gives_one_pulse_per_burst_and_no_done_until_an_abort"),
    _in(READ_MUX, "answers-mixed", "answers are routed by the low bit of their ID",
        "assign r_for[g] = r_id == g;", "assign r_for[g] = r_id[0] == g[0];",
        "answers_out_of_order_reach_their_own_master_in_its_order"),
    _in(WRITE_MUX, "data-mixed", "another master's data may pass before a burst has ended",
        ".m_ready(w_valid && w_ready && s_axi_wlast[turn]),", ".m_ready(w_valid && w_ready),",
        "bursts_of_three_masters_arrive_whole_and_each_gets_its_own_answers"),
    _in(ARBITER, "unfair", "the first master is always preferred",
        "else if (accept && valid) preferred <= {N{1'b1}} << 1 << index;", "",
        "masters_that_always_ask_get_their_turns_and_one_burst_every_cycle"),
    _in(FIFO, "fifo-around", "a word written to an empty FIFO is read from the memory before it is there",
        "around <= push && wr_ptr == rd_next;", "around <= 1'b0;",
        "fifo_push_and_pop_every_cycle_full_or_empty_loses_nothing"),
    # ---- the wire
    _in(CRC, "crc-byte", "one byte of the CRC register is lost when two bytes go in",
        "rest = {16'd0, crc_in[31:16]};", "rest = {24'd0, crc_in[31:24]};",
        "crc_random_register_and_bytes_matches_zlib"),
    _in(MAC_TX, "fcs-last-lane", "the FCS is cut off when the frame's last word has four bytes",
        "overflows = word_bytes >= 4'd4;", "overflows = word_bytes > 4'd4;",
        "every_length_queued_sent_padded_with_fcs"),
    _in(MAC_RX, "fcs-ignored", "frames with a wrong FCS are good",
        "part_status == GOOD && fcs_wrong ? FCS_ERROR : part_status", "part_status",
        "one_bit_flipped_in_every_byte_fcs_error"),
    _in(MAC_RX_LONG, "endless-frame", "the length of an endless frame wraps round",
        "too_long ? ENDLESS : next_len;", "next_len;",
        "endless_frame_cut_at_the_limit_swallowed_and_next_frame_good"),
    # ---- received frames over chains
    _in(RX_FRAME, "merged-miscounted", "num_buffers is not corrected when its guess was wrong",
        "guess_good != right_good || guess_chains != right_chains;", "guess_good != right_good;",
        "merged_frames_fill_chains_of_all_sizes_and_the_first_is_released_last"),
    _in(RX_FRAME, "merged-order", "the used entries of merged buffers bear the next chain's id",
        "state == SKIP ? desc_id : last_id;", "state == SKIP || !closes ? desc_id : last_id;",
        "merged_frames_fill_chains_of_all_sizes_and_the_first_is_released_last"),
    _in(RX_FRAME, "valid-regardless", "DATA_VALID is set whatever the checksum",
        "right_good = checks && good;", "right_good = checks;",
        "frame_in_one_chain_of_any_shape_lies_behind_a_right_header"),
    _in(RX_FRAME, "bad-keeps-buffers", "a frame that broke off does not give its descriptors back",
        "desc_rollback = breaks;", "desc_rollback = 1'b0;",
        "frames_that_break_off_leave_no_trace_and_take_no_buffer"),
)  # fmt: skip
