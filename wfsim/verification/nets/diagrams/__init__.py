"""Sets of markings of 1-safe nets as binary decision diagrams, for nets with more markings than can be visited."""
