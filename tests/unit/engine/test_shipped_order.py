"""The order workflow that ships with the package, run for real: paid and delivered, and given back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wfsim.engine.run import start
from wfsim.errors import ActivityError, EventRejected
from wfsim.model.yaml_io import load
from wfsim.runtime.clock import ManualClock

ORDER = load(Path(__file__).parents[3] / "models" / "order_processing.yaml")
INPUT = {"order_id": "o-1", "total_amount": 30, "currency": "EUR", "items": [{"sku": "a", "quantity": 2}]}


class Shop:
    """The world around an order; the bank fails as often as it is told to."""

    def __init__(self, bank_failures: int = 0) -> None:
        self.done: list[str] = []
        self.bank_failures = bank_failures

    def functions(self) -> dict[str, Any]:
        def does(name: str, result: Any = None) -> Any:
            def function(**_: Any) -> Any:
                self.done.append(name)
                return result

            return function

        async def refund_payment(payment_id: str, amount: float, currency: str) -> None:
            if self.bank_failures > 0:
                self.bank_failures -= 1
                raise ActivityError("Bank.Busy")
            self.done.append(f"refund {payment_id} {amount} {currency}")

        functions = {
            name: does(name)
            for name in (
                "validate_order",
                "charge_card",
                "void_payment",
                "release_inventory",
                "pack_order",
                "notify_customer",
            )
        }
        return {**functions, "allocate_inventory": does("allocate", "shelf-3"), "refund_payment": refund_payment}


def test_an_order_is_paid_packed_and_delivered() -> None:
    clock, shop = ManualClock(), Shop()
    with start(ORDER, input=INPUT, activities=shop.functions(), clock=clock) as run:
        for event, payload in (
            ("order_validated", {}),
            ("payment_initiated", {}),
            ("payment_completed", {"payment_id": "p-1"}),
            ("order_shipped", {"shipment_id": "s-1"}),
            ("order_delivered", {}),
        ):
            clock.advance("1h")
            assert run.why_not(event, payload).possible
            assert run.send(event, payload) == "accepted"
        clock.settle()
        assert (run.state, run.status, run.outcome) == ("delivered", "completed", "success")
        assert run.variables["allocation_id"] == "shelf-3"
        assert run.history.case(run.id).replay().variables == run.variables
    assert shop.done == [
        "validate_order",
        "charge_card",
        "allocate",
        "pack_order",
        "notify_customer",
        "notify_customer",
    ]


def test_an_order_cancelled_after_payment_gets_its_money_back_in_the_end() -> None:
    clock, shop = ManualClock(), Shop(bank_failures=3)
    with start(ORDER, input=INPUT, activities=shop.functions(), clock=clock) as run:
        for event, payload in (
            ("order_validated", {}),
            ("payment_initiated", {}),
            ("payment_completed", {"payment_id": "p-1"}),
            ("order_cancelled", {"reason": "changed my mind"}),
        ):
            run.send(event, payload)
            clock.settle()
        assert run.state == "refund_pending"
        with pytest.raises(EventRejected, match="No transition leaves 'refund_pending' on 'order_shipped'"):
            run.send("order_shipped", shipment_id="s-1")
        clock.advance("5m")
        assert (run.state, run.outcome) == ("refunded", "failure")
        assert run.output == {"order_id": "o-1", "payment_id": "p-1", "reason": "changed my mind"}
    assert shop.done[-1] == "refund p-1 30.0 EUR"
