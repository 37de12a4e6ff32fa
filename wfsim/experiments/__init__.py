"""Many simulations for one question: sweeps, the smallest value that will do, seeds that break a promise."""
