"""docs/keys.md says what the classes say; `python -m tests.keys_page` writes it anew."""

from __future__ import annotations

from pathlib import Path

import wfsim as wf
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


def test_every_key_has_an_example() -> None:
    missing = [
        (name, key) for name, one in keys_page.elements().items() for key in one["properties"]
        if (name, key) not in keys_page.found_examples()
    ]  # fmt: skip
    assert missing == []


def test_the_definition_of_rare_keys_is_right(tmp_path: Path) -> None:
    (tmp_path / "common.shared.yaml").write_text("events: {over: {}}\n", encoding="utf-8")
    (tmp_path / "rare.yaml").write_text(keys_page.RARE, encoding="utf-8")
    assert wf.load(tmp_path / "rare.yaml").max_automatic == 20
