"""Digests of the examples, which change only with the meaning or with what is drawn: then they are noted anew, and the
CHANGELOG says so. `python -m tests.unit.simulation.test_golden_digests` prints them.
"""

from __future__ import annotations

import pytest

import wfsim as wf

CASES = 25
DIGESTS = {
    "document_request": "b8d16dd7e28d76f20cfa89e751827897453d601937b38d0cd6157a2d43e9c42f",
    "employee_onboarding": "19daa9f6daf22925836cac0b532a53b1cd50d8db391c3011412649cb69b6e1ef",
    "fenced_shard": "80b17229a03b9a622749fcce5e7aeeb9dfbfe3f39f3adc6f99338183037360bf",
    "food_delivery": "85edf4d3de5e2dca52c22e238ca17d66821d32d47c938740767f07a9f7a785b8",
    "incident_response": "3eecc1e1a2d1ef889d2ce600fb2e36aadad9f02f5e1a88557d5be146966f0da8",
    "insurance_claim": "9f785536a0d4de7dd7fb7bbc816dc9aa624e833d25a7909ffdf8a00583ca32ce",
    "iot_device": "e4f1b61996f120f06bc5c801833994122f7567964f79d6f8e9e815bbc7d12f41",
    "loan_application": "9172cfc11fd6c92c1c2104c494acbb90c807a933ce1af3cba484b7db0208002b",
    "order_fulfilment": "e03975eea527f4ef9faf99472c1c0056d09aafe2dd7f22353606b9b24e1e2dc7",
    "order_processing": "3280486d5a46281e638a21eff079f1cacfb54e9904410a2a230303e69be58e07",
    "published/order_processing": "14141716d87dd5839cf8e5c6f65b5884329b5b4dc2f32314cea94521b6b983d5",
    "release": "bfb98813c817308e281901658d54da950a0853f3c9143c3ced203cb2e4de93cc",
    "shard": "96729f240eb6e143781df38600a594c265a111ffabc35c6d7df42eb3a8169654",
    "shipping": "bf954cba3bdbcaf545eeb891242347120037a62e2b669dd810f0358b034f285a",
    "subscription": "9fe20d414423447ff221f6190331f6476595a6da430566484cc0ef9e0fca84c4",
    "travel_booking": "1685444d2f04bfe1ac1dc15308931e41ed2c982c1367bbf7935c937d3c9500f6",
}


def digest_of(name: str, engine: str = "python") -> str:
    """The digest of a history of few cases."""
    files = wf.examples()[name]
    history = wf.simulate(
        wf.example(name),
        files.scenario,
        cases=CASES,
        catalogue=files.definition.parent,
        engine=engine,  # type: ignore[arg-type]
    )
    return history.digest


def test_every_example_has_one() -> None:
    assert sorted(DIGESTS) == sorted(wf.examples())


@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_the_digest_is_as_it_was(name: str) -> None:
    assert digest_of(name) == DIGESTS[name]


@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_the_compiled_engine_has_the_same(name: str) -> None:
    assert digest_of(name, "compiled") == DIGESTS[name]


if __name__ == "__main__":
    for name in sorted(wf.examples()):
        print(f'    "{name}": "{digest_of(name)}",')
