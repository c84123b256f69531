"""What each kind of mismatch means, for somebody who does not know the checker."""

from typing import Final

MEANING: Final = {
    "frame sent": (
        "The golden model executes the same transmit chains and predicts every frame on the wire, byte "
        "for byte and in order (docs/device.md, Transmit). The NIC sent something else."
    ),
    "used entry": (
        "The golden model predicts each 16-byte used entry: slot, id, length, flags (virtio 1.2 §2.8.6). "
        "The NIC wrote another one."
    ),
    "payload": (
        "When a receive chain is used, its buffers must hold virtio_net_hdr and frame exactly (virtio 1.2"
        " §5.1.6.4). They hold something else."
    ),
    "lost interrupt": (
        "A used entry was written while the driver wanted to be told (virtio 1.2 §2.8.10), and the "
        "interrupt line did not rise in time: a driver would wait for ever."
    ),
    "spurious interrupt": (
        "The interrupt line rose although no used entry and no change of the configuration asks for it."
    ),
    "interrupt fell": (
        "The line is a level: it may fall only when the driver writes InterruptACK (virtio 1.2 §4.2.2)."
    ),
    "InterruptStatus": (
        "The register says why the line is high (virtio 1.2 §4.2.2); it says something else."
    ),
    "receive status": (
        "What the MAC made of a received frame (stored, or dropped for which reason) is not what the "
        "frame deserves (docs/device.md, Receive)."
    ),
    "register": "A register reads other than the model says (docs/registers.md).",
    "counter": "A statistic does not count what happened (docs/device.md).",
    "device status": (
        "DEVICE_NEEDS_RESET is set without a reason, or is not set in spite of one (virtio 1.2 §2.1.2)."
    ),
    "write outside buffers": (
        "The NIC wrote to memory that the driver did not give it: in a real machine somebody else's."
    ),
    "descriptor used twice": (
        "A chain may be given back once (virtio 1.2 §2.8.6): the driver would free its buffer a second time."
    ),
    "used entry unknown": "A used entry names a buffer id that is not out.",
    "used entry slot": (
        "A used entry belongs into the first slot of its chain, as chains are used in order."
    ),
    "wrap error": (
        "AVAIL and USED of a used entry must equal the device's wrap counter (virtio 1.2 §2.8.1): the "
        "driver would not see it, or see it a lap too early."
    ),
    "used entry torn": (
        "A used entry must be one aligned write of 16 bytes: flags may not be visible before id and length."
    ),
    "used entry flags": (
        "WRITE in a used entry says whether the device has written the buffers (virtio 1.2 §2.8.6)."
    ),
    "used before payload": (
        "A chain was used before all its bytes were transferred: the driver would read old memory."
    ),
    "access to stopped ring": "A queue that is not ready may not be touched (virtio 1.2 §2.8, §4.2.2).",
    "event suppression": (
        "The device's event suppression structure must say where it waits (virtio 1.2 §2.8.10)."
    ),
    "asleep with notifications disabled": (
        "The NIC found the ring empty and left notifications off: the driver will not ring, and nothing "
        "will ever be looked at."
    ),
    "no last look": (
        "After it has enabled notifications the NIC must look at the ring once more, or it misses what "
        "came in between (virtio 1.2 §2.8.21.3)."
    ),
    "notification ignored": "The driver rang the doorbell, and the NIC never looked at the ring.",
    "chain never used": "A chain was read and not given back by the end of the run.",
}
"""By `Mismatch.kind`."""
