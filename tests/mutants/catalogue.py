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
TABLES = ("ring/fdw_ring_indirect.v", "test_ring_indirect.py::test_ring_indirect[{simulator}]")
USED = ("ring/fdw_ring_used.v", "test_ring_used.py::test_ring_used[{simulator}]")
EVENT = ("ring/fdw_ring_event.v", "test_ring_used.py::test_ring_used[{simulator}]")
REGS = ("regs/fdw_regs.v", "test_regs.py::test_regs[default-{simulator}]")
QUEUE = ("regs/fdw_regs_queue.v", "test_regs.py::test_regs[default-{simulator}]")
STATS = ("regs/fdw_stats.v", "test_regs_bus.py::test_regs_bus[{simulator}]")
DMA_READ = ("dma/fdw_dma_read.v", "test_dma_read.py::test_dma_read[{simulator}]")
DMA_WRITE = ("dma/fdw_dma_write.v", "test_dma_write.py::test_dma_write[{simulator}]")
READ_MUX = ("dma/fdw_axi_read_mux.v", "test_axi_read_mux.py::test_axi_read_mux[{simulator}]")
WRITE_MUX = ("dma/fdw_axi_write_mux.v", "test_axi_write_mux.py::test_axi_write_mux[{simulator}]")
ARBITER = ("lib/fdw_arbiter.v", "test_axi_read_mux.py::test_axi_read_mux[{simulator}]")
FIFO = ("lib/fdw_fifo.v", "test_mac_leaf.py::test_mac_leaf[{simulator}]")
CRC = ("mac/fdw_crc32.v", "test_mac_leaf.py::test_mac_leaf[{simulator}]")
MAC_TX = ("mac/fdw_mac_tx.v", "test_mac_tx.py::test_mac_tx[{simulator}]")
MAC_RX = ("mac/fdw_mac_rx.v", "test_mac_rx.py::test_mac_rx[{simulator}]")
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
    _in(REGS, "early-reset", "status reads 0 while transfers are in flight",
        "reset_settle == 3'd0 && device_idle;", "reset_settle == 3'd0;",
        "reset_with_transfers_in_flight_reads_zero_only_when_they_have_ended"),
    _in(REGS, "feature-beyond", "features beyond bit 63 are accepted",
        "\n        && !accepted_beyond;", ";",
        "feature_accepted_beyond_bit_63_is_refused_until_reset"),
    _in(QUEUE, "ring-reset-early", "QueueReset reads 0 while transfers of the ring are in flight",
        "resetting <= start_reset || (resetting && (enable || !quiet));", "resetting <= start_reset;",
        "ring_reset_stops_one_queue_and_reads_1_until_its_last_transfer_has_ended"),
    _in(QUEUE, "queue-restart", "a ring starts again while transfers of its last life are in flight",
        "started <= wanted && (started || quiet);", "started <= wanted;",
        "ready_queue_stopped_falls_at_once_and_restarts_only_when_its_ring_is_idle"),
    _in(QUEUE, "queue-align", "a misaligned descriptor area is accepted",
        "num != 16'd0 && desc[3:0] == 4'd0 &&", "num != 16'd0 &&",
        "queue_num_out_of_range_or_areas_misaligned_keep_the_queue_not_ready"),
    _in(STATS, "size-class", "frames of 1518 bytes are counted as longer ones",
        "bytes >= 16'd1519,", "bytes >= 16'd1518,",
        "events_every_cycle_on_all_inputs_are_all_counted"),
    # ---- the bus
    _in(READ_MUX, "answers-mixed", "answers are routed by the low bit of their ID",
        "assign r_for[g] = r_id == g;", "assign r_for[g] = r_id[0] == g[0];",
        "answers_out_of_order_reach_their_own_master_in_its_order"),
    _in(WRITE_MUX, "data-mixed", "another master's data may pass before a burst has ended",
        ".m_ready(w_valid && w_ready && s_axi_wlast[turn]),", ".m_ready(w_valid && w_ready),",
        "bursts_of_three_masters_arrive_whole_and_each_gets_its_own_answers"),
    _in(ARBITER, "unfair", "the first master is always preferred",
        "else if (accept && valid) preferred <= {N{1'b1}} << 1 << index;", "",
        "masters_that_always_ask_get_equal_turns_and_one_burst_every_cycle"),
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
        "part_status != GOOD || part_crc == RESIDUE ? part_status : FCS_ERROR", "part_status",
        "one_bit_flipped_in_every_byte_fcs_error"),
    _in(MAC_RX_LONG, "endless-frame", "the length of an endless frame wraps round",
        "too_long ? FRAME_LIMIT[15:0] + 16'd1 : next_len;", "next_len;",
        "endless_frame_cut_at_the_limit_swallowed_and_next_frame_good"),
)  # fmt: skip
