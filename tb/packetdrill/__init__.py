"""Runs scripts in the packetdrill language over a simulated host (docs/packetdrill.md)."""
