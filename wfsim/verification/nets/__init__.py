"""Questions to Petri nets: search, structure, reduction, decision diagrams, formulas."""
