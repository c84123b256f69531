"""Real software at the far end of the wire: `fdwire tap` joins the NIC to the Linux kernel's own stack."""
