"""The system calls, by what they are about. `pymodel.socket.syscalls.Kernel` joins them."""
