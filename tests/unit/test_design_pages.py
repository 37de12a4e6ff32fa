"""docs/published_design.md and docs/compare.md point to what is there, and leave no chapter and no source out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DESIGN = ROOT / "docs" / "published_design.md"
COMPARISON = ROOT / "docs" / "compare.md"
# Sections of each chapter, as the design numbers them: some twice.
SECTIONS = {
    "一": ["1 · 1.1", "1 · 1.2", "1 · 1.3", "2"],
    "二": ["2.1 · 1.1", "2.1 · 1.2", "2.1 · 1.3", "2.2"],
    "三": ["3.1 · 3.1.1", "3.1 · 3.1.2", "3.1 · 3.1.3", "3.2"],
    "四": ["4.1", "4.1 · 4.1.1", "4.1 · 4.1.2", "4.1 · 4.1.3", "4.2"],
    "五": ["1", "2", "3", "4", "5"],
    "六": ["第一阶段", "第二阶段", "第三阶段", "第四阶段", "总结"],
    "七": ["1", "2", "3", "7.4"],
    "八": ["阶段一", "阶段二", *["阶段三 ·"] * 3, *["阶段四 ·"] * 3],
    "九": ["1", "2", "3"],
    "十": ["1", "2 实施建议 ·", "2 实施建议 ·", "3", "4", "5"],
    "十一": ["1", "2", "3"],
}


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables, without heads and rules."""
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        for line in table.splitlines()[2:]:
            yield [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("page", [DESIGN, COMPARISON], ids=lambda page: page.stem)
def test_what_the_pages_link_to_and_the_files_that_they_name_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
    named = {name for name in re.findall(r"`([\w./]+)`", text) if re.search(r"/$|\w/\w|\.(?:py|yaml|ipynb|md)$", name)}
    named = {name for name in named if not name.startswith("/")}
    assert len(named) > 1
    below = (ROOT, ROOT / "wfsim", ROOT / "tests")
    assert sorted(name for name in named if not any((folder / name).exists() for folder in below)) == []


def test_every_section_of_the_design_has_its_line() -> None:
    chapters = re.split(r"^## ", DESIGN.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {head.split()[0]: list(rows(head)) for head in chapters if head.split()[0] in SECTIONS}
    assert list(found) == list(SECTIONS)
    for chapter, lines in found.items():
        assert len(lines) == len(SECTIONS[chapter]), chapter
        for line, section in zip(lines, SECTIONS[chapter], strict=True):
            assert line[0].startswith(section), (chapter, line[0])
            assert len(line) == 4, line
            assert line[1] in {"there", "partly", "missing", "other way", "advice"}, line


def test_every_source_of_the_comparison_is_named_once_listed_and_used() -> None:
    text = COMPARISON.read_text(encoding="utf-8")
    body, listed = text.split("## Sources")
    listed, addresses = listed.split("\n[T1]:", 1)
    found = Counter(re.findall(r"^\[(\w\d+)\]: https://", f"[T1]:{addresses}", flags=re.MULTILINE))
    assert set(found.values()) == {1}
    assert set(re.findall(r"\[([A-Z]\d+)\]", body)) == set(found)
    assert set(re.findall(r"\[([A-Z]\d+)\]", listed)) == set(found)


def test_every_row_of_the_comparison_has_a_cell_for_each_engine() -> None:
    engines = COMPARISON.read_text(encoding="utf-8").split("## The other halves")[0]
    lines = list(rows(engines))
    assert len(lines) > 20
    assert [line[0] for line in lines if len(line) != 7 or not all(line)] == []
