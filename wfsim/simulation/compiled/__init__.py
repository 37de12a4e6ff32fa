"""The calendar around `step`, compiled: the twin of `wfsim.simulation.engine`, which says what it means."""
