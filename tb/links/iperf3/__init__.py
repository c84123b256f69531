"""iperf3's protocol in Python, for a host that cannot run the C program: `-m tb.links.iperf3`.

The protocol is that of iperf 3 as its programs speak it on the wire; there is no RFC. TCP only. Knows only
the standard library, so that it runs on the simulated host's sockets, threads and clock as on any other.
"""
