"""Properties watched on a history as it grows: which case breaks which, and who is told."""
