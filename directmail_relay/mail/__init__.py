"""The nouns of RFC 5321, RFC 5322, RFC 3463 and of the guide. Pure: nothing here does I/O or reads a clock."""
