"""Questions about a net in a file, as the command line asks them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wfsim.errors import DefinitionError
from wfsim.net.pnml import read_pnml
from wfsim.verification.nets.check import CLAIMS, Asked, check_all
from wfsim.verification.nets.contest import read_properties
from wfsim.verification.nets.limits import Limits
from wfsim.verification.nets.net_questions import QUESTIONS
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status, Verdict


def question(text: str) -> Property:
    """A question in one text: `live`, `bounded: 3`, or `never: tokens("p") > 1`.

    Raises
    ------
    DefinitionError
        If it needs options that one text cannot give.
    """
    name, colon, rest = (part.strip() for part in text.partition(":"))
    if not colon:
        return Property(name)
    if name == "bounded" and rest.isdigit():
        return Property(name, {"k": int(rest)})
    if name in CLAIMS and "of" not in CLAIMS[name].model_fields:
        wanted = ", ".join(field.alias or key for key, field in CLAIMS[name].model_fields.items())
        raise DefinitionError(f"{name!r} takes several claims ({wanted}): ask it from Python, with wf.check.")
    return Property(name, rest)


def check_file(
    net: Path,
    properties: Path | None,
    asked: Sequence[str],
    limits: Limits,
    *,
    trust_units: bool,
) -> list[Verdict]:
    """Verdicts on a net in PNML: of a property file, of questions in text, or of every question that has a name."""
    questions: list[Asked] = [] if properties is None else [*read_properties(properties)]
    questions += map(question, asked)
    read = read_pnml(net)
    if not questions:
        questions += [name for name in QUESTIONS if name != "unit_safe" or read.units is not None]
    return check_all(read, questions, limits, trust_units=trust_units)


def all_hold(verdicts: Sequence[Verdict]) -> bool | None:
    """Whether all hold; None if some are open, and none is violated."""
    if any(verdict.status is Status.VIOLATED for verdict in verdicts):
        return False
    return None if any(verdict.status is not Status.HOLDS for verdict in verdicts) else True
