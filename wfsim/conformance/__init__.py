"""What really happened against what a model allows: alignments, fitness, precision, deviations."""
