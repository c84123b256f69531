"""What the user of a link is told."""


class LinkError(Exception):
    """One sentence that says what is wrong and what to do."""
