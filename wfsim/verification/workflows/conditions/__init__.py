"""Conditions answered by a solver: which add nothing, which overlap, which leave values over."""
