"""The commands, one module a group; each calls the same functions that the relay itself uses."""
