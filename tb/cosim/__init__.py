"""The RTL NIC behind the two seams: the C++ attachment (DPI-C) and the loop that joins the clocks."""
