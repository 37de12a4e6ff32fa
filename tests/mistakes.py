"""Mistakes that people make in definitions that are otherwise right, each with the code of the finding that tells it.

Each is a replacement in a file of `models/` or `tests/corpus/`. Twelve of the kinds are those of a study in which three
workflows were written by somebody new to the language.
"""

# ruff: noqa: E501

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "corpus"
MODELS = ROOT / "models"


@dataclass(frozen=True)
class Mistake:
    """One replacement, or several, in a definition, and the finding that tells it."""

    kind: str
    file: str
    changes: tuple[tuple[str, str], ...]
    code: str
    place: str

    def text(self) -> str:
        """The definition with the mistake in it."""
        text = (ROOT / self.file).read_text(encoding="utf-8")
        for old, new in self.changes:
            assert old in text, f"{self.file} has no {old!r}"
            text = text.replace(old, new)
        return text


def correct() -> list[Path]:
    """Every definition that is right: the corpus, and the models that ship."""
    files = [*CORPUS.glob("*.yaml"), *MODELS.glob("*.yaml")]
    return sorted(path for path in files if not path.name.endswith(".scenario.yaml"))


MISTAKES = [
    Mistake(
        "done and error swapped",
        "models/order_processing.yaml",
        (
            ("to: inventory_allocated, event: done}", "to: inventory_allocated, event: error}"),
            (
                "    to: refund_pending\n    event: error\n    pre_actions:\n      - {action_type: set_variable, parameters: {name: reason, value: out of stock}}",
                "    to: refund_pending\n    event: done\n    pre_actions:\n      - {action_type: set_variable, parameters: {name: reason, value: out of stock}}",
            ),
        ),
        "done-error-crossed",
        "state 'payment_completed'",
    ),
    Mistake(
        "done and error swapped",
        "models/loan_application.yaml",
        (
            ("{from: paying, event: done, to: paid}", "{from: paying, event: error, to: paid}"),
            ("{from: paying, event: error, to: blocked}", "{from: paying, event: done, to: blocked}"),
        ),
        "done-error-crossed",
        "state 'paying'",
    ),
    Mistake(
        "done and error swapped",
        "tests/corpus/hotel_stay.yaml",
        (
            ("{from: holding, event: done, to: held}", "{from: holding, event: error, to: held}"),
            ("{from: holding, event: error, to: full}", "{from: holding, event: done, to: full}"),
        ),
        "done-error-crossed",
        "state 'holding'",
    ),
    Mistake(
        "cancelled after the payment without a refund",
        "models/order_processing.yaml",
        (
            (
                "  - from: inventory_allocated\n    to: refund_pending\n    event: order_cancelled",
                "  - from: inventory_allocated\n    to: cancelled\n    event: order_cancelled",
            ),
        ),
        "undo-forgotten",
        "transition 21 (inventory_allocated → cancelled on order_cancelled)",
    ),
    Mistake(
        "cancelled after the payment without a refund",
        "tests/corpus/pizza_order.yaml",
        (
            (
                "{from: [baking, ready], event: cancelled, to: undoing}",
                "{from: [baking, ready], event: cancelled, to: cancelled}",
            ),
        ),
        "compensation-missing",
        "transition 8 (baking → cancelled on cancelled)",
    ),
    Mistake(
        "cancelled after the payment without a refund",
        "tests/corpus/hotel_stay.yaml",
        (("{from: held, event: called_off, to: releasing}", "{from: held, event: called_off, to: not_used}"),),
        "undo-forgotten",
        "transition 5 (held → not_used on called_off)",
    ),
    Mistake(
        "an event that comes too late",
        "models/order_processing.yaml",
        (
            (
                '      - {action_type: set_variable, parameters: {name: reason, value: payment timed out}}\n      - {action_type: activity, name: void_payment, parameters: {order_id: "${context.order_id}"}, on_failure: ignore}\n',
                "      - {action_type: set_variable, parameters: {name: reason, value: payment timed out}}\n",
            ),
        ),
        "event-too-late",
        "transition 12 (payment_pending → cancelled on timeout)",
    ),
    Mistake(
        "outcome: failure forgotten",
        "models/shipping.yaml",
        (("{name: lost, is_terminal: true, outcome: failure}", "{name: lost, is_terminal: true}"),),
        "outcome-forgotten",
        "state 'lost'",
    ),
    Mistake(
        "outcome: failure forgotten",
        "models/order_processing.yaml",
        (("{name: refund_overdue, is_terminal: true, outcome: failure}", "{name: refund_overdue, is_terminal: true}"),),
        "outcome-forgotten",
        "state 'refund_overdue'",
    ),
    Mistake(
        "outcome: failure forgotten",
        "models/travel_booking.yaml",
        (
            ("{name: undone_by_hand, is_terminal: true, outcome: failure}", "{name: settled, is_terminal: true}"),
            ("to: undone_by_hand", "to: settled"),
        ),
        "outcome-forgotten",
        "state 'settled'",
    ),
    Mistake(
        "wrong variable as a parameter",
        "models/order_processing.yaml",
        (('parameters: {payment_id: "${context.payment_id}"', 'parameters: {payment_id: "${context.order_id}"'),),
        "parameter-crossed",
        "state 'refund_pending'",
    ),
    Mistake(
        "wrong variable as a parameter",
        "tests/corpus/hotel_stay.yaml",
        (
            (
                'name: release_room, parameters: {room: "${context.room}"}',
                'name: release_room, parameters: {room: "${context.guest}"}',
            ),
        ),
        "parameter-crossed",
        "state 'releasing'",
    ),
    Mistake(
        "wrong variable as a parameter",
        "models/order_processing.yaml",
        (
            (
                'amount: "${context.total_amount}", currency: "${context.currency}"}\n  - {name: refund_review',
                'amount: "${context.attempts}", currency: "${context.currency}"}\n  - {name: refund_review',
            ),
        ),
        "parameter-crossed",
        "state 'refund_pending'",
    ),
    Mistake(
        "compensators swapped",
        "models/travel_booking.yaml",
        (
            ("compensate_with: cancel_hotel", "compensate_with: X"),
            ("compensate_with: return_car", "compensate_with: cancel_hotel"),
            ("compensate_with: X", "compensate_with: return_car"),
        ),
        "compensators-crossed",
        "activity 'book_hotel'",
    ),
    Mistake(
        "compensators swapped",
        "tests/corpus/new_colleague.yaml",
        (
            ("compensate_with: delete_account", "compensate_with: X"),
            ("compensate_with: return_laptop", "compensate_with: delete_account"),
            ("compensate_with: X", "compensate_with: return_laptop"),
        ),
        "compensators-crossed",
        "activity 'create_account'",
    ),
    Mistake(
        "compensator without retries",
        "tests/corpus/pizza_order.yaml",
        (
            (
                "refund_card: {timeout: 1m, retry_policy: {max_attempts: 10, initial_interval: 5s, max_interval: 10m}}",
                "refund_card: {timeout: 1m}",
            ),
        ),
        "compensator-unretried",
        "activity 'refund_card'",
    ),
    Mistake(
        "compensator without retries",
        "models/release.yaml",
        (
            (
                "roll_back: {timeout: 10m, retry_policy: {max_attempts: 10, initial_interval: 10s, max_interval: 5m}}",
                "roll_back: {timeout: 10m}",
            ),
        ),
        "compensator-unretried",
        "activity 'roll_back'",
    ),
    Mistake(
        "approval counted twice",
        "models/loan_application.yaml",
        (
            (
                "condition: context.first_by != null and event.by != context.first_by",
                "condition: context.amount > 1000.0",
            ),
        ),
        "consent-counted-twice",
        "transition 1 of region 'second' of state 'deciding' (open → approved on approve)",
    ),
    Mistake(
        "approval counted twice",
        "tests/corpus/invoice_approval.yaml",
        (("    condition: event.by != context.first_by\n", ""),),
        "consent-counted-twice",
        "transition 3 (half → paying on approve)",
    ),
    Mistake(
        "approval counted twice",
        "tests/corpus/change_board.yaml",
        (("event.by != context.last_by and event.by != context.before_by and ", ""),),
        "consent-counted-twice",
        "transition 1 (voting → (none) on vote)",
    ),
    Mistake(
        "counter never reset",
        "models/subscription.yaml",
        (
            (
                "  - from: charging\n    event: done\n    to: active\n    pre_actions: [{action_type: set_variable, parameters: {name: reminders, value: 0}}]\n",
                "  - {from: charging, event: done, to: active}\n",
            ),
        ),
        "counter-not-reset",
        "transition 10 (dunning → charging after 5d)",
    ),
    Mistake(
        "counter never reset",
        "tests/corpus/gym_membership.yaml",
        (
            (
                "    to: active\n    pre_actions: [{action_type: set_variable, parameters: {name: failures, value: 0}}]\n",
                "    to: active\n",
            ),
        ),
        "counter-not-reset",
        "transition 6 (charging → behind on error)",
    ),
    Mistake(
        "wrong variable in an inner guard",
        "models/loan_application.yaml",
        (("condition: context.score != null and context.score < 300", "condition: context.accounts < 300"),),
        "guard-overlooks-result",
        "state 'scoring'",
    ),
    Mistake(
        "wrong variable in an inner guard",
        "tests/corpus/newsletter.yaml",
        (
            ("  checked: {type: boolean", "  urgent: {type: boolean, input: true}\n  checked: {type: boolean"),
            ("condition: context.checked == true", "condition: context.urgent"),
        ),
        "guard-overlooks-result",
        "state 'checking'",
    ),
    Mistake(
        "alarm not handled in one state",
        "models/release.yaml",
        (
            (
                "{from: [canary, quarter, waiting, watched], event: alarm, to: retreat}",
                "{from: [canary, waiting, watched], event: alarm, to: retreat}",
            ),
        ),
        "event-left-out",
        "state 'quarter'",
    ),
    Mistake(
        "alarm not handled in one state",
        "models/order_processing.yaml",
        (
            (
                "  - from: payment_pending\n    to: cancelled\n    event: order_cancelled",
                "  - from: payment_pending\n    to: cancelled\n    event: refund_processed",
            ),
        ),
        "event-left-out",
        "state 'payment_pending'",
    ),
    Mistake(
        "timeout of a parallel state too short",
        "tests/corpus/concert_booking.yaml",
        (("    timeout: 1h\n", "    timeout: 12m\n"),),
        "timeout-contradiction",
        "state 'booking'",
    ),
    Mistake(
        "timeout of a parallel state too short",
        "tests/corpus/new_colleague.yaml",
        (
            ("            - {name: furnishing}", "            - {name: furnishing, timeout: 60d}"),
            (
                "{from: furnishing, event: desk_ready, to: there}",
                "{from: furnishing, event: desk_ready, to: there}\n            - {from: furnishing, event: timeout, to: there}",
            ),
        ),
        "timeout-contradiction",
        "state 'furnishing'",
    ),
    Mistake(
        "timeout of a state shorter than its packing",
        "models/order_processing.yaml",
        (("{name: inventory_allocated, timeout: 3d}", "{name: inventory_allocated, timeout: 3h}"),),
        "timeout-contradiction",
        "state 'inventory_allocated'",
    ),
    Mistake(
        "timeout of a state shorter than its packing",
        "tests/corpus/pizza_order.yaml",
        (("{name: baking, timeout: 2h", "{name: baking, timeout: 20m"),),
        "timeout-contradiction",
        "state 'baking'",
    ),
]
