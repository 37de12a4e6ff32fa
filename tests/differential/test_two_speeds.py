"""One source, two speeds: the kernel interpreted and the kernel compiled put out the same, bit for bit."""

from __future__ import annotations

import itertools
import math
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wfsim as wf
from tests.differential.compiled_instance import CompiledInstance, PlainInstance, from_array, lasting, to_array
from tests.random_cases import cases
from tests.strategies import choices, next_stimulus, workflows
from wfsim.model.workflow import Workflow
from wfsim.semantics import codes, draws, dtypes, layout, quantiles, roots, speed, values
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.later import Later
from wfsim.semantics.snapshot import from_snapshot, take_snapshot
from wfsim.semantics.spread import Spread
from wfsim.semantics.stimulus import Stimulus

QUEUES = (codes.WAITING, codes.INTERNAL, codes.DEFERRED)
ROOT = Path(__file__).parents[2]


def bits(real: float) -> str:
    """A double so that -0.0 and 0.0 differ."""
    return real.hex()


def in_step(workflow: Workflow, picks: list[tuple[int, int]], room: int = 4) -> CompiledInstance:
    """Drive both speeds by the same choices and compare everything after each step."""
    program = compile_workflow(workflow)
    plain = PlainInstance(program, key=12345)
    quick = CompiledInstance(program, key=12345, room=room)
    stimulus = Stimulus("start")
    for number in range(len(picks) + 1):
        expected, found = plain.apply(stimulus), quick.apply(stimulus)
        assert found.records == expected.records
        assert found.values == expected.values
        assert [bits(value.real) for value in found.values] == [bits(value.real) for value in expected.values]
        assert found.effects == expected.effects
        assert quick.lasts_like(plain) == lasting(program, plain.m, plain.v)
        found_cells, expected_cells = (lasting(program, [], one.v)[1] for one in (quick, plain))
        assert [bits(cell.real) for cell in found_cells] == [bits(cell.real) for cell in expected_cells]
        assert len(quick.texts) == len(plain.texts)
        if number < len(picks):
            stimulus = next_stimulus(plain, *picks[number], number)
    return quick


@cases(40)
@given(workflows(regions=True), choices)
def test_both_speeds_put_out_the_same_and_leave_the_same(workflow: Workflow, picks: list[tuple[int, int]]) -> None:
    in_step(workflow, picks)


@cases(10)
@given(workflows(regions=True), choices)
def test_a_step_that_is_repeated_with_more_room_puts_out_the_same(
    workflow: Workflow, picks: list[tuple[int, int]]
) -> None:
    quick = in_step(workflow, picks, room=1)
    # The start alone puts out two records, so there was something to repeat.
    assert quick.room > 1


def asking() -> Workflow:
    """Questions of every kind, several in one step, before and after faults."""

    def assign(name: str, value: Any) -> dict[str, Any]:
        return {"action_type": "set_variable", "parameters": {"name": name, "value": value}}

    actions = [
        assign("all", {"event": "${event}", "state": "${state}", "n": ["${context.n}", {"half": 0.5}]}),
        assign("words", "${[event.word, context.word, 'm']}"),
        assign("n", "${len(context.words) + len(event.word) + count(context.words, endswith(item, 'm'))}"),
        assign("n", "${count([context.all].n, any(item, item in [1, context.n]))}"),
        assign("n", "${len(coalesce(context.all.state + min(context.words), 'z'))}"),
        assign("word", "${max(context.word, event.word) if event.word in context.words else 'z'}"),
    ]
    return Workflow(
        name="asking",
        initial_state="a",
        states=[{"name": "a"}, {"name": "b"}],
        variables={
            "word": {"type": "string", "initial": "k"},
            "words": {"type": "list", "initial": []},
            "n": {"type": "integer", "initial": 0, "maximum": 9},
            "all": {"type": "any"},
        },
        events={"e": {"payload": {"word": {"type": "string", "optional": True}}}},
        transitions=[
            {"from": "a", "to": "b", "event": "e", "condition": "event.word < context.word", "pre_actions": actions},
            {"from": "a", "event": "e", "condition": "event.word >= 'm'", "pre_actions": actions},
            {"from": "a", "event": "error"},
            {"from": "b", "to": "a", "event": "e", "post_actions": actions},
            {"from": "b", "to": "a", "event": "error"},
        ],
    )


def answer_questions(room: int) -> CompiledInstance:
    """Drive both speeds through questions and compare everything after each step."""
    program = compile_workflow(asking())
    plain, quick = PlainInstance(program), CompiledInstance(program, room=room)
    assert plain.apply(Stimulus("start")).records == quick.apply(Stimulus("start")).records
    for number, word in enumerate(["z", "a", "mm", "", None, "kk", "äö", "long enough to be too long", "a"]):
        stimulus = Stimulus("event", number, event="e", payload={"word": word})
        expected, found = plain.apply(stimulus), quick.apply(stimulus)
        assert (found.records, found.values, found.effects) == (expected.records, expected.values, expected.effects)
        assert quick.variables == plain.variables
        assert quick.lasts_like(plain) == lasting(program, plain.m, plain.v)
    return quick


@pytest.mark.parametrize("room", [1, 64])
def test_questions_to_the_surroundings_are_the_same_at_both_speeds(room: int) -> None:
    quick = answer_questions(room)
    assert quick.questions > 20
    assert (quick.room > room) == (room == 1)


def test_a_question_that_does_not_fit_into_the_output_asks_for_more_room() -> None:
    instance = CompiledInstance(compile_workflow(asking()))
    instance.apply(Stimulus("start"))
    instance.texts.encode("x", instance.v[instance.program.head.inbox_cells + 1])
    instance.m[codes.INBOX] = layout.Queued(kind=codes.EVENT, event=instance.program.event_rows["e"])
    for cells, full in ((4, 1), (256, 0)):
        out = speed.new_outputs(64, cells=cells)
        m, v = to_array([*instance.m, layout.Queued()], dtypes.MEMORY), to_array(instance.v * 2, dtypes.CELL)
        m[codes.FREE]["first"] = len(instance.m)
        m[-1]["next"] = -1
        # The first assignment asks for the payload as a whole.
        out = speed.outputs_of(*out[:6], *Spread(instance.texts).arrays)
        roots.step(instance.rows, m, v, out, 0)
        assert out.tally[0]["full"] == full
        assert (out.tally[0]["question"] >= 0) == (not full)


def through_a_list(collect: bool) -> Workflow:
    """Five items, two at a time, whose inputs are computed here and by the surroundings; the instance tells itself."""
    return Workflow.model_validate(
        {
            "name": "through_a_list",
            "initial_state": "s",
            "variables": {"list": {"type": "list", "input": True}, "out": {"type": "any"}, "n": {"initial": 0}},
            "events": {"go": {"payload": {"k": "number"}}, "bad": {"payload": {"k": "integer"}}},
            "activities": {"f": {"timeout": "3s", "compensate_with": "g"}, "g": {}},
            "states": [
                {
                    "name": "s",
                    "for_each": {
                        "items": "${context.list}",
                        "as": "one",
                        "activity": "f",
                        "parameters": {"next": "${item.one + 1}", "both": "${[item.one, context.n]}"},
                        "max_parallel": 2,
                        "on_failure": "collect" if collect else "fail_fast",
                        "result_variable": "out",
                    },
                },
                {"name": "t"},
                {"name": "u", "is_terminal": True},
            ],
            "transitions": [
                {
                    "from": "s",
                    "event": event,
                    "to": "t",
                    "post_actions": [
                        {"action_type": "send", "event": "bad", "to": "self", "payload": {"k": "${context.out}"}},
                        {"action_type": "send", "event": "none", "to": "self"},
                        {"action_type": "send", "event": "go", "to": "self", "payload": {"k": 1}},
                        {"action_type": "send", "event": "go", "to": {"workflow": "w", "key": "${1 + 1}"}},
                        {"action_type": "send", "event": "go", "to": "${context.n}", "on_failure": "ignore"},
                    ],
                }
                for event in ("done", "error")
            ]
            + [{"from": "t", "event": "go", "to": "u", "condition": "event.k == 1.0"}],
        }
    )


@pytest.mark.parametrize("collect", [False, True])
@pytest.mark.parametrize("room", [1, 64])
def test_lists_and_messages_are_the_same_at_both_speeds(room: int, collect: bool) -> None:
    program = compile_workflow(through_a_list(collect))
    plain, quick = PlainInstance(program, key=1), CompiledInstance(program, key=1, room=room)
    stimuli = [Stimulus("start", payload={"list": [1, 2, None, 4, 5]})]
    stimuli += [Stimulus("activity_started", activity_id=1), Stimulus("activity_succeeded", activity_id=1, result="a")]
    stimuli += [Stimulus("activity_succeeded", activity_id=2, result=[2]), Stimulus("message_returned", message_id=1)]
    stimuli += [Stimulus("activity_failed", activity_id=3, error_type="Boom", message="no")]
    stimuli += [Stimulus("activity_succeeded", activity_id=4, result=None)]
    kinds: Counter[int] = Counter()
    for stimulus in stimuli:
        expected, found = plain.apply(stimulus), quick.apply(stimulus)
        assert found.records == expected.records
        assert found.values == expected.values
        assert found.effects == expected.effects
        assert quick.lasts_like(plain) == lasting(program, plain.m, plain.v)
        kinds.update(record.kind for record in expected.records)
    # A list for each item that is begun, and all results in one.
    assert quick.questions == (5 if collect else 2)
    assert plain.status == "completed"
    assert kinds[codes.R_MESSAGE_SENT] == 4
    assert kinds[codes.R_EVENT_REJECTED] == 2
    if collect:
        results = plain.variables["out"]
        assert isinstance(results, list)
        assert [one["ok"] for one in results] == [True, True, False, False, True]
    else:
        assert plain.variables["out"] is None


class Careful(list[Any]):
    """A list that refuses to be read at -1: the number of nothing."""

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, int) and at < 0:
            raise AssertionError("a reference to nothing was followed")
        return super().__getitem__(at)


@cases(40)
@given(workflows(regions=True), choices)
def test_no_reference_to_nothing_is_followed(workflow: Workflow, picks: list[tuple[int, int]]) -> None:
    # Neither Python nor the bounds check of numba objects to index -1.
    compiled = compile_workflow(workflow)
    program = replace(compiled, rows=Careful(compiled.rows))
    instance = Instance(program, key=12345)
    instance.m, instance.v = Careful(instance.m), Careful(instance.v)
    instance.apply(Stimulus("start"))
    for number, pick in enumerate(picks):
        instance.apply(next_stimulus(instance, *pick, number))
        assert take_snapshot(from_snapshot(program, instance.texts, take_snapshot(instance)))[0] == instance.me.status


@cases(40)
@given(workflows(regions=True), choices)
def test_every_queued_row_is_free_or_held_as_often_as_it_is_referred_to(
    workflow: Workflow, picks: list[tuple[int, int]]
) -> None:
    instance = Instance(compile_workflow(workflow), key=12345)
    stimulus = Stimulus("start")
    for number in range(len(picks) + 1):
        instance.apply(stimulus)
        m, head = instance.m, instance.program.head
        holders: Counter[int] = Counter()
        free = []
        for which in (*QUEUES, codes.LOG, codes.LATE, codes.ITEMS, codes.FREE):
            k, length = m[which].first, 0
            while k >= 0:
                length += 1
                if which == codes.FREE:
                    free.append(k)
                else:
                    holders[k] += 1
                k = m[k].next
            assert length == m[which].length
        for row in instance.program.rows[head.first_region : head.first_region + head.n_regions]:
            holders[m[row.slot].entry] += 1
        holders.update(work.held for work in instance.works())
        for work in instance.works():
            k = m[work.held].ended if work.phase == codes.EACH else codes.NONE
            while k >= 0:
                holders[k] += 1
                k = m[k].next
        holders[instance.me.offer_again] += 1
        for k in set(range(head.first_queued + 1, len(m))) - set(free):
            if isinstance(m[k], layout.Queued):
                holders[m[k].origin] += 1
        del holders[codes.NONE]
        assert len(set(free)) == len(free)
        assert sorted([*free, *holders]) == list(range(head.first_queued + 1, len(m)))
        assert {k: m[k].holds for k in holders} == dict(holders)
        if number < len(picks):
            stimulus = next_stimulus(instance, *picks[number], number)


# --- values ---------------------------------------------------------------------------------------

EDGES = [0, 1, -1, 2, -2, 3, -3, 7, 2**31, -(2**31), 2**32, 3037000499, 3037000500, -3037000500, 2**62, -(2**62)]
EDGES += [2**63 - 1, 2**63 - 2, -(2**63), -(2**63) + 1, (2**63 - 1) // 2, -(2**63) // 2, (2**63 - 1) // 3, 2**53 + 1]
OPERATORS = {
    codes.OP_ADD: lambda a, b: a + b,
    codes.OP_SUBTRACT: lambda a, b: a - b,
    codes.OP_MULTIPLY: lambda a, b: a * b,
    codes.OP_FLOOR: lambda a, b: a // b,
    codes.OP_MODULO: lambda a, b: a % b,
}


def at_both_speeds(op: int, left: layout.Cell, right: layout.Cell) -> layout.Cell:
    """`left op right`, once computed by both speeds and compared."""
    cells = to_array([left, right], dtypes.CELL)
    roots.arithmetic(op, cells)
    found = [layout.Cell(), layout.Cell()]
    from_array(cells, found)
    values.arithmetic(op, left, right)
    assert found == [left, right]
    assert bits(found[0].real) == bits(left.real)
    return left


def exactly(op: int, a: int, b: int) -> tuple[int, int]:
    """Tag and content, by Python's unbounded integers."""
    if op in (codes.OP_FLOOR, codes.OP_MODULO) and b == 0:
        return codes.FAULT, codes.T_DIVISION
    exact = OPERATORS[op](a, b)
    return (codes.INTEGER, exact) if -(2**63) <= exact < 2**63 else (codes.FAULT, codes.T_OVERFLOW)


def check_integers(op: int, a: int, b: int) -> None:
    cell = at_both_speeds(op, layout.Cell(codes.INTEGER, a), layout.Cell(codes.INTEGER, b))
    assert (cell.tag, cell.whole) == exactly(op, a, b), f"{a} op{op} {b}"


@pytest.mark.parametrize("op", OPERATORS)
def test_integers_at_the_edges_of_64_bits_are_exact_or_overflow(op: int) -> None:
    for a in EDGES:
        for b in EDGES:
            check_integers(op, a, b)


integers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**33), 2**33), st.sampled_from(EDGES))


@cases(150)
@given(st.sampled_from(list(OPERATORS)), integers, integers)
def test_integer_arithmetic_is_exact_or_overflows(op: int, a: int, b: int) -> None:
    check_integers(op, a, b)


NUMBERS = [0.0, 1.0, -1.0, 0.1, 5e-324, -5e-324, 2.2250738585072014e-308, 1e308, -1e308, 1.7976931348623157e308, 1e-200]


@pytest.mark.parametrize("op", [codes.OP_ADD, codes.OP_SUBTRACT, codes.OP_MULTIPLY, codes.OP_DIVIDE])
def test_numbers_are_finite_and_never_minus_zero(op: int) -> None:
    for a in NUMBERS:
        for b in NUMBERS:
            cell = at_both_speeds(op, layout.Cell(codes.NUMBER, 0, a), layout.Cell(codes.NUMBER, 0, b))
            if op == codes.OP_DIVIDE and b == 0.0:
                assert (cell.tag, cell.whole) == (codes.FAULT, codes.T_DIVISION)
            elif cell.tag == codes.NUMBER:
                assert math.isfinite(cell.real)
                assert math.copysign(1.0, cell.real) == 1.0 or cell.real < 0.0
            else:
                assert (cell.tag, cell.whole) == (codes.FAULT, codes.T_OVERFLOW)
                assert max(abs(a), abs(b)) >= 1e308 or op == codes.OP_DIVIDE


@pytest.mark.parametrize(
    ("op", "a", "b"),
    [(codes.OP_MULTIPLY, 0.0, -1.0), (codes.OP_DIVIDE, -5e-324, 2.0), (codes.OP_MULTIPLY, -1e-200, 1e-200)],
)
def test_a_result_of_minus_zero_becomes_zero(op: int, a: float, b: float) -> None:
    cell = at_both_speeds(op, layout.Cell(codes.NUMBER, 0, a), layout.Cell(codes.NUMBER, 0, b))
    assert (cell.tag, bits(cell.real)) == (codes.NUMBER, bits(0.0))


# --- draws ----------------------------------------------------------------------------------------


def signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


# Counter, key and the first two words of the answer, from the known-answer file of Random123 (philox4x32-10).
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
@pytest.mark.parametrize("module", [draws, roots])
def test_draws_are_philox(module: Any, counter: tuple[int, ...], key: tuple[int, int], answer: tuple[int, int]) -> None:
    found = module.draw_bits(
        signed(key[1] << 32 | key[0]), counter[3], signed(counter[1] << 32 | counter[0]), counter[2]
    )
    assert found == (answer[0] << 32 | answer[1]) >> 11


@cases(100)
@given(st.integers(0, 2**62 - 1), st.integers(0, 2**31), st.integers(0, 2**63 - 1), st.integers(0, 2**31))
def test_draws_are_equal_at_both_speeds(key: int, stream: int, index: int, attempt: int) -> None:
    assert roots.draw_bits(key, stream, index, attempt) == draws.draw_bits(key, stream, index, attempt)
    assert roots.draw(key, stream, index, attempt) == draws.draw(key, stream, index, attempt)
    assert roots.mix_key(key, attempt, index) == draws.mix_key(key, attempt, index)


@cases(100)
@given(st.floats(0.0, 1.0, exclude_min=True), st.floats(-700.0, 700.0), st.floats(0.01, 1000.0))
def test_quantiles_are_equal_at_both_speeds(u: float, x: float, shape: float) -> None:
    assert roots.log(u) == quantiles.log(u)
    assert roots.exp(x) == quantiles.exp(x)
    assert roots.normal_quantile(u) == quantiles.normal_quantile(u)
    given = shape, quantiles.log_gamma(shape + 1.0), min(u, 1.0 - 2.0**-53)
    assert roots.gamma_quantile(*given) == quantiles.gamma_quantile(*given)


@pytest.mark.parametrize("varied", range(4))
def test_draws_are_uniform_in_each_of_their_arguments(varied: int) -> None:
    n, bins = 40_000, 100
    places = [[12345, 4, 7, 1] for _ in range(n)]
    for k, place in enumerate(places):
        place[varied] = k
    drawn = np.array([roots.draw(*place) for place in places])
    counts = np.histogram(drawn, bins, (0.0, 1.0))[0]
    chi_square = float(((counts - n / bins) ** 2 / (n / bins)).sum())
    # 99 degrees of freedom: between the quantiles at 1e-5 and 1 - 1e-5. The seed is fixed.
    assert 51.0 < chi_square < 166.0
    assert abs(drawn.mean() - 0.5) < 4.5 / math.sqrt(12 * n)
    correlation = float(np.corrcoef(drawn[:-1], drawn[1:])[0, 1])
    assert abs(correlation) < 4.5 / math.sqrt(n)
    assert len(np.unique(drawn)) == n


@pytest.mark.parametrize("module", [draws, roots])
def test_keys_have_62_bits_and_differ_for_seed_replication_and_case(module: Any) -> None:
    places = itertools.product(range(8), range(8), range(64))
    keys = {module.mix_key(*place) for place in places}
    assert len(keys) == 8 * 8 * 64
    assert min(keys) >= 0
    assert 2**61 < max(keys) < 2**62


# --- traps of compilation -------------------------------------------------------------------------


def test_the_cache_folder_changes_with_every_kernel_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(speed.__file__).parent
    for name in speed.KERNEL_FILES:
        shutil.copy(source / name, tmp_path / name)
    original = speed.sources_digest()
    monkeypatch.setattr(speed, "__file__", str(tmp_path / "speed.py"))
    assert speed.sources_digest() == original
    digests = {original}
    for name in speed.KERNEL_FILES:
        file = tmp_path / name
        before = file.read_bytes()
        file.write_bytes(before + b"\n# changed\n")
        digests.add(speed.sources_digest())
        file.write_bytes(before)
    assert len(digests) == 1 + len(speed.KERNEL_FILES)
    monkeypatch.setattr(speed, "version", lambda package: "0.0.0")
    assert speed.sources_digest() not in digests


def test_the_cache_folder_is_where_it_is_told_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WFSIM_CACHE", str(tmp_path))
    assert speed.cache_folder() == tmp_path / speed.sources_digest()
    monkeypatch.delenv("WFSIM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert speed.cache_folder() == tmp_path / "wfsim" / speed.sources_digest()


def test_what_is_kept_is_loaded_without_compiling_what_it_is_made_of() -> None:
    in_step(wf.new("minimal"), [])
    history = wf.simulate(wf.new("minimal"), cases=2, engine="compiled")
    code = (
        "import sys, wfsim as wf\n"
        "from tests.differential.test_two_speeds import in_step\n"
        "in_step(wf.new('minimal'), [])\n"
        "print(wf.simulate(wf.new('minimal'), cases=2, engine='compiled').digest)\n"
        "print([name for name in sys.modules if name.startswith('wfsim.semantics.compiled.')])"
    )
    told = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert told.split() == [history.digest, "[]"]


def test_a_first_run_loads_no_library_that_it_does_without() -> None:
    wf.simulate(wf.new("minimal"), cases=2, engine="compiled")
    # The scenario has pools with shifts and SLAs, which are kept beside the records.
    files = wf.examples()["order_processing"]
    code = (
        "import sys, wfsim as wf\n"
        f"order, scenario = wf.load({str(files.definition)!r}), {str(files.scenario)!r}\n"
        "wf.simulate(order, scenario, cases=20, engine='compiled').digest\n"
        "heavy = {'numba', 'scipy', 'pandas', 'plotly', 'networkx', 'pygraphviz', 'ipywidgets', 'IPython', 'z3'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "[]"


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    code = (
        "from wfsim.semantics import roots\n"
        "assert not roots.mix_key.is_cached((1, 2, 3))\n"
        "print(roots.mix_key(1, 2, 3))"
    )
    told = subprocess.check_output(
        [sys.executable, "-c", code], env={**os.environ, "WFSIM_CACHE": str(file)}, cwd=ROOT, text=True
    )
    assert int(told) == draws.mix_key(1, 2, 3)


def test_kernel_files_are_exactly_the_modules_that_are_imported_a_second_time() -> None:
    code = (
        "import sys; from wfsim.semantics import speed\n"
        "speed.kernel = lambda function: function\n"
        # Step does not call these; `possible` calls the codec.
        "from wfsim.semantics.compiled import possible, quantiles, step\n"
        "prefix = 'wfsim.semantics.compiled.'\n"
        "print(*(name.removeprefix(prefix) for name in sys.modules if name.startswith(prefix)))"
    )
    second = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    beside = {"speed.py", "dtypes.py", "later.py", "bounds.py", "addresses.py", "bare.py", "linking.py", "pipeline.py"}
    assert {f"{name}.py" for name in second} | beside == set(speed.KERNEL_FILES)


def signatures() -> dict[str, int]:
    """How often each function was compiled, for those compiled at all."""
    from numba.core.dispatcher import Dispatcher

    found = {}
    for name, module in sorted(sys.modules.items()):
        if name.startswith("wfsim.semantics.compiled") or name == "wfsim.semantics.speed":
            for known, function in vars(module).items():
                made = vars(function).get("made") if isinstance(function, Later) else function
                if isinstance(made, Dispatcher) and made.signatures:
                    found[f"{name}.{known}"] = len(made.signatures)
    return found


def compare_a_handful() -> None:
    """Compare both speeds on a few definitions; run in a process that has compiled everything by itself."""
    from tests.differential.test_codec import checked
    from tests.unit.semantics.told import activity, region, regions, set_variable, terminal, workflow

    policy = {"max_attempts": 3, "initial_interval": "1s", "jitter": 0.5}
    deep = regions(
        region(
            "r3",
            [{"name": "x", "activity": {"name": "f", "result_variable": "n"}}, terminal("y")],
            [{"from": "x", "to": "y", "event": "done"}, {"from": "x", "to": "y", "event": "pay"}],
        ),
        region("r4", ["k", terminal("l", "failure")], [{"from": "k", "to": "l", "event": "go"}]),
        join="any",
        name="deep",
    )
    definition = workflow(
        [
            "a",
            regions(
                region("r1", [deep, terminal("z")], [{"from": "deep", "to": "z", "event": "done"}]),
                region("r2", [{"name": "w", "timeout": "${context.n}"}], [{"from": "w", "event": "timeout"}]),
            ),
            terminal("t"),
        ],
        [
            {
                "from": "a",
                "to": "p",
                "event": "go",
                "condition": "event.k >= context.n",
                "pre_actions": [set_variable("n", "${context.n + event.k}"), activity("g")],
                "post_actions": [activity("f", on_failure="ignore")],
            },
            {"from": "p", "to": "t", "event": "done"},
            {"from": "p", "to": "a", "event": "stop"},
            {"from": "p", "event": "error"},
            {"from": "a", "condition": "context.n > 4", "pre_actions": [set_variable("n", 0)]},
        ],
        variables={"n": {"type": "integer", "initial": 1, "maximum": 9, "overflow": "saturate"}},
        events={
            "go": {"payload": {"k": "integer"}, "unhandled": "defer"},
            "stop": {"payload": {"k": {"type": "integer", "optional": True}}},
            "pay": {"payload": {"k": "integer"}, "unhandled": "defer"},
        },
        activities={"f": {"retry_policy": policy, "timeout": "3s", "schedule_to_close": "20s"}, "g": {}},
        timeouts={"workflow": "10m"},
    )
    for run in range(25):
        picks = [(draws.draw_bits(run, 1, k, 0) % 10_000, draws.draw_bits(run, 2, k, 0) % 10 - 3) for k in range(60)]
        in_step(definition, picks, room=1 + run % 4)
        checked(definition, picks[:20])
    answer_questions(1)
    answer_questions(64)


@pytest.mark.long
def test_compiled_anew_with_bounds_checked_nothing_is_out_of_bounds_and_nothing_compiled_twice(tmp_path: Path) -> None:
    code = (
        "from tests.differential import test_two_speeds as t\n"
        "t.compare_a_handful()\n"
        "from numba import config\n"
        "assert config.BOUNDSCHECK == 1\n"
        "n = t.signatures()\n"
        "twice = [name for name, count in n.items() if count > 1]\n"
        "assert not twice, twice\n"
        "print(len(n))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1", "WFSIM_CACHE": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    # All functions of the kernel modules and the second forms of `kernel.py`, each under every name it is known by.
    assert int(run.stdout) > 150
