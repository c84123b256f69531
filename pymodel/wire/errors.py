"""What a codec raises when bytes from outside are not what they claim to be."""


class WireError(ValueError):
    """Malformed bytes from the wire: theirs, not ours. The receiver counts `reason` and drops.

    `reason` is a short identifier (``tcp_truncated``), fit for a counter's key.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
