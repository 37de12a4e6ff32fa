"""What the stepper shows without asking anything, as HTML. All text of workflows and values is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from wfsim.drawing.text import clean
from wfsim.errors import DrawingError
from wfsim.model.duration import time_text

from .values import value_text

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from wfsim.drawing import Picture

    from .action import Action
    from .stepping import Stepping

WINDOW_HEIGHT = 420
"""Height in pixels of the window through which a large picture is seen."""
_SCALE = 0.85

STYLE = """<style>
.wfsim-stepper { --wf-line: var(--jp-border-color1, #8c8c8c); --wf-faint: var(--jp-content-font-color2, GrayText);
  --wf-ground: var(--jp-layout-color2, rgba(128,128,128,.15)); color: var(--jp-content-font-color1, CanvasText);
  max-width: 1280px; font-size: 13px; }
.wfsim-stepper .widget-html-content, .wfsim-stepper .jupyter-widgets.widget-html > div { line-height: 1.45;
  font-size: 13px; color: inherit; }
.wfsim-stepper .widget-html { margin: 0; width: auto; height: auto; }
.wfsim-stepper .wf-head { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: baseline; padding: 2px 0; }
.wfsim-stepper .wf-head b { font-size: 15px; }
.wfsim-stepper .wf-badge { border: 1px solid var(--wf-line); border-radius: 9px; padding: 0 9px; white-space: nowrap; }
.wfsim-stepper .wf-faint { color: var(--wf-faint); }
.wfsim-stepper .wf-window { overflow: hidden; border: 1px solid var(--wf-line); border-radius: 6px; }
.wfsim-stepper .wf-window svg { display: block; }
.wfsim-stepper .wf-whole { overflow: auto; border: 1px solid var(--wf-line); border-radius: 6px; }
.wfsim-stepper .wf-whole svg { display: block; margin: 0 auto; }
.wfsim-stepper .wf-problem { border: 2px solid #d55e00; border-radius: 6px; padding: 5px 10px; margin: 4px 0; }
.wfsim-stepper h4 { margin: 10px 0 3px; font-size: 13px; font-weight: 600; }
.wfsim-stepper table.wf-table { border-collapse: collapse; width: 100%; margin: 0; font-size: 12px; }
.wfsim-stepper .wf-table th, .wfsim-stepper .wf-table td { text-align: left; padding: 2px 8px 2px 4px;
  border-bottom: 1px solid var(--wf-ground); vertical-align: top; overflow-wrap: anywhere; background: none; }
.wfsim-stepper .wf-table th { font-weight: 600; white-space: nowrap; }
.wfsim-stepper .wf-table tr.wf-changed td { background: var(--wf-ground); }
.wfsim-stepper .wf-table code, .wfsim-stepper .wf-log code { font-size: 12px; background: none; color: inherit;
  padding: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.wfsim-stepper .wf-scroll { max-height: 330px; overflow: auto; }
.wfsim-stepper ol.wf-log { list-style: none; margin: 0; padding: 0; }
.wfsim-stepper .wf-log > li { padding: 2px 6px; border-left: 3px solid transparent; margin: 0; }
.wfsim-stepper .wf-log > li.wf-now { border-left-color: #0072b2; background: var(--wf-ground); }
.wfsim-stepper .wf-log > li.wf-future { color: var(--wf-faint); }
.wfsim-stepper .wf-log summary { padding: 0; }
.wfsim-stepper .wf-log ul { margin: 0 0 2px; padding-left: 18px; font-size: 12px; }
.wfsim-stepper details summary { cursor: pointer; padding: 4px 0; }
.wfsim-stepper .widget-button { width: auto; min-width: 44px; height: auto; min-height: 28px; line-height: 1.3;
  padding: 4px 12px; margin: 2px 6px 2px 0; white-space: normal; }
.wfsim-stepper .widget-button:disabled { opacity: .75; }
.wfsim-stepper .widget-button:focus-visible { outline: 2px solid var(--jp-brand-color1, #0072b2); outline-offset: 1px; }
.wfsim-stepper .wf-row { flex-wrap: wrap; align-items: center; overflow: visible; }
.wfsim-stepper .wf-row > .widget-button { min-width: 150px; text-align: left; }
.wfsim-stepper .wf-row .widget-inline-hbox { width: auto; flex: 1 1 150px; max-width: 280px; margin: 2px 8px 2px 0; }
.wfsim-stepper .wf-row .widget-checkbox { flex: 0 0 auto; }
.wfsim-stepper .wf-row .widget-label { width: auto; padding-right: 2px; }
.wfsim-stepper .wf-row .widget-inline-hbox input:not([type=checkbox]) { width: 80px; min-width: 80px; flex: 1 1 80px; }
</style>"""


def text_html(text: str) -> str:
    """Text from anywhere, safe inside HTML and quoted attributes."""
    return escape(clean(text), quote=True)


def head_html(stepping: Stepping) -> str:
    """Name, status, states and time, on one line that screen readers announce."""
    instance = stepping.instance
    workflow = stepping.workflow
    status = instance.status.replace("_", " ") + (f" ({instance.outcome})" if instance.outcome else "")
    states = ", ".join(
        text_html(f"{region}: {state.rsplit('/', 1)[-1]}" if region else state)
        for region, state in instance.configuration.items()
    )
    parts = [
        f"<b>{text_html(workflow.name)}</b> <span class='wf-faint'>{text_html(workflow.version)}</span>",
        f"<span class='wf-badge'>{text_html(status)}</span>",
        f"<span>state <b>{states}</b></span>" if states else "<span>not started</span>",
        f"<span>time {time_text(instance.time)}</span>",
        f"<span class='wf-faint'>step {stepping.cursor} of {len(stepping.steps)}</span>",
    ]
    waiting = instance.waiting()
    if waiting:
        parts.append(f"<span>waiting: {text_html(', '.join(waiting))}</span>")
    return f"<div class='wf-head' role='status' aria-live='polite'>{''.join(parts)}</div>"


def problem_html(problem: str) -> str:
    """Why a request could not be met; nothing for no problem."""
    return f"<div class='wf-problem' role='alert'>⚠ {text_html(problem)}</div>" if problem else ""


def picture_html(stepping: Stepping, *, follow: bool) -> str:
    """The lit picture: through a window around the active states, or whole, as wide as there is room."""
    try:
        svg = stepping.to_svg()
    except DrawingError as error:
        return f"<div class='wf-problem'>{text_html(str(error))}</div>"
    if not follow:
        return f"<div class='wf-whole'>{svg}</div>"
    lit = {f"state:{state}" for state in stepping.state.values()}
    return window_html(svg, stepping.picture, lit)


def window_html(svg: str, picture: Picture, lit: Container[str]) -> str:
    """A picture through a window around these nodes; around the first one where none of them is."""
    layout = picture.layout()
    width, height = layout.width * _SCALE, layout.height * _SCALE
    boxes = [at.box for at in layout.nodes]
    seen = [box for node, box in zip(layout.drawn.graph.nodes, boxes, strict=True) if node.id in lit] or boxes[:1]
    left, top = min(box.x for box in seen), min(box.y for box in seen)
    right = max(box.x + box.width for box in seen)
    bottom = max(box.y + box.height for box in seen)
    x, y = (left + right) / 2, (top + bottom) / 2
    shown = min(WINDOW_HEIGHT, height)
    down = max(shown - height, min(0.0, shown / 2 - y * _SCALE))
    # The width of the page is known to the browser only: it clamps in the same way.
    across = f"clamp(min(0px, 100% - {width:.0f}px), 50% - {x * _SCALE:.0f}px, max(0px, 50% - {width / 2:.0f}px))"
    return (
        f"<div class='wf-window' style='height:{shown:.0f}px'>"
        f"<div style='width:{width:.0f}px;margin-left:{across};margin-top:{down:.0f}px'>{svg}</div></div>"
    )


def variables_html(stepping: Stepping) -> str:
    """All variables; the ones that the last step changed are marked and show what they were."""
    rows = []
    for each in stepping.variables:
        value = text_html(value_text(each.value))
        was = f"<span class='wf-faint'>was {text_html(value_text(each.before, 60))}</span>" if each.changed else ""
        mark = "● " if each.changed else ""
        look = " class='wf-changed'" if each.changed else ""
        name = f"<th scope='row'>{mark}{text_html(each.name)}</th>"
        rows.append(f"<tr{look}>{name}<td><code>{value}</code></td><td>{was}</td></tr>")
    body = f"<table class='wf-table'>{''.join(rows)}</table>" if rows else "<span class='wf-faint'>none</span>"
    return f"<h4>Variables</h4><div class='wf-scroll'>{body}</div>"


def history_html(stepping: Stepping) -> str:
    """What happened, latest first; steps gone back from are faint."""
    items = []
    for entry in reversed(stepping.history):
        number = entry["number"]
        now = number == stepping.cursor
        look = "wf-now" if now else "wf-future" if number > stepping.cursor else ""
        records = "".join(f"<li><code>{text_html(record)}</code></li>" for record in entry["records"])
        title = f"{number}. {text_html(entry['title'])} <span class='wf-faint'>{time_text(entry['time'])}</span>"
        body = f"<details{' open' if now else ''}><summary>{title}</summary><ul>{records}</ul></details>"
        here = " aria-current='step'" if now else ""
        items.append(f"<li class='{look}'{here}>{body if records else title}</li>")
    body = f"<ol class='wf-log'>{''.join(items)}</ol>" if items else "<span class='wf-faint'>nothing yet</span>"
    return f"<h4>History</h4><div class='wf-scroll'>{body}</div>"


def why_not_html(actions: Iterable[Action]) -> str:
    """The reasons of everything that cannot happen now, for those who cannot hover."""
    shown = [
        f"<tr><th scope='row'>{text_html(action.label)}</th><td>{text_html(_sentence(action.reason))}</td></tr>"
        for action in actions
        if not action.enabled
    ]
    if not shown:
        return ""
    return (
        f"<details><summary>Why not the others? ({len(shown)})</summary>"
        f"<div class='wf-scroll'><table class='wf-table'>{''.join(shown)}</table></div></details>"
    )


def tooltip(action: Action) -> str:
    """What hovering over an action's button says."""
    return clean(_sentence(action.reason if action.enabled else f"not now: {action.reason}"))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
