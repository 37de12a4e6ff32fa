"""Digests of the examples, which change only with the meaning or with what is drawn: then they are noted anew, and the
CHANGELOG says so. `python -m tests.unit.simulation.test_golden_digests` prints them.
"""

from __future__ import annotations

import pytest

import wfsim as wf

CASES = 25
DIGESTS = {
    "document_request": "f9ef9cc13c5b1aa597a1128cb75e7b7af22a6453fa1a86fdbbcf8b1904685beb",
    "employee_onboarding": "909d367c77579b61d348db8e64f53b0ce6779469dc788cd3e4429a93c4442da1",
    "fenced_shard": "86f8f911046bf14f4ab614b8c16f622523d70b1c1f2f5658fd7dd735aa4e6607",
    "food_delivery": "bce15d9feb6b91f13dd85d92d1b0ec4cc85ab5c81099b6fb1a1108bb8b94f2de",
    "incident_response": "7bc54a6064cd79d2d152149fa6c37ad44e7c3184b544db6bd8d4eb66b4dd921d",
    "insurance_claim": "9f8d6a9df640fc840ebfc1a42ca267ef2af7cd10a78995693721611072b7ddc8",
    "iot_device": "a1af3840f0426b5edae3f23fe9ad3ee748c28f6abb385d5c47757a217d5e9b66",
    "loan_application": "f288fddd147c7a380170dd3bf1472284b32da5bd9f94ea7a287066630f072a6e",
    "order_fulfilment": "2b34824a5ccc19a032d6653ebc8d96bcdfb998cb601ce2cd4af407016d2ac475",
    "order_processing": "94303f5dabcb4006b4bac8edf0673f4cdfc3a176e52bf0cc9e6cfa427bf4022a",
    "published/order_processing": "23c3883cd07d32ad93bc63a91fe26f316892cb4c331c36fc4c37d3ea74589eeb",
    "release": "581e37f22f2c469c0f601916f6b66d82d4564cf4aa11a4c6a24c59117b1b751f",
    "shard": "0c825cc42b8a90969c8869740fbb3060d44468ef4fbfd118231eb5f1e8e6ab34",
    "shipping": "ce6f023e27809296283f33d3c19d322529e0f7edab70ed91740131e9fc99d070",
    "subscription": "ebe0680e164d3b9e7d4672755ec9cd892578c84e9d00115028dd493c4d9a3460",
    "travel_booking": "004d178b559a4d01be60ef375125327974c6eff5187e2bbda4fd7efcdecf0993",
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
