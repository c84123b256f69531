"""Registers, bits and counters, typed from virtio 1.2 (§2.1, §4.2.2, §5.1.3, §6) and docs/registers.md."""

RX, TX = 0, 1

DEVICE_FEATURES, DEVICE_FEATURES_SEL, DRIVER_FEATURES, DRIVER_FEATURES_SEL = 0x010, 0x014, 0x020, 0x024
QUEUE_SEL, QUEUE_NUM, QUEUE_READY, QUEUE_NOTIFY, QUEUE_RESET = 0x030, 0x038, 0x044, 0x050, 0x0C0
INTERRUPT_STATUS, INTERRUPT_ACK, STATUS = 0x060, 0x064, 0x070
QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE = 0x080, 0x090, 0x0A0
SIDE_MTU = 0x1008
READ_ONLY = (0x000, 0x004, 0x008, 0x00C, 0x010, 0x034, 0x060, 0x0B0, 0x0FC, 0x100, 0x104, 0x108)

ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET = 1, 2, 4, 8, 64
RUNNING = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK

CSUM, GUEST_CSUM, MTU, MAC, HOST_TSO4, HOST_TSO6, HOST_ECN = 0, 1, 3, 5, 11, 12, 13
MRG_RXBUF, LINK_STATUS = 15, 16
INDIRECT_DESC, EVENT_IDX, ACCESS_PLATFORM, ORDER_PLATFORM, RING_RESET = 28, 29, 33, 36, 40
REQUIRED = 1 << 32 | 1 << 34
OPTIONAL = (
    CSUM, GUEST_CSUM, MTU, MAC, HOST_TSO4, HOST_TSO6, HOST_ECN, MRG_RXBUF, LINK_STATUS,
    INDIRECT_DESC, EVENT_IDX, ACCESS_PLATFORM, ORDER_PLATFORM, RING_RESET,
)  # fmt: skip
NEEDS = {HOST_TSO4: (CSUM,), HOST_TSO6: (CSUM,), HOST_ECN: (HOST_TSO4, HOST_TSO6)}
"""Of these one is needed (§5.1.3.1)."""

_RX_COUNTERS = (
    "frames", "bytes", "bad_preamble", "code_error", "undersize", "oversize", "fcs_error", "disabled",
    "overflow", "truncated", "kicks",
)  # fmt: skip
_TX_COUNTERS = ("frames", "bytes", "oversize", "underflow", "kicks", "bad_offload", "tso")
STATISTICS = {f"rx_{name}": 0x1100 + 8 * i for i, name in enumerate(_RX_COUNTERS)} | {
    f"tx_{name}": 0x1180 + 8 * i for i, name in enumerate(_TX_COUNTERS)
}
_SIZES = ("64", "65_127", "128_255", "256_511", "512_1023", "1024_1518", "1519_max", "broadcast", "multicast")
RMON = {f"rx_{name}": 0x1200 + 8 * i for i, name in enumerate((*_SIZES, "fragments", "jabbers"))} | {
    f"tx_{name}": 0x1280 + 8 * i for i, name in enumerate(_SIZES)
}
