"""The business's words. Pure: no I/O, no clock, no randomness."""
