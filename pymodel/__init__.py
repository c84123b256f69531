"""The host side of fdwire (sockets, TCP/IP, driver, host memory) and the golden NIC.

Nothing in this package knows a simulator. See ``docs/architecture.md`` for the layers.
"""
