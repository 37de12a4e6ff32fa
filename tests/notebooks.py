"""The notebooks as they are stored: run anew, and rid of what every run has another of.

`python -m tests.notebooks` runs them all, `python -m tests.notebooks 03 05` some, and says how large each is. Readers
see stored outputs, untrusted, before they run anything: what is drawn with scripts stands there as a picture, too.
"""

from __future__ import annotations

import base64
import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

FOLDER = Path("notebooks")
LARGEST = 300_000
"""Bytes of a stored notebook at most."""

FIGURE, PICTURE, WIDGET = "application/vnd.plotly.v1+json", "image/png", "application/vnd.jupyter.widget-view+json"
# The name by which a widget finds its still picture; there is no widget in what is stored.
_OF_WIDGET = re.compile(r'<style>[^<]*wfsim-still-[^<]*</style>| class="wfsim-still-\w+"')


def run(notebook: NotebookNode) -> None:
    """Run it in a new kernel, in the folder of the notebooks; keep of its outputs what every run gives."""
    from nbclient import NotebookClient

    metadata = dict(notebook.metadata)
    client = NotebookClient(
        notebook,
        timeout=600,
        resources={"metadata": {"path": str(FOLDER)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    client.execute()
    notebook.metadata.clear()
    notebook.metadata.update(metadata)
    for cell in notebook.cells:
        cell.outputs = [output for output in cell.get("outputs", ()) if output.get("name") != "stderr"]
        for data in shown(cell):
            data.pop(WIDGET, None)
            if "text/html" in data:
                data["text/html"] = _OF_WIDGET.sub("", data["text/html"])
        if cell.cell_type != "code":
            del cell["outputs"]


def shown(cell: NotebookNode) -> list[dict[str, Any]]:
    """What a cell shows beside text that it prints, by kind."""
    return [output["data"] for output in cell.get("outputs", ()) if "data" in output]


def draw_figures(notebooks: list[NotebookNode]) -> None:
    """Put a picture beside the data of each figure of plotly."""
    from playwright.sync_api import sync_playwright

    from tests.browser.lab import FLAGS, require_browser

    figures = [data for notebook in notebooks for cell in notebook.cells for data in shown(cell) if FIGURE in data]
    if not figures:
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require_browser(), args=FLAGS)
        page = browser.new_page()
        page.set_content('<div id="at"></div>')
        page.add_script_tag(content=(files("plotly") / "package_data/plotly.min.js").read_text(encoding="utf-8"))
        for data in figures:
            page.evaluate(
                "(figure) => Plotly.newPlot('at', figure.data, figure.layout, {staticPlot: true})", data[FIGURE]
            )
            data[PICTURE] = base64.b64encode(page.locator("#at .svg-container").screenshot()).decode() + "\n"
            data["text/plain"] = "Figure"
        browser.close()


def main(names: list[str]) -> None:
    """Run the notebooks whose names begin so, or all, and store them."""
    import nbformat

    paths = [path for path in sorted(FOLDER.glob("*.ipynb")) if not names or path.name.startswith(tuple(names))]
    notebooks = [nbformat.read(path, as_version=4) for path in paths]
    for path, notebook in zip(paths, notebooks):
        print(f"{path} …", flush=True)
        run(notebook)
    draw_figures(notebooks)
    for path, notebook in zip(paths, notebooks):
        nbformat.write(notebook, path)
        size = path.stat().st_size
        print(f"{path}: {size / 1000:.0f} kB{', which is too large' if size >= LARGEST else ''}")


if __name__ == "__main__":
    main(sys.argv[1:])
