"""Unmodified programs of the machine on simulated hosts (`fdwire run -- PROGRAM`), by LD_PRELOAD."""
