"""The token game: a net played by hand, and the firing sequence of a verdict walked through."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

import wfsim as wf
from tests.nets import deadlock_free, net_of
from tests.unit.widgets.test_stepper import Page
from wfsim.errors import WfsimError
from wfsim.verification.nets.soundness import soundness
from wfsim.widgets.token_game import MOST_LISTED, TokenGame

DESK = net_of("desk", "new>Pick>picked>Check>done free>Pick free>Check", {"new": 3, "free": 2})


def lit(game: TokenGame, role: str) -> set[str]:
    return {name for name, found in game.lit().items() if found == role}


def test_a_click_fires_and_the_picture_shows_the_tokens() -> None:
    game = TokenGame(DESK)
    assert lit(game, "active") == {"Pick"}
    page = Page(game)
    page.do("Pick")
    assert game.marking.to_dict() == {"new": 2, "picked": 1, "free": 1}
    assert lit(game, "active") == {"Pick", "Check"}
    assert lit(game, "visited") == {"new", "picked", "free"}
    root = ET.fromstring(game.to_svg())
    assert root.tag.endswith("svg")
    assert page.scene["tokens"] == {"new": 2, "picked": 1, "done": 0, "free": 1}
    assert page.scene["actions"]["Check"]["at"] == ["Check"]
    assert page.scene["variables"]["new"] == {"value": "2", "before": "3", "changed": True}


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
    Page(game).ask("jump", to=2)
    assert game.cursor == 2


def test_what_cannot_fire_says_why_and_loses_nothing() -> None:
    game = TokenGame(DESK)
    assert not game.fire("Check")
    assert "picked" in game.problem
    page = Page(game)
    assert "picked" in page.scene["actions"]["Check"]["reason"]
    page.do("Check")
    assert "picked" in page.problem
    assert game.cursor == 0
    assert not game.fire("Chek")
    assert "Chek" in game.problem
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
    page = Page(game)
    assert page.scene["head"]["status"] == "stuck"
    assert page.scene["why"] == deadlock_free(DESK).reason
    assert not any(one["enabled"] for one in page.scene["actions"].values())
    assert game.to_dict()["stuck"] is True


def test_the_end_is_not_stuck() -> None:
    game = wf.Stepper(wf.to_net(wf.new("minimal")))
    while game.enabled:
        assert game.fire(game.enabled[0])
    assert not game.is_stuck
    assert Page(game).scene["head"]["status"] == "final marking"


def test_a_large_net_is_played_on_its_overview() -> None:
    net = wf.to_net(wf.load("models/order_fulfilment.yaml"))
    game = TokenGame(net)
    for _ in range(20):
        if game.enabled:
            # What the overview folds away is lit, and clicked, at the circle that stands for it.
            assert lit(game, "active")
            assert game.fire(game.enabled[-1])
    assert len(game.picture.nodes) < 100
    drawn = {node.id for node in game.picture.nodes}
    assert set(game.lit()) <= drawn
    assert set(Page(game).scene["tokens"]) <= drawn


def test_of_many_that_can_fire_some_are_listed_and_all_are_in_the_drawing() -> None:
    net = net_of("wide", " ".join(f"a>T{k}>b" for k in range(MOST_LISTED + 5)), {"a": 1})
    game = TokenGame(net)
    page = Page(game)
    assert len(page.scene["order"]) == MOST_LISTED
    assert page.scene["head"]["status"] == f"{MOST_LISTED + 5} can fire"
    page.do(f"T{MOST_LISTED + 4}")
    assert game.cursor == 1


def test_playing_fires_what_has_not_fired_yet_until_nothing_can() -> None:
    game = TokenGame(DESK)
    page = Page(game)
    for _ in range(20):
        page.ask("next")
        if page.scene["head"]["stopped"]:
            break
    assert page.scene["head"]["stopped"] == "the end: nothing can fire."
    assert {"Pick", "Check"} == set(game.firing_sequence)


def test_a_notebook_without_widgets_gets_the_picture_and_its_tokens_in_words() -> None:
    bundle = TokenGame(DESK)._repr_mimebundle_()
    assert bundle["text/plain"] == "<TokenGame of 'desk': Marking(new: 3, free: 2), firing 0 of 0>"
    assert "active: Pick" in bundle["text/html"]


def test_only_nets_and_their_witnesses_are_played() -> None:
    with pytest.raises(WfsimError, match="a str has no tokens"):
        TokenGame("net")  # type: ignore[arg-type]
    assert soundness(wf.to_net(wf.new("minimal")))
