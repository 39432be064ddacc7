"""Decisions: facts in, verdict out. Pure: the time and chance are arguments, nothing here does I/O."""
