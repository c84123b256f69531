"""How fast the processor's time stamp counter is, which is the guest's, too (QEMU's TCG on x86)."""

import ctypes
import mmap
import time

RDTSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")
"""rdtsc; shl rdx, 32; or rax, rdx; ret"""


def tsc_khz() -> int:
    """Measured for a tenth of a second."""
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        page.write(RDTSC)
        code = ctypes.c_char.from_buffer(page)
        rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(code))
        since, began = time.monotonic_ns(), rdtsc()
        time.sleep(0.1)
        until, ended = time.monotonic_ns(), rdtsc()
        del rdtsc, code  # the page cannot be closed before
    return (ended - began) * 1_000_000 // (until - since)
