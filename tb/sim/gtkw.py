"""x"""

from pathlib import Path


def write(waves: Path, to: Path) -> None:
    """x"""
