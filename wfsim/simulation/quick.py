"""Functions of the kernel that the calendar in Python calls most often: its own, or after `make_ready` compiled ones.

Both give the same bits. A compiled one takes a tenth of the time or less; to load it takes some milliseconds.
"""

from __future__ import annotations

from wfsim.semantics import draws, quantiles

draw = draws.draw
mix_key = draws.mix_key
log = quantiles.log
exp = quantiles.exp
normal_quantile = quantiles.normal_quantile
gamma_quantile = quantiles.gamma_quantile

_ARGUMENTS = {
    "draw": (1, 1, 1, 1),
    "mix_key": (1, 1, 1),
    "log": (0.5,),
    "exp": (0.5,),
    "normal_quantile": (0.5,),
    "gamma_quantile": (1.0, 0.0, 0.5),
}


def make_ready() -> None:
    """Call compiled ones from now on. They are compiled once on a machine, which takes two seconds."""
    from wfsim.semantics import roots

    try:
        compiled = {name: getattr(roots, name).ready(arguments) for name, arguments in _ARGUMENTS.items()}
    except (ImportError, OSError):
        # Without a compiler, or where its code cannot be loaded: no number depends on it.
        return
    globals().update(compiled)
