"""The C functions of tb/cpp/cosim.cpp, found in the simulator's own executable."""

import ctypes
import functools
from typing import Any

_U8, _U32, _U64, _INT, _PTR = ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int, ctypes.c_void_p

WAKE = ctypes.CFUNCTYPE(ctypes.c_int)
"""What the simulator calls when Python has something to do; true: wake cocotb's coroutine, too."""

_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "fdw_now": (_U64, []),
    "fdw_cycles": (_U64, []),
    "fdw_set_alarm": (None, [_U64]),
    "fdw_quiet": (_INT, []),
    "fdw_log_bytes": (_PTR, []),
    "fdw_log_size": (_U64, []),
    "fdw_log_clear": (None, []),
    "fdw_log_transfers": (None, [_INT]),
    "fdw_memory_attach": (None, [_PTR, _U64, _U64]),
    "fdw_memory_configure": (None, [_U32, _U32, _U32, ctypes.c_char_p, _U32]),
    "fdw_memory_fail_once": (None, [_U64]),
    "fdw_memory_fail_nth": (None, [_INT, _U32, _U32]),
    "fdw_mmio_write": (None, [_U32, _U32, _U32]),
    "fdw_mmio_read": (None, [_U32]),
    "fdw_wire_send": (None, [ctypes.c_char_p, _U64, _U64, _INT]),
    "fdw_wire_send_raw": (None, [_PTR, _U64]),
    "fdw_wire_gap": (None, [_U32]),
    "fdw_link": (None, [_INT]),
    "fdw_on_wake": (None, [WAKE]),
    "fdw_plant": (None, [_U32]),
    "fdw_reset": (None, [_U32]),
    "fdw_figure": (_U64, [_U32]),
}


@functools.cache
def load() -> ctypes.CDLL:
    """The library; AttributeError outside a simulator built with tb/cpp."""
    library = ctypes.CDLL(None)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
