"""The whole path once, on the order workflow: what `make demo` and `wfsim demo` show."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wfsim.model.workflow import Workflow


def run_demo(
    *,
    folder: Path,
    cases: int,
    say: Callable[[str], None],
    head: Callable[[str], None],
    show_findings: Callable[[Workflow], None],
    show_report: Callable[[Any], None],
    show_table: Callable[[str, Any], None],
) -> None:
    """Load, check, prove, simulate, ask, draw and run; everything it makes lies in `folder`."""
    import wfsim as wf
    from wfsim.exploration.workflow_witness import WorkflowWitness
    from wfsim.net.petri import MAX_DRAWN

    files = wf.examples()["order_processing"]
    folder.mkdir(parents=True, exist_ok=True)

    head("1  The order workflow as published, and what is wrong with it")
    broken = wf.example("published/order_processing")
    say(f"{broken!r}, from wf.example('published/order_processing')")
    show_findings(broken)

    head("2  What that leads to: shortest traces")
    report = wf.verify(broken)
    show_report(report)
    stuck = next(verdict for verdict in report if verdict.property == "can_complete")
    assert isinstance(stuck.witness, WorkflowWitness)
    played = folder / "counterexample.html"
    try:
        wf.Stepper(stuck.witness).to_html(played)
        say(f"{played} plays the trace of can_complete on the drawing: open it in a browser.")
    except wf.WfsimError as missing:  # built without the front end
        say(str(missing))

    head("3  The repaired workflow, proved")
    order = wf.example("order_processing")
    say(f"{order!r}: {len(wf.lint(order))} findings")
    show_report(wf.verify(order, files.properties))
    net = wf.to_net(order, instances=2, pools={"packers": 1})
    space = wf.explore(net)
    say(f"Two orders that share one packer: {space.n_markings:,} markings, {space.n_edges:,} edges.")

    head(f"4  {cases:,} orders under load")
    assert files.scenario is not None
    scenario = wf.load_scenario(files.scenario)
    stored = folder / "orders.duckdb"
    began = time.perf_counter()
    history = wf.simulate(order, scenario, cases=cases, into=stored, progress=True)
    say(
        f"{len(history):,} records in {time.perf_counter() - began:.1f} s, seed {scenario.seed}, "
        f"digest {history.digest[:16]}…"
    )
    for note in history.notes:
        say("Note: " + note)

    head("5  Asking the history with SQL")
    question = (
        "SELECT path, cases, share, p50_time, p95_time, success, failure + failed + timed_out AS other "
        "FROM hot_paths ORDER BY cases DESC, path LIMIT 5"
    )
    say(question)
    show_table("hot paths", history.sql(question))
    slow = (
        "SELECT what, name, n, mean_wait AS mean, p95_wait AS p95, total_wait AS total "
        "FROM bottlenecks ORDER BY total_wait DESC, name LIMIT 5"
    )
    show_table("where time goes", history.sql(slow))

    head("6  Pictures")
    paths = wf.hot_paths(history)
    small, whole = wf.to_net(wf.new("approval")), wf.to_net(order)
    pictures: Mapping[str, str] = {
        "order.svg": wf.picture(order).to_svg(),
        "published_order.svg": wf.picture(broken).to_svg(),
        "approval_net.svg": wf.picture(small).to_svg(),
    }
    for name, svg in pictures.items():
        (folder / name).write_text(svg, encoding="utf-8")
    paths.plot().write_html(folder / "hot_paths.html", include_plotlyjs=True)
    say("order.svg, published_order.svg, approval_net.svg, hot_paths.html")
    nodes = len(whole.places) + len(whole.transitions)
    say(
        f"approval_net.svg is the net of the template 'approval'. That of the order has {nodes:,} nodes, "
        + (
            f"more than the {MAX_DRAWN} that can be read, and is not drawn."
            if nodes > MAX_DRAWN
            else "in order_net.svg."
        )
    )
    if nodes <= MAX_DRAWN:
        (folder / "order_net.svg").write_text(wf.picture(whole).to_svg(), encoding="utf-8")

    head("7  One order for real, with Python activities")
    _run_one(order, folder, say)

    head("Done")
    say(f"Everything lies in {folder}/: the history (orders.duckdb), the pictures, the real order (runs.db).")
    say(
        "In a checkout: make lab, then 05_draw_and_step.ipynb to draw a workflow, 01_first_workflow.ipynb for the rest."
    )
    command = _command()
    say("Ask the history, or look at a workflow of your own:")
    say(f"    {command} report {stored}")
    say(f"    {command} new mine.yaml")
    if command != "wfsim":
        say(f"(After `source {Path(command).with_name('activate')}` plain `wfsim` will do.)")


def _command() -> str:
    """How the command of this installation is called here."""
    if shutil.which("wfsim") is not None:
        return "wfsim"
    script = Path(sys.executable).with_name("wfsim")
    return os.path.relpath(script) if script.is_relative_to(Path.cwd()) else str(script)


def _run_one(order: Workflow, folder: Path, say: Callable[[str], None]) -> None:
    """An order from validation to delivery; payment fails once and is tried again."""
    import wfsim as wf

    stored = folder / "runs.db"
    for end in ("", "-wal", "-shm"):
        stored.with_name(stored.name + end).unlink(missing_ok=True)

    def validate_order(order_id: str, items: list[str]) -> None:
        if not items:
            raise ValueError("an order needs items")

    def charge_card(order_id: str, amount: float, currency: str) -> str:
        return f"payment for {order_id}: {amount:.2f} {currency}"

    def nothing(**inputs: Any) -> None:
        """An activity that has nothing to do in a demonstration."""

    functions: dict[str, Callable[..., Any]] = {
        "validate_order": validate_order,
        "charge_card": charge_card,
        "allocate_inventory": lambda order_id, items: f"shelf-{len(items)}",
        "pack_order": nothing,
        "notify_customer": nothing,
        "void_payment": nothing,
        "release_inventory": nothing,
        "refund_payment": nothing,
    }
    values = {"order_id": "A-1", "total_amount": 59.9, "currency": "EUR", "items": ["book", "lamp"]}
    with wf.start(order, input=values, activities=functions, store=stored, id="order-1") as run:
        for event, payload, then in (
            ("order_validated", {}, "validated"),
            ("payment_initiated", {}, "payment_pending"),
            ("payment_failed", {"reason": "declined"}, "payment_failed"),
            ("retry_payment", {}, "payment_pending"),
            ("payment_completed", {"payment_id": "p-7"}, "inventory_allocated"),
            ("order_shipped", {"shipment_id": "s-9"}, "shipped"),
            ("order_delivered", {}, "completed"),
        ):
            run.send(event, payload)
            run.wait(then, timeout=10)
            say(f"  {event:<20} → {run.state}")
            if run.state == "inventory_allocated":
                say(f"  why not order_delivered? {' '.join(run.why_not('order_delivered').reasons)}")
        say(f"  {run.status}, {run.outcome}; attempts = {run.variables['attempts']}, output {run.output}")
        history = run.history
        say(f"  {len(history)} records stored; replayed to '{history.case('order-1').replay().state}'.")
