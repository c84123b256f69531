"""What goes wrong with a virtio device: theirs (the device misbehaves), but for `RingFull`."""


class VirtioError(Exception):
    """The device cannot be used as it is."""


class ProbeError(VirtioError):
    """Initialisation failed (virtio 1.2 §3.1.1); the message says at which step and on what value."""


class RingError(VirtioError):
    """The device wrote a used entry that cannot be: the ring is broken until the device is reset."""


class RingFull(Exception):
    """A chain was added without room for it: a bug of the caller, who has to look at `PackedRing.free`."""
