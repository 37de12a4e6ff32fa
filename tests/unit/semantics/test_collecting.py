"""Python looks for circles as often as before, once nobody asks for less."""

from __future__ import annotations

import gc

from wfsim.semantics.collecting import RARELY, rarely_collected


def test_it_is_as_it_was_when_the_last_who_asked_is_done() -> None:
    usual = gc.get_threshold()
    one, other = rarely_collected(), rarely_collected()
    with one:
        other.__enter__()
        assert gc.get_threshold() == RARELY
    assert gc.get_threshold() == RARELY
    other.__exit__(None, None, None)
    assert gc.get_threshold() == usual
