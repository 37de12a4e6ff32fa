"""The delivery code of the engine in a simulated world: one seed, one history, whatever dies or comes twice.

The code is that of `wfsim.runtime` (turns, what is due, heartbeats, presence); database, queue, clocks and processes
are made here. Everything that an actor asks of the database is a point at which another may come first, its process
may die or stand still, or its connection may break, before or after what it has done is stored. As FoundationDB is
tested (https://apple.github.io/foundationdb/testing.html), for an engine that keeps its state in SQL.
"""
