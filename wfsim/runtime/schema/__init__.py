"""The tables of an engine in each of their versions: how a database of one becomes one of the next."""
