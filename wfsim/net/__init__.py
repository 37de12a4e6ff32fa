"""Petri nets: places, net transitions, arcs (normal, read, inhibitor, reset), and bridges to other tools."""
