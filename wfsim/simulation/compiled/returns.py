"""Why the compiled calendar returns: what it lacks, or what Python has to do before it goes on."""

DONE, PAUSED, FLUSH, ROWS, ANSWER, OUTPUT, SLOTS, TABLES, UNIQUES, SHIFTS, GIVEN_UP, HAPPENS, FILL, EFFECT = range(14)
TURN, FOLLOW, REFUSES, NAME, ENDLESS = range(14, 19)
"""Why it returned: nothing is due; the budget is used up; the log is full; an instance needs more rows; the step asks
something; a step puts out more than fits; there is no room for an instance; a table may be too small; texts of the next
arrivals are needed, or later shifts; a case has taken too many steps. And for Python to do: what is due; the values of
a stimulus; an effect; what a step means for others; what follows before the next happening; an arrival is refused; an
instance needs a name; instances start each other without end."""
