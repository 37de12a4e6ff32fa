"""Why the compiled calendar returns: what it lacks, or what Python has to do before it goes on."""

DONE, PAUSED, FLUSH, ROWS, ANSWER, OUTPUT, SLOTS, TABLES, UNIQUES, SUPPLY, SHIFTS, GIVEN_UP, FILL, FAILS = range(14)
STANDS_STILL, REFUSES, NAME, ENDLESS, REASON = range(14, 19)
"""Why it returned: nothing is due; the budget is used up; the log is full; an instance needs more rows; the step asks
something; a step puts out more than fits; there is no room for an instance; a table may be too small; texts of the next
arrivals are needed, or these arrivals, or later shifts; a case has taken too many steps. And for Python to do: the
values of a stimulus; to say what is wrong with arrivals, or that a closed population comes ever again at one moment; an
arrival is refused; an instance needs a name; instances start each other without end; why a letter comes back."""
