"""docs/keys.md says what the classes say; `python -m tests.keys_page` writes it anew."""

from __future__ import annotations

from tests import keys_page


def test_the_page_of_keys_is_up_to_date() -> None:
    assert keys_page.PAGE.read_text(encoding="utf-8") == keys_page.text()


def test_every_element_has_a_section_with_all_of_its_keys() -> None:
    sections = keys_page.PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    assert len(sections) == len(keys_page.elements())
    for section, element in zip(sections, keys_page.elements().values()):
        rows = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
        assert rows == list(element["properties"])


def test_an_example_is_one_that_somebody_wrote() -> None:
    assert keys_page.found_examples()["State", "timeout"] == "`1d`"
    assert keys_page.found_examples()["Parallel", "join"] == "`2`"
