"""From a history to a model and a scenario: discovery, and fitting."""
