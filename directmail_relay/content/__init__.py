"""Bytes in, bytes out: headers and signatures. Pure: the time and chance are arguments, nothing here does I/O."""
