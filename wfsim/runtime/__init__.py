"""Running workflows for real: one process, one person, every step stored before it has effects."""
