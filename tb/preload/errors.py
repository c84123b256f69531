"""What the user of `fdwire run -- PROGRAM` is told."""


class PreloadError(Exception):
    """One sentence that says what is wrong and what to do."""
