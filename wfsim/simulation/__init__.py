"""Simulation: the surroundings of many instances, on a calendar instead of a clock."""
