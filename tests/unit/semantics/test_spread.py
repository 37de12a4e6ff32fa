"""Texts, lists and objects in arrays: what a handle stands for can be read there."""

from __future__ import annotations

from typing import Any

import pytest

from wfsim.semantics.codes import KNOWN_TEXTS
from wfsim.semantics.spread import ENTRIES, NAMES, PARTS, SIGNS, Spread
from wfsim.semantics.texts import Texts

VALUES: list[Any] = ["paid", "", "größer", ["a", 5, None], {"ä": "𝄞", "n": 2.5}, [], "𝄞", {}, ["a", ["größer"]]]


def read(spread: Spread, texts: Texts, handle: int) -> Any:
    """The value of a handle, from the arrays alone but for what its parts are."""
    n, first, size = spread.arrays[ENTRIES][handle].tolist()
    if isinstance(texts.value(handle), str):
        text = spread.arrays[SIGNS][first : first + size].tobytes().decode()
        assert len(text) == n
        return text
    assert size == 0
    cells = spread.arrays[PARTS][first : first + n]
    parts = [texts.decode(int(cell["tag"]), int(cell["whole"]), float(cell["real"])) for cell in cells]
    names = [texts.text(name) for name in spread.arrays[NAMES][first : first + n].tolist()]
    return parts if names == [None] * n and isinstance(texts.value(handle), list) else dict(zip(names, parts))


@pytest.mark.parametrize("together", [True, False])
def test_what_comes_at_once_and_one_by_one_can_be_read_by_its_handle(together: bool) -> None:
    texts = Texts()
    spread = Spread(texts)
    for values in [VALUES] if together else [[value] for value in VALUES]:
        texts.handles(values)
        spread.catch_up()
    assert [read(spread, texts, handle) for handle in range(len(texts))] == [texts.value(k) for k in range(len(texts))]


def test_handles_of_several_are_those_of_each_and_count_what_is_new() -> None:
    texts, twin = Texts(), Texts()
    found = texts.handles([*VALUES, *VALUES, "taken", "new"])
    assert found == [twin.handle(value) for value in [*VALUES, *VALUES, "taken", "new"]]
    assert found[: len(VALUES)] == found[len(VALUES) : 2 * len(VALUES)]
    assert found[-2] == KNOWN_TEXTS.index("taken")
    assert len(texts) == found[-1] + 1


def test_a_text_is_not_the_list_or_object_that_is_written_like_it() -> None:
    assert len({*Texts().handles(["[]", [], "{}", {}])}) == 4
