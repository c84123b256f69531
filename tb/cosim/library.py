"""The C functions of tb/cpp/cosim.cpp, found in the simulator's own executable."""

import ctypes
import functools
import gc
from typing import Any

_U8, _U32, _U64, _INT, _PTR = ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int, ctypes.c_void_p

WAKE = ctypes.CFUNCTYPE(_U64, _U64, _PTR, _U64)
"""What the simulator calls when Python has something to do: `(now, log, bytes of log)`.

Returns the time (ps) at which it wants to be called again at the latest, or 0: wake cocotb's coroutine.
"""

_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "fdw_now": (_U64, []),
    "fdw_cycles": (_U64, []),
    "fdw_set_alarm": (None, [_U64]),
    "fdw_quiet": (_INT, []),
    "fdw_log_bytes": (_PTR, []),
    "fdw_log_size": (_U64, []),
    "fdw_log_clear": (None, []),
    "fdw_log_all": (None, [_INT]),
    "fdw_idle": (_U64, []),
    "fdw_ring_used": (_U64, [_U32]),
    "fdw_ring_place": (_INT, [_U32, _PTR, _PTR]),
    "fdw_memory_attach": (None, [_PTR, _U64, _U64]),
    "fdw_memory_regions": (None, [_PTR, _U64]),
    "fdw_memory_configure": (None, [ctypes.c_char_p]),
    "fdw_memory_translate": (None, [_PTR]),
    "fdw_memory_fail_nth": (None, [_INT, _U32, _U32]),
    "fdw_mmio_write": (None, [_U32, _U32, _U32]),
    "fdw_mmio_read": (None, [_U32]),
    "fdw_wire_send": (None, [ctypes.c_char_p, _U64, _U64, _INT]),
    "fdw_wire_send_many": (None, [ctypes.c_char_p, _PTR, _U64, _U64]),
    "fdw_wire_send_raw": (None, [_PTR, _U64]),
    "fdw_wire_gap": (None, [_U32]),
    "fdw_wire_slack": (None, [_U64]),
    "fdw_link": (None, [_INT]),
    "fdw_on_wake": (None, [WAKE]),
    "fdw_plant": (None, [_U32]),
    "fdw_reset": (None, [_U32]),
    "fdw_waves_format": (_INT, []),
    "fdw_waves_start": (_INT, [ctypes.c_char_p, _U64]),
    "fdw_waves_stop": (_INT, []),
    "fdw_waves_keep": (_INT, [ctypes.c_char_p, _U64]),
    "fdw_waves_show": (_INT, [ctypes.c_char_p, _U64]),
    "fdw_mark": (None, [_INT]),
    "fdw_rules_clear": (None, []),
    "fdw_first_breach": (ctypes.c_char_p, []),
    "fdw_figure": (_U64, [_U32]),
}


@functools.cache
def load() -> ctypes.CDLL:
    """The library; AttributeError outside a simulator built with tb/cpp."""
    # What is there now is imported modules: they need not be looked through again and again. What comes is
    # many objects that live for a frame, and next to no cycles.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    library = ctypes.CDLL(None)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
