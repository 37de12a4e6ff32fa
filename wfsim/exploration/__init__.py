"""What all that explores a workflow shares, by search or by hand: values to try, and witnesses of what was found."""
