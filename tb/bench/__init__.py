"""Measurements: what the co-simulation costs beside the bare simulator."""
