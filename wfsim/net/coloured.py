"""A workflow with its values as a coloured net in SNAKES.

Written from `docs/meaning.md` and not from the step: control is places, values are colours, conditions are guards. So
it says for small workflows what the explorer has to find.

`state <name>` holds what may still happen there by itself, and is marked between two steps; `variables` holds all
values in one token. Within a step the instance is a `Turn` in one of these places: `on <event> in <state>`, where an
event is offered; `transition <n> at <k>`, before its action k; `settling <state>`, where automatic transitions go
first; `settled <state>`, where waiting errors come next. `event <name>`, `input <name>` and `result in <state>` hold a
token for each value that may come from outside, which is read and stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from wfsim.model.elements import State, Transition
from wfsim.model.operations import Operation
from wfsim.model.uses import declared_variables, is_reserved
from wfsim.model.workflow import Workflow
from wfsim.net.coloured_tokens import NOTHING, Turn, Values, assigned, kept, truths
from wfsim.net.coloured_values import payloads, refuse, results_of, tokens

if TYPE_CHECKING:
    import snakes.nets

VARIABLES = "variables"
CLOSED = ("completed", "failed", "timed_out")


class Coloured:
    """The net while it is built, place by place and net transition by net transition."""

    def __init__(self, workflow: Workflow) -> None:
        from snakes.nets import PetriNet

        self.workflow = workflow
        self.net = PetriNet(workflow.name)
        self.variables = declared_variables(workflow)
        self.net.globals["Turn"] = Turn
        self.net.globals["Values"] = Values
        # M13.4: what lives for one step goes back when that ends.
        self._rest = f"d{self._back(name for name, variable in self.variables.items() if variable.transient)}"
        self._n_functions = 0
        self._numbers = {id(each): f"transition {k + 1}" for k, each in enumerate(workflow.transitions)}

    def build(self) -> snakes.nets.PetriNet:
        """All of it."""
        refuse(self.workflow)
        self._start()
        for name in CLOSED:
            self._place(name)
        for state in self.workflow.states:
            self._place(f"settling {state.name}")
            if state.is_terminal:
                self._ending(state)
            else:
                self._state(state)
        for transition in self.workflow.transitions:
            if not self.workflow.state(transition.from_).is_terminal:
                self._taking(transition)
        return self.net

    # --- parts -----------------------------------------------------------------------------------

    def _place(self, name: str, tokens: Iterable[Any] = ()) -> str:
        from snakes.nets import Place

        if not self.net.has_place(name):
            self.net.add_place(Place(name, list(tokens)))
        return name

    def _back(self, names: Iterable[str]) -> str:
        """What is put behind an expression for values, so that these variables go back to their initial values."""
        initial = {name: self.variables[name].initial for name in names}
        return f".joined({Values(initial)!r})" if initial else ""

    def _function(self, called: Any) -> str:
        """A name by which expressions of the net call a function."""
        self._n_functions += 1
        name = f"f{self._n_functions}"
        self.net.globals[name] = called
        return name

    def _fires(
        self,
        name: str,
        source: tuple[str, str],
        guard: str,
        target: tuple[str, str],
        values: str = "d",
        reads: Sequence[tuple[str, str]] = (),
    ) -> None:
        """A net transition: takes a token by the name in `source`, and the variables as `d`; puts what is computed."""
        from snakes.nets import Expression, Test, Variable
        from snakes.nets import Transition as Firing

        self.net.add_transition(Firing(name, Expression(guard)))
        self.net.add_input(source[0], name, Variable(source[1]))
        self.net.add_input(VARIABLES, name, Variable("d"))
        for place, variable in reads:
            self.net.add_input(place, name, Test(Variable(variable)))
        self.net.add_output(self._place(target[0]), name, Expression(target[1]))
        self.net.add_output(VARIABLES, name, Expression(values))

    # --- start and ends --------------------------------------------------------------------------

    def _start(self) -> None:
        """M1.3: the inputs, then the initial state is entered."""
        initial = {name: each.initial for name, each in self.variables.items()}
        self._place("start", [NOTHING])
        self._place(VARIABLES, [Values({name: initial[name] for name in self.variables})])
        reads, values = [], "d"
        for k, (name, variable) in enumerate(self.variables.items()):
            if variable.input:
                place = f"input {name}"
                self._place(place, tokens(f"input {name!r}", {name: variable.shape}))
                reads.append((place, f"i{k}"))
                values += f".joined(i{k})"
        state = self.workflow.state(self.workflow.initial_state)
        behind = self._enter(state, "start", 0)
        self._fires("starting", ("start", "t"), "True", ("start at 0", "Turn()"), values, reads)
        self._fires("having started", (f"start at {behind}", "t"), "True", (f"settling {state.name}", "t"))

    def _ending(self, state: State) -> None:
        """M3.7: completed, unless an error of entering it waits, which nothing can take."""
        at = f"settling {state.name}"
        self._fires(f"{state.name} completes", (at, "t"), "not t.errors", ("completed", repr(state.name)), self._rest)
        self._fires(f"{state.name} fails", (at, "t"), "not not t.errors", ("failed", repr(state.name)), self._rest)

    # --- a state ---------------------------------------------------------------------------------

    def _state(self, state: State) -> None:
        """What can happen in a state between two steps, and what it comes to."""
        name, here = state.name, self._place(f"state {state.name}")
        leaving = [each for each in self.workflow.transitions if each.from_ == state.name]
        for event in dict.fromkeys(each.event for each in leaving if each.event and not is_reserved(each.event)):
            place = self._place(f"event {event}", payloads(self.workflow, event))
            at = f"on {event} in {name}"
            self._place(at)
            self._fires(f"{at}: it comes", (here, "w"), "True", (at, "Turn(waits=w, event=e)"), reads=[(place, "e")])
            self._unless_taken(at, state, [each for each in leaving if each.event == event])
        if state.timeout is not None:
            at = self._due(state, "timeout", "timeout")
            on_timeout = [each for each in leaving if each.event == "timeout"]
            self._unless_taken(at, state, on_timeout, f"t.raised({name!r}, late=True)")
        for each in leaving:
            if each.timed:
                number = self._numbers[id(each)]
                self._unless_taken(self._due(state, number, number), state, [each])
        if state.activity is not None:
            self._activity(state, [each for each in leaving if each.event == "done"])
        self._settle(state, leaving)

    def _due(self, state: State, wait: str, what: str) -> str:
        """M6.2: a timer fires, once."""
        at = self._place(f"on {what} in {state.name}")
        turn = f"Turn(waits=w - {{{wait!r}}})"
        self._fires(f"{at}: it is due", (f"state {state.name}", "w"), f"{wait!r} in w", (at, turn))
        return at

    def _activity(self, state: State, on_done: list[Transition]) -> None:
        """M4.1: it succeeds with each result, or fails."""
        work = state.activity
        assert work is not None
        name, here, results, at = (
            state.name,
            f"state {state.name}",
            f"result in {state.name}",
            f"on done in {state.name}",
        )
        self._place(results, results_of(self.workflow, state, on_done))
        self._place(at)
        running, left = "'activity' in w", "waits=w - {'activity'}"
        done = (at, f"Turn({left}, event=e, answering=True)")
        reads = [(results, "e")]
        failed = f"Turn({left}).raised({work.name!r})"
        self._fires(f"{work.name} fails in {name}", (here, "w"), running, (f"settling {name}", failed))
        if work.result_variable is None:
            self._fires(f"{work.name} succeeds in {name}", (here, "w"), running, done, reads=reads)
        else:
            variable = work.result_variable
            fits, value = map(self._function, kept(self.variables[variable]))
            write = f"d.wrote({variable!r}, {value}(e))"
            guard = f"{running} and {fits}(e)"
            self._fires(f"{work.name} succeeds in {name}", (here, "w"), guard, done, write, reads)
            guard = f"{running} and not {fits}(e)"
            unfit = (f"settling {name}", f"Turn({left}, answering=True).raised({work.name!r}).settling()")
            self._fires(f"{work.name} is no {variable} in {name}", (here, "w"), guard, unfit, reads=reads)
        self._unless_taken(at, state, on_done)

    # --- choosing --------------------------------------------------------------------------------

    def _unless_taken(self, at: str, state: State, candidates: list[Transition], otherwise: str = "t") -> None:
        """An event is offered; where nobody takes it the step goes on."""
        none = self._offer(at, state, candidates)
        self._fires(f"{at}: none", (at, "t"), none, (f"settling {state.name}", f"{otherwise}.settling()"))

    def _offer(self, at: str, state: State, candidates: list[Transition], automatic: bool = False) -> str:
        """M2.3: the first whose condition holds is taken; one that raises is an error (M2.5).

        Returns the guard of what is left: that none is taken.
        """
        most = self.workflow.max_automatic
        first = ["not t.stuck", f"t.automatic <= {most}"] if automatic else []
        passed: list[str] = []
        for each in candidates:
            only = each.event.removeprefix("error.") if each.event and each.event.startswith("error.") else None
            meant = [] if only is None else [f"t.offered.source == {only!r}"]
            true, false, raises = self._truths(each, state)
            taken = " and ".join([*first, *passed, *meant, true])
            number = self._numbers[id(each)]
            name, begun = f"{at}: {number}", self._place(f"{number} at 0")
            if automatic:
                self._fires(name, (at, "t"), f"{taken} and t.automatic < {most}", (begun, "t.chosen()"))
                # M2.6: one too many.
                guard = f"{taken} and t.automatic == {most}"
                self._fires(f"{name} too often", (at, "t"), guard, ("failed", repr(state.name)), self._rest)
            else:
                self._fires(name, (at, "t"), taken, (begun, "t"))
            if raises != "False":
                guard = " and ".join([*first, *passed, *meant, raises])
                turn = f"t.{'stuck_at' if automatic else 'raised'}({state.name!r}).settling()"
                self._fires(f"{name} raises", (at, "t"), guard, (f"settling {state.name}", turn))
            passed.append(false if only is None else f"(t.offered.source != {only!r} or {false})")
        return " and ".join(passed) or "True"

    def _truths(self, transition: Transition, state: State) -> tuple[str, str, str]:
        """Guards that say that its condition is true, is false, raises."""
        if transition.condition_tree is None:
            return "True", "False", "False"
        true, false, raises = map(self._function, truths(transition.condition_tree, state.name, self.workflow.given))
        return f"{true}(t, d)", f"{false}(t, d)", f"{raises}(t, d)"

    def _settle(self, state: State, leaving: list[Transition]) -> None:
        """M2.1: automatic transitions, then errors, then the step is over."""
        at, then, name = f"settling {state.name}", self._place(f"settled {state.name}"), state.name
        most = self.workflow.max_automatic
        automatic = [each for each in leaving if each.event is None and not each.timed]
        none = self._offer(at, state, automatic, automatic=True)
        self._fires(f"{at}: too much", (at, "t"), f"t.automatic > {most}", ("failed", repr(name)), self._rest)
        self._fires(f"{at}: none", (at, "t"), f"t.automatic <= {most} and (t.stuck or {none})", (then, "t"))
        self._fires(f"{name} waits", (then, "t"), "not t.errors", (f"state {name}", "t.waits"), self._rest)
        on_error = self._place(f"on error in {name}")
        self._fires(f"{name} has an error", (then, "t"), "not not t.errors", (on_error, "t.offering()"))
        none = self._offer(on_error, state, [each for each in leaving if (each.event or "").split(".")[0] == "error"])
        failed, late = ("failed", repr(name)), ("timed_out", repr(name))
        self._fires(f"{name} fails", (on_error, "t"), f"{none} and not t.offered.late", failed, self._rest)
        self._fires(f"{name} is late", (on_error, "t"), f"{none} and t.offered.late", late, self._rest)

    # --- taking ----------------------------------------------------------------------------------

    def _taking(self, transition: Transition) -> None:
        """M3.1, M3.8: pre-actions, commit, exit actions, entry actions, work and timers, post-actions."""
        number = self._numbers[id(transition)]
        state = self.workflow.state(transition.from_)
        k = 0
        for action in transition.pre_actions:
            aborted = (f"settling {state.name}", f"t.raised({state.name!r}).settling()")
            self._assign(number, k, action, state, None if action.on_failure == "ignore" else aborted, private=True)
            k += 1
        target, turn = state, "t.committed()"
        after = self._place(f"{number} at {k + 1}")
        if transition.to is not None:
            target, turn = self.workflow.state(transition.to), "t.entering()"
        # M13.3: what belongs to a state that is entered again goes back before it is set anew.
        own = self._back(f"{state.name}.{field}" for field in state.data)
        values = f"d{own if target is state and transition.to is not None else ''}.joined(t.writes)"
        self._fires(f"{number} commits", (f"{number} at {k}", "t"), "True", (after, turn), values)
        k += 1
        if transition.to is not None:
            for exit_action in state.exit_actions:
                self._assign(number, k, exit_action, state, None)
                k += 1
            if own and target is not state:
                left = (self._place(f"{number} at {k + 1}"), "t")
                self._fires(f"{number} leaves {state.name}", (f"{number} at {k}", "t"), "True", left, f"d{own}")
                k += 1
            k = self._enter(target, number, k)
        over = (f"settling {target.name}", "t.settling()")
        for action in transition.post_actions:
            failed = (over[0], f"t.raised({target.name!r}).settling()")
            self._assign(number, k, action, target, None if action.on_failure == "ignore" else failed)
            k += 1
        self._fires(f"{number} is over", (f"{number} at {k}", "t"), "True", over)

    def _enter(self, state: State, number: str, k: int) -> int:
        """M3.9: entry actions until one fails, then timers and work start; returns the place behind."""
        begins = f"{number} at {k + len(state.entry_actions)}"
        for action in state.entry_actions:
            failed = (begins, f"t.raised({state.name!r})")
            self._assign(number, k, action, state, None if action.on_failure == "ignore" else failed)
            k += 1
        waits = [] if state.timeout is None else ["timeout"]
        waits += [] if state.activity is None else ["activity"]
        waits += [self._numbers[id(t)] for t in self.workflow.transitions if t.from_ == state.name and t.timed]
        turn = f"t.waiting({', '.join(map(repr, waits))})"
        self._fires(f"{number} begins", (self._place(begins), "t"), "True", (f"{number} at {k + 1}", turn))
        return k + 1

    def _assign(
        self,
        number: str,
        k: int,
        action: Operation,
        state: State,
        failed: tuple[str, str] | None,
        private: bool = False,
    ) -> None:
        """One assignment: it works, or leads where a failed one does; without such a place the next one follows."""
        written = action.written
        assert written is not None
        assert written.tree is not None
        name = written.variable
        found = assigned(written.tree, self.variables[name], state.name, self.workflow.given)
        fits, value = map(self._function, found)
        at, after = self._place(f"{number} at {k}"), f"{number} at {k + 1}"
        write = f"wrote({name!r}, {value}(t, d))"
        turn, values = (f"t.{write}", "d") if private else ("t", f"d.{write}")
        self._fires(f"{number}: {k} works", (at, "t"), f"{fits}(t, d)", (after, turn), values)
        self._fires(f"{number}: {k} fails", (at, "t"), f"not {fits}(t, d)", failed or (after, "t"))
