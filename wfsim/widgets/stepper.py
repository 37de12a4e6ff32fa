"""The stepper: a workflow drawn, its active state lit, with buttons for everything that can happen now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.drawing.svg import fitting
from wfsim.errors import DrawingError, WfsimError

from .action_rows import ActionRow
from .child_actions import child_name
from .stepper_html import (
    STYLE,
    head_html,
    history_html,
    picture_html,
    problem_html,
    variables_html,
    why_not_html,
)
from .stepping import Stepping

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from wfsim.exploration.workflow_witness import WorkflowWitness
    from wfsim.history.case import Case
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.instance import Instance

    from .action import Action

_SECTIONS = (
    ("start", "Start"),
    ("event", "Events"),
    ("activity", "Activities"),
    ("child", "Children"),
    ("message", "Messages"),
    ("timer", "Timers"),
    ("control", "Operator"),
)


class Stepper:
    """Step through a workflow in a notebook.

    Parameters
    ----------
    source
        A workflow, to play it by hand; a witness of `wf.verify` or a case of a history, to walk through what
        happened; or an instance, to go on from there (on a copy). A Petri net, or a witness of a verdict on one, opens
        in a `TokenGame` instead.
    input
        Inputs to start a workflow with; without them the stepper asks.
    catalogue
        Where the workflows that it runs are found, `"models"` say: then children can be opened and stepped as well.

    Attributes
    ----------
    stepping
        What it shows, as a plain object: `stepping.do("event:pay", amount=3)`. After using it directly, `refresh`.
        It is that of a child while a child is open here.
    widget
        The ipywidgets box, for use inside other boxes.

    Raises
    ------
    WfsimError
        If there is no stepping through `source`.
    StartRefused
        If the inputs do not fit.
    ReplayError
        If a case does not replay.

    Notes
    -----
    State is held in Python; the widget draws it and sends clicks. Where nothing can show widgets, the picture is
    shown, with one line of text.

    Examples
    --------
    >>> import wfsim as wf
    >>> Stepper(wf.new("minimal"))
    <Stepper of 'minimal': running in waiting, step 1 of 1, time 0:00:00>
    """

    def __new__(cls, source: Any, *rest: Any, **options: Any) -> Any:
        """A net, and a witness of a verdict on one, open in a `TokenGame`."""
        from wfsim.net.petri import PetriNet
        from wfsim.verification.verdict import NetWitness

        if isinstance(source, (PetriNet, NetWitness)):
            from .token_game import TokenGame

            return TokenGame(source)
        return super().__new__(cls)

    def __init__(
        self,
        source: Workflow | WorkflowWitness | Case | Instance,
        input: Mapping[str, Value] | None = None,
        *,
        catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    ) -> None:
        import ipywidgets as widgets

        self.stepping = Stepping(source, input, catalogue=catalogue)
        self._above: list[tuple[Stepping, str]] = []
        self._family = widgets.HBox(layout={"flex_flow": "row wrap", "overflow": "visible"})
        self._rows: dict[str, ActionRow] = {}
        self._drawing = False
        self._head, self._picture, self._problem = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._variables, self._history, self._why_not = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._back = widgets.Button(description="Back", icon="step-backward", tooltip="One step back")
        self._forward = widgets.Button(description="Forward", icon="step-forward", tooltip="One step forward")
        self._jump = widgets.IntSlider(
            description="Step", min=0, max=0, layout={"flex": "1 1 160px", "width": "auto", "min_width": "120px"}
        )
        self._view = widgets.ToggleButtons(
            options=[("Follow", "follow"), ("Whole", "whole")],
            tooltips=["The picture around the active state", "The whole picture"],
            style={"button_width": "76px"},
        )
        self._back.on_click(lambda _: self._go(self.stepping.cursor - 1))
        self._forward.on_click(lambda _: self._go(self.stepping.cursor + 1))
        self._jump.observe(lambda change: self._go(change["new"]), names="value")
        self._view.observe(lambda _: self._draw_picture(), names="value")
        self._sections = {kind: self._section(title, wrap=kind == "control") for kind, title in _SECTIONS}
        bar = widgets.HBox(
            [self._back, self._forward, self._jump, self._view],
            layout={"align_items": "center", "flex_flow": "row wrap"},
        )
        column = {"flex": "1 1 340px", "min_width": "0", "overflow": "visible"}
        happen = widgets.VBox([*self._sections.values(), self._why_not], layout=column)
        facts = widgets.VBox([self._variables, self._history], layout=column)
        below = widgets.HBox([happen, facts], layout={"flex_flow": "row wrap", "grid_gap": "0 28px"})
        self.widget = widgets.VBox(
            [widgets.HTML(STYLE), self._family, self._head, bar, self._picture, self._problem, below],
            layout={"width": "100%", "overflow": "visible"},
        )
        self.widget.add_class("wfsim-stepper")
        self.refresh()

    def button(self, action_id: str) -> Any:
        """The button of an action; `KeyError` if the action is not there now."""
        return self._rows[action_id].button

    def field(self, action_id: str, parameter: str) -> Any:
        """The field for a value of an action; `KeyError` if the action is not there now."""
        return self._rows[action_id].fields[parameter]

    def load(
        self,
        source: Workflow | WorkflowWitness | Case | Instance,
        input: Mapping[str, Value] | None = None,
    ) -> bool:
        """Show something else; False, and the reason is shown, if that cannot be."""
        root = self._above[0][0] if self._above else self.stepping
        loaded = root.load(source, input)
        if loaded:
            self._show(root, [])
        else:
            self.stepping.problem = root.problem
            self.refresh()
        return loaded

    def open_child(self, activation: int) -> bool:
        """Show a child, to step it by hand; False, and the reason is shown, if that cannot be."""
        parent = self.stepping
        try:
            child = parent.open_child(activation)
        except WfsimError as error:
            parent.problem = str(error)
            self._show_problem()
            return False
        named = next(child_name(one) for one in parent.children if one.activation == activation)
        self._show(child, [*self._above, (parent, named)])
        return True

    def close_child(self) -> bool:
        """Show the parent again; False if no child is shown."""
        if not self._above:
            return False
        self._show(self._above[-1][0], self._above[:-1])
        return True

    def refresh(self) -> None:
        """Draw anew what `stepping` holds."""
        stepping = self.stepping
        self._drawing = True
        try:
            self._jump.max = len(stepping.steps)
            self._jump.value = stepping.cursor
        finally:
            self._drawing = False
        self._jump.disabled = not stepping.steps
        self._back.disabled = stepping.cursor == 0
        self._forward.disabled = stepping.cursor == len(stepping.steps)
        self._draw_family()
        self._head.value = head_html(stepping)
        self._show_problem()
        self._draw_picture()
        self._variables.value = variables_html(stepping)
        self._history.value = history_html(stepping)
        self._draw_actions(stepping.possible())

    # --- inside ----------------------------------------------------------------------------------

    def _do(self, action_id: str, values: dict[str, Any]) -> None:
        if self.stepping.do(action_id, **values):
            self.refresh()
        else:
            # Nothing happened: what was typed stays for mending.
            self._show_problem()

    def _go(self, cursor: int) -> None:
        if not self._drawing:
            self.stepping.jump(cursor)
            self.refresh()

    def _show(self, stepping: Stepping, above: list[tuple[Stepping, str]]) -> None:
        self.stepping, self._above, self._rows = stepping, above, {}
        self.refresh()

    def _draw_family(self) -> None:
        """A button back to the parent, and one for each open child that can be stepped."""
        import ipywidgets as widgets

        buttons = []
        if self._above:
            parent, named = self._above[-1]
            ended = self.stepping.instance.is_closed
            up = widgets.Button(
                description=f"{parent.workflow.name} ◂ {named}",
                icon="arrow-up",
                tooltip="Back to the parent" + (", to let it know that this child has ended" if ended else ""),
                button_style="primary" if ended else "",
            )
            up.on_click(lambda _: self.close_child())
            buttons.append(up)
        for child in self.stepping.children:
            if self.stepping.can_open(child):
                down = widgets.Button(
                    description=f"Step into {child_name(child)}",
                    icon="arrow-down",
                    tooltip="Open this child and step it by hand",
                )
                down.on_click(lambda _, activation=child.activation: self.open_child(activation))
                buttons.append(down)
        self._family.children = tuple(buttons)
        self._family.layout.display = None if buttons else "none"

    def _show_problem(self) -> None:
        self._problem.value = problem_html(self.stepping.problem)
        self._problem.layout.display = None if self.stepping.problem else "none"

    def _draw_picture(self) -> None:
        self._picture.value = picture_html(self.stepping, follow=self._view.value == "follow")

    def _section(self, title: str, *, wrap: bool) -> Any:
        import ipywidgets as widgets

        rows = widgets.HBox(layout={"flex_flow": "row wrap"}) if wrap else widgets.VBox()
        rows.layout.overflow = "visible"
        return widgets.VBox([widgets.HTML(f"<h4>{title}</h4>"), rows], layout={"overflow": "visible"})

    def _draw_actions(self, actions: list[Action]) -> None:
        kept: dict[str, ActionRow] = {}
        for action in actions:
            row = self._rows.get(action.id)
            if row is None or not row.fits(action):
                row = ActionRow(action, self._do)
            else:
                row.update(action)
            kept[action.id] = row
        self._rows = kept
        for kind, section in self._sections.items():
            rows = section.children[1]
            boxes = tuple(
                kept[action.id].button if kind == "control" else kept[action.id].box
                for action in actions
                if action.kind == kind
            )
            if rows.children != boxes:
                rows.children = boxes
            section.layout.display = None if boxes else "none"
        self._why_not.value = why_not_html(actions)

    def __repr__(self) -> str:
        return repr(self.stepping).replace("<Stepping through", "<Stepper of", 1)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """The widget, and for places without widgets the picture and one line of text."""
        bundle: dict[str, Any] = dict(self.widget._repr_mimebundle_())
        bundle["text/plain"] = repr(self)
        try:
            bundle["image/svg+xml"] = fitting(self.stepping.to_svg())
        except DrawingError as error:
            bundle["text/plain"] += f"\n{error}"
        return bundle
