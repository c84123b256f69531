"""What can go wrong with a script: it cannot be understood, or the machine does not do what it says."""


class ScriptError(Exception):
    """The script itself is at fault, or asks for something that does not exist here. `line` counts from 1."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class ScriptFailure(Exception):
    """The machine under test did something else than the script says at `line`."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
