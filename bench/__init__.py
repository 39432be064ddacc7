"""How fast it is: the cost of the hot functions, and messages a second through the whole relay. `make bench`."""
