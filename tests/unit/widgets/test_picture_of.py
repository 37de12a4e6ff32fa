"""`wf.picture` draws what has a picture, and says what to do with the rest."""

from __future__ import annotations

import json

import pytest

import wfsim as wf
from wfsim.errors import WfsimError


def test_a_workflow_and_its_net_have_pictures_that_are_plain_data() -> None:
    order = wf.load("models/order_processing.yaml")
    states = wf.picture(order).to_dict()
    places = wf.picture(wf.to_net(order)).to_dict()
    assert "state:payment_pending" in {node["id"] for node in states["nodes"]}
    assert {node["shape"] for node in places["nodes"]} == {"circle", "box"}
    for each in (states, places):
        assert json.loads(json.dumps(each)) == each


def test_the_direction_can_be_chosen() -> None:
    order = wf.new("minimal")
    assert wf.picture(order).direction == "TB"
    assert wf.picture(order, direction="LR").direction == "LR"
    assert wf.picture(wf.to_net(order)).direction == "LR"


def test_anything_else_is_refused_with_advice() -> None:
    with pytest.raises(WfsimError, match=r"a str has no picture.*wf\.Stepper"):
        wf.picture("order")  # type: ignore[arg-type]
