"""Modules that blocking programs get in place of the interpreter's: simulated network, time, threads.

Replaced are the modules at the bottom (`_socket`, `select`, `time`, `threading` …). Everything of the
standard library that stands on them (`socket`, `selectors`, `http.server`, `urllib.request` …) is the
interpreter's own source, loaded once more per process, so it is unmodified and yet separate.
"""
