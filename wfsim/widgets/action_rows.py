"""The buttons and fields of the stepper: one row for each action, kept while the action is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.drawing.text import clean
from wfsim.model.values import ValueType

from .stepper_html import tooltip
from .values import value_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from .action import Action
    from .values import Parameter

MOST_LABEL = 80
_NATIVE = (bool, int, float)


class ActionRow:
    """A button with the fields it needs, as ipywidgets.

    A row is kept and updated while its action is there, so that the keyboard's focus and what was typed stay.

    Attributes
    ----------
    button, fields, box
        The widgets; `fields` by parameter.
    """

    def __init__(self, action: Action, do: Callable[[str, dict[str, Any]], None]) -> None:
        import ipywidgets as widgets

        self.action = action
        label = clean(action.label)
        self.button = widgets.Button(description=label if len(label) <= MOST_LABEL else label[:MOST_LABEL] + "…")
        self.button.on_click(lambda _: do(self.action.id, self.values()))
        self.fields: dict[str, Any] = {one.name: _field(one) for one in action.parameters}
        for field in self.fields.values():
            field.layout.display = "none"
        self.box = widgets.HBox([self.button, *self.fields.values()])
        self.box.add_class("wf-row")
        self.update(action)

    def update(self, action: Action) -> None:
        """Show whether the action is possible now; fields are there only if it is."""
        self.action = action
        self.button.disabled = not action.enabled
        self.button.tooltip = tooltip(action)
        wanted = action.enabled and action.kind != "control" and not action.id.endswith(":fail")
        self.button.button_style = "primary" if wanted else ""
        for field in self.fields.values():
            field.layout.display = None if action.enabled else "none"

    def fits(self, action: Action) -> bool:
        """Whether this row can show the action: it asks for the same values under the same label."""
        return action.parameters == self.action.parameters and action.label == self.action.label

    def values(self) -> dict[str, Any]:
        """What the fields hold."""
        return {name: field.value for name, field in self.fields.items()}


def _field(parameter: Parameter) -> Any:
    """The field that suits a parameter."""
    import ipywidgets as widgets

    common: dict[str, Any] = {"description": parameter.name, "style": {"description_width": "initial"}}
    default, needed = parameter.default, parameter.required
    hint = f"{parameter.type.value}{'' if needed else ', optional'}"
    if parameter.only_choices:
        options = [(value_text(value).strip('"'), value) for value in parameter.choices]
        if not needed:
            options.insert(0, ("", None))
        return widgets.Dropdown(options=options, value=default, tooltip=hint, **common)
    if parameter.choices:
        offered = [value if isinstance(value, str) else value_text(value) for value in parameter.choices]
        shown = "" if default is None else default if isinstance(default, str) else value_text(default)
        return widgets.Combobox(options=offered, value=shown, ensure_option=False, tooltip=hint, **common)
    if parameter.type is ValueType.BOOLEAN and needed:
        return widgets.Checkbox(value=bool(default), indent=False, tooltip=hint, **common)
    if parameter.type is ValueType.BOOLEAN:
        options = [("", None), ("true", True), ("false", False)]
        return widgets.Dropdown(options=options, value=default, tooltip=hint, **common)
    # A field of a browser holds whole numbers up to 2**53 only.
    if needed and parameter.type is ValueType.INTEGER and isinstance(default, int) and abs(default) < 2**53:
        return widgets.IntText(value=default, tooltip=hint, **common)
    if needed and parameter.type is ValueType.NUMBER and isinstance(default, _NATIVE):
        return widgets.FloatText(value=default, tooltip=hint, **common)
    shown = "" if default is None else default if isinstance(default, str) else value_text(default, 100_000)
    return widgets.Text(value=shown, placeholder=hint, tooltip=hint, **common)
