"""Codecs: bytes on the wire ↔ values, checked on the way in (`errors.WireError`), exact on the way out.

Nothing here keeps state, allocates buffers or knows a host.
"""
