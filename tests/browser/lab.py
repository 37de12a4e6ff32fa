"""A JupyterLab of its own, in a browser without a window, for tests that must see what people see."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser, Page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]


def require_browser() -> str:
    """Path of Chromium; without it the test fails."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail("nothing can be tested in a browser: Chromium is missing. Install it: apt install chromium.")
    return chromium


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """A notebook with these code cells."""
    shown: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "id": f"cell-{k}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        for k, source in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(
        json.dumps({"cells": shown, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})
    )


@contextlib.contextmanager
def running_lab(folder: Path, *, dark: bool = False) -> Iterator[str]:
    """Start JupyterLab on `folder` with settings of its own; gives its address, and stops it."""
    theme = {"theme": "JupyterLab Dark" if dark else "JupyterLab Light"}
    for name, settings in {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "apputils-extension/themes": theme,
        "notebook-extension/tracker": {"autoStartDefaultKernel": True},
    }.items():
        file = folder / ".home" / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
    with served("jupyterlab", [*jupyter_options(folder), "--LabApp.extension_manager=readonly"], folder) as address:
        yield address


def jupyter_options(folder: Path) -> list[str]:
    """What makes a server of Jupyter open `folder` for a test."""
    open_to_all = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--IdentityProvider.token="]
    return [*open_to_all, "--ServerApp.port_retries=0", "--ServerApp.password=", f"--ServerApp.root_dir={folder}"]


@contextlib.contextmanager
def served(module: str, options: Sequence[str], folder: Path, *, ready: str = "/api/status") -> Iterator[str]:
    """Run `python -m module` with a home of its own in `folder`; gives its address when `ready` answers."""
    home = folder / ".home"
    port = _free_port()
    environment = os.environ | {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    log = folder / f"{module}.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", module, *options, f"--port={port}"]
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until(lambda: _answers(address + ready, server, log), f"{module} to answer")
        yield address
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextlib.contextmanager
def opened(browser: Browser, address: str, notebook: str, *, run: bool = True, at: str = "lab/tree") -> Iterator[Page]:
    """Open a notebook, and run all its cells unless told otherwise; gives the page."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    try:
        page.goto(f"{address}/{at}/{notebook}")
        # Cells run before the page is connected to the kernel are lost.
        _wait_until(lambda: _connected(address), "a kernel connected to the notebook")
        page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").first.wait_for(timeout=60_000)
        if run:
            page.locator(".lm-MenuBar-item", has_text="Run").first.click()
            page.locator(".lm-Menu-item", has_text="Run All Cells").first.click()
        yield page
    finally:
        page.close()


def run_cell(page: Page, number: int) -> None:
    """Run one cell of the notebook on `page`, counted from 0."""
    page.locator(".jp-CodeCell .jp-InputArea-editor").nth(number).click()
    page.keyboard.press("Control+Enter")


def save(page: Page) -> None:
    """Save the notebook on `page`, again while something arrived from its kernel meanwhile."""
    # Screenshots are asked for where Playwright is not installed.
    from playwright.sync_api import TimeoutError as PlaywrightTimeout

    def saved() -> bool:
        page.locator(".jp-CodeCell .jp-InputArea-editor").first.click()
        page.keyboard.press("Control+s")
        try:
            page.locator(".jp-mod-dirty").first.wait_for(state="detached", timeout=5_000)
        except PlaywrightTimeout:
            return False
        return True

    _wait_until(saved, "all of the notebook to be saved")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _connected(address: str) -> bool:
    with urllib.request.urlopen(f"{address}/api/sessions") as answer:
        kernels = [session["kernel"] for session in json.load(answer)]
    return any(kernel["connections"] and kernel["execution_state"] == "idle" for kernel in kernels)


def _answers(address: str, server: subprocess.Popen[bytes], log: Path) -> bool:
    if server.poll() is not None:
        pytest.fail(f"{log.stem} ended with {server.returncode}:\n{log.read_text()[-3000:]}")
    try:
        with urllib.request.urlopen(address):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


def _wait_until(happened: Callable[[], bool], what: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds:g} s in vain for {what}.")
        time.sleep(0.1)
