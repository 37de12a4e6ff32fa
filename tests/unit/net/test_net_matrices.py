"""Incidence matrices and marking vectors."""

from __future__ import annotations

import numpy as np
import pytest

from wfsim.errors import NetError
from wfsim.net.incidence import incidence, marking_vector, post, pre
from wfsim.net.petri import PetriNet


def net_with(*more: tuple[str, str, int, str]) -> PetriNet:
    arcs = [("p", "t", 2), ("t", "q", 3), ("q", "u"), ("u", "q"), *more]
    return PetriNet("n", ["p", "q"], ["t", "u"], arcs, {"p": 4})


def test_columns_are_transitions_and_rows_places() -> None:
    net = net_with()
    np.testing.assert_array_equal(pre(net), [[2, 0], [0, 1]])
    np.testing.assert_array_equal(post(net), [[0, 0], [3, 1]])
    np.testing.assert_array_equal(incidence(net), [[-2, 0], [3, 0]])
    assert incidence(net).dtype == np.int64


def test_read_and_inhibitor_arcs_leave_no_trace() -> None:
    net = net_with(("q", "t", 5, "read"), ("p", "u", 7, "inhibitor"))
    np.testing.assert_array_equal(incidence(net), incidence(net_with()))
    np.testing.assert_array_equal(pre(net), pre(net_with()))


def test_a_reset_arc_has_no_incidence_matrix() -> None:
    with pytest.raises(NetError, match="'q' -> 't' removes as many tokens as there are"):
        incidence(net_with(("q", "t", 1, "reset")))


def test_the_largest_weights_fit() -> None:
    net = PetriNet("n", ["p"], ["t", "u"], [("p", "t", 2**53), ("u", "p", 2**53)], {})
    np.testing.assert_array_equal(incidence(net), [[-(2**53), 2**53]])


def test_a_marking_too_large_for_64_bits_is_refused() -> None:
    net = net_with()
    np.testing.assert_array_equal(marking_vector(net.initial_marking), [4, 0])
    with pytest.raises(NetError, match="place 'q' holds 9223372036854775808 tokens"):
        marking_vector(net.marking({"q": 2**63}))
    assert marking_vector(net.marking({"q": 2**63 - 1}))[1] == 2**63 - 1


def test_a_net_without_nodes_has_empty_matrices() -> None:
    assert incidence(PetriNet("empty", [], [], [], {})).shape == (0, 0)
