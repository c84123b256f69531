"""Tables of text for values, against the numbers of the standards."""

from tb.waves import names
from tb.waves.fsm import StateMachine

TABLES = names.tables([StateMachine("m", "state", 3, {0: "OFF", 5: "DEAD"})])


def test_filter_file_has_one_line_of_as_many_hex_digits_as_the_trace_shows() -> None:
    assert names.Names(9, {0x107: "/I/", 0x0A: "0a"}).filter_file() == "00a 0a\n107 /I/\n"
    assert names.Names(1, {1: "yes"}).filter_file() == "1 yes\n"


def test_state_machine_becomes_the_table_module_dot_signal() -> None:
    assert TABLES["m.state"].filter_file() == "0 OFF\n5 DEAD\n"


def test_every_value_fits_its_table_and_every_text_its_line() -> None:
    for name, table in TABLES.items():
        for value, text in table.text.items():
            assert 0 <= value < 1 << table.width, name
            assert text.strip() == text and text and "\n" not in text, name


def test_registers_are_named_at_the_offsets_of_virtio_mmio() -> None:
    table = TABLES["register"].text  # virtio 1.2 §4.2.2
    assert table[0x050] == "QUEUE_NOTIFY"
    assert table[0x060] == "INTERRUPT_STATUS"
    assert table[0x070] == "STATUS"
    assert table[0x100] == "Config.MAC"


def test_second_word_of_a_wide_register_is_named_after_it() -> None:
    table = TABLES["register"].text
    assert table[0x104] == "Config.MAC+4"
    assert table[0x1104] == "Stat.RX_FRAMES+4"


def test_every_combination_of_status_bits_has_a_name() -> None:
    table = TABLES["status"].text  # virtio 1.2 §2.1
    assert table[0] == "reset"
    assert table[0x0F] == "ACKNOWLEDGE|DRIVER|DRIVER_OK|FEATURES_OK"
    assert table[0x4F].endswith("|DEVICE_NEEDS_RESET")
    assert len(table) == 2**6


def test_lane_with_its_control_bit_is_a_control_character_and_without_it_a_byte() -> None:
    table = TABLES["xgmii_lane"].text  # IEEE 802.3 Table 46-3
    assert [table[0x100 | code] for code in (0x07, 0xFB, 0xFD, 0xFE)] == ["/I/", "/S/", "/T/", "/E/"]
    assert table[0x0FB] == "fb"
    assert 0x100 not in table


def test_words_of_idle_and_preamble_have_names() -> None:
    table = TABLES["xgmii_word"].text  # IEEE 802.3 §46.2.2, §46.3.2: lane 0 is the lowest byte
    assert table[0x0707070707070707] == "idle"
    assert table[0xD5555555555555FB] == "/S/ preamble"
    assert table[0x555555FB07070707] == "idle /S/"
