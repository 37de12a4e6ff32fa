"""What names say: the words in them, and which words mean failure, consent, a person, or the opposite of another.

Rules that read names are hints. They are told only where the graph or the data say the same.
"""

from __future__ import annotations

import re
from itertools import pairwise

FAILING = frozenset(
    "aborted abandoned broken canceled cancelled declined denied error excluded expired fail failed failure invalid "
    "lost missing overdue refused refunded rejected stuck unanswered unavailable undecided undone unpaid vetoed".split()
)
"""Words of ends that are no success."""
FAILING_PAIRS = frozenset(
    {("given", "up"), ("rolled", "back"), ("sold", "out"), ("thrown", "away"), ("timed", "out"), ("written", "off")}
)
"""Two words that say it together."""
DENYING = frozenset("bounced declined denied error failed failure invalid refused rejected".split())
"""Words of events after which what had been asked for has not come about."""
CONSENTING = frozenset(
    "accept accepted approval approve approved consent endorse endorsed sign signature signed vote voted".split()
)
PERSONAL = frozenset("approver by email employee manager member person reviewer signer user voter who".split())
GENERIC = frozenset("amount at by code count date id key name no number ref reference to type value".split())
"""Words that two names may share without meaning the same thing."""
_FREES = frozenset("cancel free release return unblock unlock void".split())
_REPAYS = frozenset("credit refund repay reverse void".split())
_TAKES_MONEY = frozenset("capture charge debit".split())
_TAKES = frozenset("acquire allocate block book hold lock rent reserve".split())


def words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case.

    >>> words("chargeCard_2")
    ('charge', 'card', '2')
    """
    return tuple(each.lower() for each in re.findall(r"[^\W\d_][^\W\d_A-Z]*|\d+", name))


def says(name: str, meant: frozenset[str]) -> bool:
    """Whether one of the words of a name is among some."""
    return not meant.isdisjoint(words(name))


def says_failed(name: str) -> bool:
    """Whether the name of an end says that something went wrong, or has not come about (`not_sent`)."""
    found = words(name)
    return says(name, FAILING) or found[:1] == ("not",) or not FAILING_PAIRS.isdisjoint(pairwise(found))


def gives_back(name: str) -> bool:
    """Whether an activity by its name gives something back."""
    return says(name, _REPAYS) or words(name)[:1] in {(verb,) for verb in _FREES}


def undoes(undoing: str, doing: str) -> bool:
    """Whether by their names one activity gives back what another takes.

    Money is given back under any name (`charge_card`, `refund_payment`), else both must speak of the same thing
    (`reserve_goods`, `release_goods`).
    """
    first, second = words(doing), words(undoing)
    if not first or not second:
        return False
    if first[0] in _TAKES_MONEY:
        return not _REPAYS.isdisjoint(second)
    return first[0] in _TAKES and second[0] in _FREES and not set(first[1:]).isdisjoint(second[1:])
