"""What is built of the front end, as `hatch_build.py` has left it beside this module."""

from __future__ import annotations

import importlib.resources
from functools import cache

from wfsim.errors import WfsimError


@cache
def made(name: str) -> bytes:
    """A built file: `bundle.js` or `loader.js`.

    Raises
    ------
    WfsimError
        If this installation was built without the front end.
    """
    try:
        return (importlib.resources.files("wfsim.widgets") / "static" / name).read_bytes()
    except FileNotFoundError:
        raise WfsimError(
            "this installation of wfsim was built without live widgets. Build them with `python hatch_build.py` in the "
            "repository, or install wfsim again without WFSIM_SKIP_FRONTEND."
        ) from None
