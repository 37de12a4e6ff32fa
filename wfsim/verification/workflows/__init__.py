"""Questions to workflows: `step` with candidate values and with terms, properties of runs, conditions."""
