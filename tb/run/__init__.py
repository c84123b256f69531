"""`fdwire run`: an unmodified Python program on a simulated host."""
