"""Values as terms: what `step` does with values that are not known, and properties proved about all of them."""
