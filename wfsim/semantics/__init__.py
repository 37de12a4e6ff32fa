"""The meaning of workflows: programs, instances, and the one step function that everything else calls."""
