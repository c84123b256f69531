"""The other attachment: the NIC between cocotb's Python bus models, in any simulator that cocotb knows.

A hundred times slower than the C++ attachment (`tb.cosim`), and independent of it: cocotbext-axi is the
register master and the memory, cocotbext-eth the far end of the wire.
"""
