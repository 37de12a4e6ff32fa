"""What people see and touch in a notebook: pictures and the stepper."""
