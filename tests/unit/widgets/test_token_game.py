"""The token game: a net played by hand, and the firing sequence of a verdict walked through."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

import wfsim as wf
from tests.nets import deadlock_free, net_of
from tests.unit.widgets.test_stepper_widget import Nesting
from wfsim.errors import WfsimError
from wfsim.verification.nets.soundness import soundness
from wfsim.widgets.token_game import MOST_BUTTONS, TokenGame

DESK = net_of("desk", "new>Pick>picked>Check>done free>Pick free>Check", {"new": 3, "free": 2})


def lit(game: TokenGame, role: str) -> set[str]:
    return {name for name, found in game.lit().items() if found == role}


def html(game: TokenGame) -> str:
    parts = ("_head", "_picture", "_problem", "_title", "_fired", "_why_not")
    text = "".join(getattr(game, part).value for part in parts)
    parser = Nesting()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return text


def test_a_click_fires_and_the_picture_shows_the_tokens() -> None:
    game = TokenGame(DESK)
    assert lit(game, "active") == {"Pick"}
    game.button("Pick").click()
    assert game.marking.to_dict() == {"new": 2, "picked": 1, "free": 1}
    assert lit(game, "active") == {"Pick", "Check"}
    assert lit(game, "visited") == {"new", "picked", "free"}
    root = ET.fromstring(game.to_svg())
    assert root.tag.endswith("svg")
    assert "Check" in html(game)


def test_back_forward_and_another_way() -> None:
    game = TokenGame(DESK)
    assert [game.fire(name) for name in ("Pick", "Check")] == [True, True]
    assert game.back()
    assert game.back()
    assert not game.back()
    assert game.forward()
    assert game.firing_sequence == ["Pick", "Check"]
    assert game.fire("Pick")
    assert game.firing_sequence == ["Pick", "Pick"]
    assert not game.forward()
    assert game.jump(1)
    assert not game.jump(9)
    assert game.cursor == 1
    assert repr(game) == "<TokenGame of 'desk': Marking(new: 2, picked: 1, free: 1), firing 1 of 2>"
    game._jump.value = 2
    assert game.cursor == 2


def test_what_cannot_fire_says_why_and_loses_nothing() -> None:
    game = TokenGame(DESK)
    assert not game.fire("Check")
    assert "picked" in game.problem
    assert "picked" in html(game)
    assert game.cursor == 0
    assert not game.fire("Chek")
    assert "Chek" in game.problem
    with pytest.raises(KeyError):
        game.button("Check")
    assert game.fire("Pick")
    assert game.problem == ""


def test_a_counterexample_is_walked_to_where_its_tokens_are_stuck() -> None:
    witness: Any = deadlock_free(DESK).witness
    game = wf.Stepper(witness)
    assert isinstance(game, TokenGame)
    assert game.cursor == 0
    assert not game.is_stuck
    while game.forward():
        pass
    assert game.is_stuck
    assert game.marking == witness.marking
    assert lit(game, "problem") == set(witness.marking.to_dict())
    assert "Nothing can fire" in html(game)
    assert "stuck" in html(game)
    assert game.to_dict()["stuck"] is True


def test_the_end_is_not_stuck() -> None:
    game = wf.Stepper(wf.to_net(wf.new("minimal")))
    while game.enabled:
        assert game.fire(game.enabled[0])
    assert not game.is_stuck
    assert "final marking" in html(game)


def test_a_large_net_is_played_on_its_overview() -> None:
    net = wf.to_net(wf.load("models/order_fulfilment.yaml"))
    game = TokenGame(net)
    for _ in range(20):
        if game.enabled:
            assert game.fire(game.enabled[-1])
    assert len(game.picture.nodes) < 100
    drawn = {node.id for node in game.picture.nodes}
    assert set(game.lit()) <= drawn
    assert "<svg" in html(game)


def test_of_many_that_can_fire_some_have_buttons() -> None:
    net = net_of("wide", " ".join(f"a>T{k}>b" for k in range(MOST_BUTTONS + 5)), {"a": 1})
    game = TokenGame(net)
    assert f"({MOST_BUTTONS} of {MOST_BUTTONS + 5})" in html(game)
    assert game.fire(f"T{MOST_BUTTONS + 4}")


def test_a_notebook_without_widgets_gets_the_picture() -> None:
    bundle = TokenGame(DESK)._repr_mimebundle_()
    assert bundle["text/plain"] == "<TokenGame of 'desk': Marking(new: 3, free: 2), firing 0 of 0>"
    assert "<svg" in bundle["image/svg+xml"]


def test_only_nets_and_their_witnesses_are_played() -> None:
    with pytest.raises(WfsimError, match="a str has no tokens"):
        TokenGame("net")  # type: ignore[arg-type]
    assert soundness(wf.to_net(wf.new("minimal")))
